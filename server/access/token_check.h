/* Whether a client has one of the tokens (common/tokens.h). Any thread. */
#ifndef AFORO_SERVER_ACCESS_TOKEN_CHECK_H
#define AFORO_SERVER_ACCESS_TOKEN_CHECK_H

#include "common/tokens.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the value of an Authorization header names one of the tokens. NULL value: no. */
bool token_check_header(const struct tokens *tokens, const char *value);

/* Whether one of the tokens is these bytes. The time it takes depends on how many tokens there are,
 * and on nothing of their content. */
bool token_check_bytes(const struct tokens *tokens, const char *bytes, size_t len);

/* "Bearer X" (the value of an Authorization header; the scheme in any case) -> where X is; false
 * when it is something else. Pure. */
bool token_find(const char *value, const char **bytes, size_t *len);

#endif
