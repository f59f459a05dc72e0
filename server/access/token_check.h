/* Whether a client has one of the tokens (common/tokens.h). Any thread. */
#ifndef AFORO_SERVER_ACCESS_TOKEN_CHECK_H
#define AFORO_SERVER_ACCESS_TOKEN_CHECK_H

#include "common/tokens.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the value of an Authorization header names one of the tokens. NULL value: no. */
bool token_check_header(const struct tokens *tokens, const char *value);

/* Whether these bytes are one of the tokens. The time this takes depends on the number of tokens,
 * not on their content. */
bool token_check_bytes(const struct tokens *tokens, const char *bytes, size_t len);

/* Finds X in "Bearer X", the value of an Authorization header (the scheme in upper or lower case).
 * *bytes points into `value`. False when it has another form. Pure. */
bool token_find(const char *value, const char **bytes, size_t *len);

#endif
