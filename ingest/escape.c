#include "ingest/escape.h"

#include <stdint.h>
#include <string.h>

#define UNICODE_LEN 6 /* \uXXXX */

static int read_hex(char byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    const char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The number of \uXXXX, or -1. */
static int read_unit(const char *text, size_t len) {
    if (len < UNICODE_LEN || text[0] != '\\' || text[1] != 'u') {
        return -1;
    }
    int unit = 0;
    for (int i = 2; i < UNICODE_LEN; i++) {
        const int digit = read_hex(text[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
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

static size_t read_unicode(const char *text, size_t len, char out[4], size_t *bytes) {
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

size_t escape_read(const char *text, size_t len, char out[4], size_t *bytes) {
    static const char letters[] = "\"\\/bfnrt", decoded[] = "\"\\/\b\f\n\r\t";
    if (len < 2 || text[1] == '\0') {
        return 0;
    }
    if (text[1] == 'u') {
        return read_unicode(text, len, out, bytes);
    }
    const char *letter = strchr(letters, text[1]);
    if (letter == NULL) {
        return 0;
    }
    out[0] = decoded[letter - letters];
    *bytes = 1;
    return 2;
}

size_t escape_decode(const char *text, size_t len, char *out, size_t cap) {
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        char character[4] = {text[at]};
        size_t bytes = 1, used = 1;
        if (text[at] == '\\') {
            used = escape_read(text + at, len - at, character, &bytes);
        }
        if (used == 0 || bytes > cap - n) {
            return cap + 1;
        }
        memcpy(out + n, character, bytes);
        n += bytes;
        at += used;
    }
    return n;
}
