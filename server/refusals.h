/* The reasons of refusal, from their one list, refusals.def. */
#ifndef AFORO_SERVER_REFUSALS_H
#define AFORO_SERVER_REFUSALS_H

#include "counters/counters.h"

enum refusal {
#define REFUSAL(symbol, name, status, sentence) REFUSAL_##symbol,
#include "server/refusals.def"
#undef REFUSAL
    REFUSALS
};

_Static_assert(REFUSALS <= COUNTERS_REASONS, "the state file keeps that many reasons");

/* The family in /metrics, with each name as the label `reason`. */
#define REFUSALS_FAMILY "aforo_events_refused_total"
#define REFUSALS_SENTENCE "events refused, by the reason"

struct refusal_info {
    const char *name;
    unsigned status; /* HTTP status */
    const char *sentence;
    const char *line; /* the sentence as the body of an answer, with its line end */
};

extern const struct refusal_info refusal_table[REFUSALS];

#endif
