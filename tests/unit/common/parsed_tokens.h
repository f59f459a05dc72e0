/* Tokens from the text of their file. */
#ifndef AFORO_TESTS_UNIT_PARSED_TOKENS_H
#define AFORO_TESTS_UNIT_PARSED_TOKENS_H

#include "common/tokens.h"
#include "tests/unit/check_main.h"

#include <string.h>

#define A "aaaaaaaaaaaaaaaa" /* 16 */
#define B "Bb0-._~+/Bb0-._~+/=="

static inline struct tokens *parsed(const char *text) {
    char why[TOKENS_WHY_MAX] = "";
    struct tokens *tokens = tokens_parse(text, strlen(text), why);
    ck_assert_msg(tokens != NULL, "%s: %s", text, why);
    return tokens;
}

#endif
