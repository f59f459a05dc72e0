/* Percent-escapes, as of URLs and forms (RFC 3986, 2.1): "%2B" is '+'. Digits in either case. Pure;
 * any thread. */
#ifndef AFORO_COMMON_PERCENT_H
#define AFORO_COMMON_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* An escape that comes byte by byte; all zeros: there is none under way. */
struct percent {
    unsigned char left; /* digits still to come, 0..2 */
    unsigned char high; /* the first digit, once it has come */
};

enum percent_outcome {
    PERCENT_BROKEN, /* the byte is no digit; the escape is as it was before */
    PERCENT_MORE,   /* another digit is needed */
    PERCENT_DECODED /* *decoded is the byte that was escaped */
};

/* Begins an escape, after its '%'. */
static inline void percent_begin(struct percent *percent) {
    percent->left = 2;
}

/* Reads a byte after the '%', while digits are still to come. */
enum percent_outcome percent_read(struct percent *percent, char byte, char *decoded);

/* Decodes text[0..len) into out[cap], NUL-terminated. False when an escape is broken, a NUL is
 * among the decoded bytes, or they do not fit. */
bool percent_decode(const char *text, size_t len, char *out, size_t cap);

#endif
