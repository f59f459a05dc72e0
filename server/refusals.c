#include "server/refusals.h"

const struct refusal_info refusal_table[REFUSALS] = {
#define REFUSAL(symbol, name, status, sentence) {name, status, sentence, sentence "\n"},
#include "server/refusals.def"
#undef REFUSAL
};
