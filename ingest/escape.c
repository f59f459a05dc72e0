#include "ingest/escape.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#define UNICODE_LEN 6 /* \uXXXX */

const char escape_letters[UCHAR_MAX + 1] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

/* The value of a hexadecimal digit, plus a bit that marks it as one. */
#define HEX 0x10
static const unsigned char hex[UCHAR_MAX + 1] = {
    ['0'] = HEX,      ['1'] = HEX | 1,  ['2'] = HEX | 2,  ['3'] = HEX | 3,  ['4'] = HEX | 4,
    ['5'] = HEX | 5,  ['6'] = HEX | 6,  ['7'] = HEX | 7,  ['8'] = HEX | 8,  ['9'] = HEX | 9,
    ['a'] = HEX | 10, ['b'] = HEX | 11, ['c'] = HEX | 12, ['d'] = HEX | 13, ['e'] = HEX | 14,
    ['f'] = HEX | 15, ['A'] = HEX | 10, ['B'] = HEX | 11, ['C'] = HEX | 12, ['D'] = HEX | 13,
    ['E'] = HEX | 14, ['F'] = HEX | 15,
};

/* The code unit of \uXXXX, or -1. */
static int read_unit(const char *text, size_t len) {
    if (len < UNICODE_LEN || text[0] != '\\' || text[1] != 'u') {
        return -1;
    }
    const unsigned a = hex[(unsigned char)text[2]], b = hex[(unsigned char)text[3]];
    const unsigned c = hex[(unsigned char)text[4]], d = hex[(unsigned char)text[5]];
    return !(a & b & c & d & HEX)
               ? -1
               : (int)((a & 15) << 12 | (b & 15) << 8 | (c & 15) << 4 | (d & 15));
}

static size_t write_utf8(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t escape_read_unicode(const char *text, size_t len, char out[4], size_t *bytes) {
    const int unit = read_unit(text, len);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
        return 0;
    }
    if (unit < 0xd800 || unit > 0xdbff) {
        *bytes = write_utf8((uint32_t)unit, out);
        return UNICODE_LEN;
    }
    const int low = read_unit(text + UNICODE_LEN, len - UNICODE_LEN);
    if (low < 0xdc00 || low > 0xdfff) {
        return 0;
    }
    *bytes =
        write_utf8(0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00), out);
    return 2 * UNICODE_LEN;
}

size_t escape_decode(const char *text, size_t len, char *out, size_t cap) {
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        if (text[at] != '\\') {
            if (n == cap) {
                return cap + 1;
            }
            out[n++] = text[at++];
            continue;
        }
        char character[4] = {0};
        size_t bytes = 0;
        const size_t used = escape_read(text + at, len - at, character, &bytes);
        if (used == 0 || bytes > cap - n) {
            return cap + 1;
        }
        if (cap - n >= sizeof character) {
            memcpy(out + n, character, sizeof character); /* copy all four, however many count */
        } else {
            memcpy(out + n, character, bytes);
        }
        n += bytes;
        at += used;
    }
    return n;
}
