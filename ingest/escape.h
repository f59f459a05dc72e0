/* Escapes in JSON strings, which quoted values on text lines share. Pure, any thread. */
#ifndef AFORO_INGEST_ESCAPE_H
#define AFORO_INGEST_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* What a letter after a backslash stands for; 0: it is none of these. */
extern const char escape_letters[];

/* escape_read for everything except single letters. */
size_t escape_read_unicode(const char *text, size_t len, char out[4], size_t *bytes);

/* Decodes the escape at the start of text[0..len), backslash included: \" \\ \/ \b \f \n \r \t
 * \uXXXX. Two \uXXXX form one character when they are a surrogate pair. Stores its UTF-8 bytes in
 * out and their number in *bytes. Returns the length of the escape; 0 when it is invalid, as a lone
 * surrogate is. */
static inline size_t escape_read(const char *text, size_t len, char out[4], size_t *bytes) {
    if (len < 2 || escape_letters[(unsigned char)text[1]] == '\0') {
        return escape_read_unicode(text, len, out, bytes);
    }
    out[0] = escape_letters[(unsigned char)text[1]];
    *bytes = 1;
    return 2;
}

/* Decodes text[0..len), whose escapes must have been checked, into out[cap]. Returns the length of
 * the result, which is more than cap when it does not fit. */
size_t escape_decode(const char *text, size_t len, char *out, size_t cap);

#endif
