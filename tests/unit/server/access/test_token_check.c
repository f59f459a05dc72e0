#include "server/access/token_check.h"

#include "tests/unit/common/parsed_tokens.h"

#include <stdio.h>
#include <string.h>

START_TEST(all_tokens_are_known_and_no_other) {
    char text[TOKENS_MAX * 17 + 1];
    size_t len = 0;
    for (int i = 0; i < TOKENS_MAX; i++) {
        len += (size_t)sprintf(text + len, "token-%010d\n", i);
    }
    struct tokens *tokens = parsed(text);
    for (int i = 0; i < TOKENS_MAX + 1; i++) {
        char one[17];
        sprintf(one, "token-%010d", i);
        ck_assert_int_eq(token_check_bytes(tokens, one, 16), i < TOKENS_MAX);
    }
    tokens_free(tokens);
}
END_TEST

START_TEST(the_longest_token) {
    char text[TOKENS_BYTES_MAX + 2] = {0};
    memset(text, 'x', TOKENS_BYTES_MAX);
    struct tokens *longest = parsed(text);
    memset(text, 'x', TOKENS_BYTES_MAX + 1);
    ck_assert(token_check_bytes(longest, text, TOKENS_BYTES_MAX));
    ck_assert(!token_check_bytes(longest, text, TOKENS_BYTES_MAX - 1));
    ck_assert(!token_check_bytes(longest, text, TOKENS_BYTES_MAX + 1));
    tokens_free(longest);
}
END_TEST

START_TEST(only_the_very_token_is_had) {
    struct tokens *tokens = parsed(B "\n" A "\n");
    ck_assert(token_check_bytes(tokens, A, strlen(A)));
    ck_assert(token_check_bytes(tokens, B, strlen(B)));
    ck_assert(!token_check_bytes(tokens, "", 0));
    ck_assert(!token_check_bytes(tokens, A "a", 17));
    ck_assert(!token_check_bytes(tokens, A "\0", 17)); /* longer, though the padding is the same */
    for (size_t i = 0; i < strlen(B); i++) {           /* every byte and every bit of it matters */
        for (int bit = 0; bit < 8; bit++) {
            char other[] = B;
            other[i] = (char)(other[i] ^ (1 << bit));
            ck_assert(!token_check_bytes(tokens, other, strlen(B)));
        }
        ck_assert(!token_check_bytes(tokens, B, i));
    }
    tokens_free(tokens);
}
END_TEST

START_TEST(headers) {
    static const struct {
        const char *value, *token; /* NULL: none */
    } rows[] = {
        {"Bearer x", "x"},
        {"bearer x", "x"},
        {"BEARER   x=", "x="},
        {"Bearer x \t", "x"},
        {"Bearer x y", "x y"},
        {"Bearer", NULL},
        {"Bearer ", NULL},
        {"Bearer\tx", NULL},
        {"Bearerx", NULL},
        {"Basic x", NULL},
        {"", NULL},
        {" Bearer x", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *bytes = "";
        size_t len = 0;
        ck_assert_msg(token_find(rows[i].value, &bytes, &len) == (rows[i].token != NULL), "%s",
                      rows[i].value);
        if (rows[i].token) {
            ck_assert_uint_eq(len, strlen(rows[i].token));
            ck_assert_mem_eq(bytes, rows[i].token, len);
        }
    }
}
END_TEST

START_TEST(headers_with_a_token_and_without) {
    struct tokens *tokens = parsed(A "\n");
    ck_assert(token_check_header(tokens, "Bearer " A));
    ck_assert(!token_check_header(tokens, "Bearer " A "a"));
    ck_assert(!token_check_header(tokens, A));
    ck_assert(!token_check_header(tokens, NULL));
    tokens_free(tokens);
}
END_TEST

CHECK_MAIN("token_check", all_tokens_are_known_and_no_other, the_longest_token,
           only_the_very_token_is_had, headers, headers_with_a_token_and_without)
