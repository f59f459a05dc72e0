/* The escapes of JSON's strings, which quoted values on lines have as well. Pure; any thread. */
#ifndef AFORO_INGEST_ESCAPE_H
#define AFORO_INGEST_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* What a letter behind a backslash means; 0: it is none of these. */
extern const char escape_letters[];

/* The same as escape_read for what is none of the letters. */
size_t escape_read_unicode(const char *text, size_t len, char out[4], size_t *bytes);

/* Reads the escape that text[0..len) begins with, its backslash included: \" \\ \/ \b \f \n \r \t
 * \uXXXX, two of which make one character where the first is the upper half of a pair. Its bytes
 * (of UTF-8) go to out, their number to *bytes. Returns how long the escape is; 0 when it is none:
 * half a pair alone is none. */
static inline size_t escape_read(const char *text, size_t len, char out[4], size_t *bytes) {
    if (len < 2 || escape_letters[(unsigned char)text[1]] == '\0') {
        return escape_read_unicode(text, len, out, bytes);
    }
    out[0] = escape_letters[(unsigned char)text[1]];
    *bytes = 1;
    return 2;
}

/* Decodes text[0..len), whose escapes were read before and are right, into out[cap]. Returns the
 * length of the result; more than cap when it does not fit. */
size_t escape_decode(const char *text, size_t len, char *out, size_t cap);

#endif
