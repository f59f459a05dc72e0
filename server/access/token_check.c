#include "server/access/token_check.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <strings.h>

bool token_check_bytes(const struct tokens *tokens, const char *bytes, size_t len) {
    if (len > TOKENS_BYTES_MAX) {
        return false; /* returning early reveals only the length that the client itself sent */
    }
    /* All comparisons are of the same size, padded with zeros, and all of them are made. */
    char padded[TOKENS_BYTES_MAX] = {0};
    memcpy(padded, bytes, len);
    unsigned found = 0;
    for (size_t i = 0; i < tokens_count(tokens); i++) {
        size_t known_len;
        const char *known = tokens_text(tokens, i, &known_len);
        const unsigned same = gnutls_memcmp(padded, known, sizeof padded) == 0;
        found |= same & (unsigned)(len == known_len);
    }
    return found != 0;
}

bool token_find(const char *value, const char **bytes, size_t *len) {
    static const char scheme[] = "Bearer";
    const size_t n = sizeof scheme - 1;
    if (strncasecmp(value, scheme, n) != 0 || value[n] != ' ') {
        return false;
    }
    value += n;
    value += strspn(value, " ");
    *bytes = value;
    *len = strlen(value);
    while (*len && strchr(" \t\r", value[*len - 1])) {
        (*len)--;
    }
    return *len > 0;
}

bool token_check_header(const struct tokens *tokens, const char *value) {
    const char *bytes;
    size_t len;
    return value && token_find(value, &bytes, &len) && token_check_bytes(tokens, bytes, len);
}
