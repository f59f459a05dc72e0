/* Percent-escapes as used in URLs and forms (RFC 3986, 2.1): "%2B" is '+'. Hex digits may be of
 * either case. Pure, any thread. */
#ifndef AFORO_COMMON_PERCENT_H
#define AFORO_COMMON_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* State of an escape that arrives byte by byte; all zeros: none has begun. */
struct percent {
    unsigned char left; /* digits still to come, 0..2 */
    unsigned char high; /* the first digit, once it has come */
};

enum percent_outcome {
    PERCENT_BROKEN, /* the byte is no digit; the escape is unchanged */
    PERCENT_MORE,   /* another digit is needed */
    PERCENT_DECODED /* *decoded is the byte that was escaped */
};

/* Starts an escape; call it after the '%'. */
static inline void percent_begin(struct percent *percent) {
    percent->left = 2;
}

/* Reads one byte of an escape; `left` must not be 0. */
enum percent_outcome percent_read(struct percent *percent, char byte, char *decoded);

/* Decodes text[0..len) into out[cap] and NUL-terminates it. False when an escape is broken, when a
 * decoded byte is NUL, or when the result does not fit. */
bool percent_decode(const char *text, size_t len, char *out, size_t cap);

#endif
