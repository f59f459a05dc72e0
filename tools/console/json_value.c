/* See json_value.h. Bounded in depth, and never reads past the NUL. */
#include "tools/console/json_value.h"

#include <string.h>

#define NAME_MAX_BYTES 64
#define DEPTH_MAX 16

static const char *skip_blanks(const char *at) {
    return at + strspn(at, " \t\r\n");
}

/* Reads a string, from its first quote on, into out (NULL: skipped; cut to cap). Returns what
 * follows it, or NULL. */
static const char *read_string(const char *at, char *out, size_t cap) {
    static const char escaped[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t used = 0;
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        char c = *at;
        if (c == '\0')
            return NULL;
        if (c == '\\' && at[1] != '\0' && strchr(escaped, at[1]) != NULL)
            c = meant[strchr(escaped, *++at) - escaped];
        if (out != NULL && used + 1 < cap)
            out[used++] = c;
    }
    if (out != NULL)
        out[used] = '\0';
    return at + 1;
}

/* Reads a number or a word. */
static const char *read_plain(const char *at, char *out, size_t cap) {
    const size_t len = strcspn(at, ",]} \t\r\n\"[{");
    if (out != NULL) {
        const size_t n = len < cap ? len : cap - 1;
        memcpy(out, at, n);
        out[n] = '\0';
    }
    return len > 0 ? at + len : NULL;
}

/* Skips any value, by counting brackets outside of strings. */
static const char *skip_value(const char *at) {
    unsigned depth = 0;
    do {
        at = skip_blanks(at);
        if (*at == '{' || *at == '[')
            depth++;
        if (depth > DEPTH_MAX || *at == '\0')
            return NULL;
        if (*at == '}' || *at == ']') {
            if (depth == 0)
                return NULL;
            depth--;
            at++;
        } else if (*at == '{' || *at == '[' || ((*at == ',' || *at == ':') && depth > 0)) {
            at++;
        } else {
            at = *at == '"' ? read_string(at, NULL, 0) : read_plain(at, NULL, 0);
        }
    } while (at != NULL && depth > 0);
    return at;
}

/* The value of the member `name` (`len` bytes) of the object at `at`; NULL when there is none. */
static const char *find_member(const char *at, const char *name, size_t len) {
    char found[NAME_MAX_BYTES];
    if (*at != '{')
        return NULL;
    do {
        at = read_string(skip_blanks(at + 1), found, sizeof found);
        if (at == NULL || *(at = skip_blanks(at)) != ':')
            return NULL;
        at = skip_blanks(at + 1);
        if (strlen(found) == len && memcmp(found, name, len) == 0)
            return at;
        at = skip_value(at);
        at = at != NULL ? skip_blanks(at) : NULL;
    } while (at != NULL && *at == ',');
    return NULL;
}

bool json_value(const char *text, const char *path, char *out, size_t cap) {
    const char *at = skip_blanks(text);
    out[0] = '\0';
    for (;;) {
        const size_t len = strcspn(path, ".");
        at = find_member(at, path, len);
        if (at == NULL || path[len] == '\0')
            break;
        path += len + 1;
    }
    if (at == NULL || *at == '{' || *at == '[')
        return false;
    const bool found = (*at == '"' ? read_string(at, out, cap) : read_plain(at, out, cap)) != NULL;
    if (!found)
        out[0] = '\0';
    return found;
}
