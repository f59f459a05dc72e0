/* Keys of rows as bytes: the values of the `by` fields, escaped and separated. See read.h. */
#include "reports/read.h"

#include <string.h>

static bool is_plain(char byte) {
    return (unsigned char)byte >= ' ' && byte != 0x7f && byte != '%';
}

/* Whether eight bytes need no escape: none is below 0x20, or one of the two others (Anderson, Bit
 * Twiddling Hacks: determine if a word has a zero byte, a byte less than n). */
static bool are_plain(uint64_t bytes) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    const uint64_t deletes = bytes ^ ones * 0x7f, percents = bytes ^ ones * '%';
    return (((bytes - ones * ' ') & ~bytes & highs) | ((deletes - ones) & ~deletes & highs) |
            ((percents - ones) & ~percents & highs)) == 0;
}

/* The first bytes of text[0..len), eight at most, padded with dots. */
static uint64_t load_bytes(const char *text, size_t len) {
    unsigned char bytes[8] = {'.', '.', '.', '.', '.', '.', '.', '.'};
    uint64_t loaded;
    if (len >= 8) {
        memcpy(bytes, text, 8);
    } else if (len >= 4) { /* two halves, possibly overlapping */
        memcpy(bytes, text, 4);
        memcpy(bytes + len - 4, text + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)text[i];
    }
    memcpy(&loaded, bytes, 8);
    return loaded;
}

/* Escapes the rest of a text byte by byte. */
static size_t escape_bytes(const char *text, size_t len, char *out, size_t cap) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const bool plain = is_plain(text[i]);
        if (cap - n < (plain ? 1 : 3))
            return REPORT_KEY_FULL;
        if (plain) {
            out[n++] = text[i];
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[(unsigned char)text[i] >> 4];
        out[n++] = digits[(unsigned char)text[i] & 15];
    }
    return n;
}

size_t report_key_escape(const char *text, size_t len, char *out, size_t cap) {
    size_t at = 0, n = 0;
    if (len > 0 && text[0] == '(') {
        if (cap < 3)
            return REPORT_KEY_FULL;
        memcpy(out, (const char[]){'%', '2', '8'}, 3);
        at = 1;
        n = 3;
    }
    while (at < len && cap - n >= 8) {
        const uint64_t bytes = load_bytes(text + at, len - at);
        if (!are_plain(bytes))
            break;
        memcpy(out + n, &bytes, 8);
        const size_t taken = len - at < 8 ? len - at : 8;
        at += taken;
        n += taken;
    }
    const size_t rest = escape_bytes(text + at, len - at, out + n, cap - n);
    return rest == REPORT_KEY_FULL ? rest : n + rest;
}

size_t report_key_number(int64_t number, unsigned decimals, char *out, size_t cap) {
    char text[64]; /* the number ends in the middle, so that copying 24 bytes stays inside */
    char *const end = text + sizeof text / 2, *at = end;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    for (unsigned i = 0; i < decimals; i++, left /= 10)
        *--at = (char)('0' + left % 10);
    if (decimals > 0)
        *--at = '.';
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        *--at = '-';
    const size_t len = (size_t)(end - at);
    if (len > cap)
        return REPORT_KEY_FULL;
    memcpy(out, at, cap >= 24 && len <= 24 ? 24 : len);
    return len;
}

static unsigned digit_value(char digit) {
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

static bool is_digit(char digit) {
    return (digit >= '0' && digit <= '9') || (digit >= 'A' && digit <= 'F');
}

bool report_key_is_other(const char *key, size_t key_len, unsigned i) {
    const size_t other_len = strlen(REPORT_OTHER);
    const char *const end = key + key_len;
    if (key_len == other_len && memcmp(key, REPORT_OTHER, other_len) == 0)
        return true;
    for (; i > 0 && key != NULL; i--) {
        key = memchr(key, REPORT_KEY_SEPARATOR, (size_t)(end - key));
        key = key != NULL ? key + 1 : NULL;
    }
    return key != NULL && (size_t)(end - key) >= other_len &&
           memcmp(key, REPORT_OTHER, other_len) == 0 &&
           (key + other_len == end || key[other_len] == REPORT_KEY_SEPARATOR);
}

size_t report_key_value(const char *key, size_t key_len, unsigned i, char *buf) {
    const char *const end = key + key_len;
    if (key_len == strlen(REPORT_OTHER) && memcmp(key, REPORT_OTHER, key_len) == 0)
        i = 0;
    for (; i > 0 && key != NULL; i--) {
        key = memchr(key, REPORT_KEY_SEPARATOR, (size_t)(end - key));
        key = key != NULL ? key + 1 : NULL;
    }
    size_t n = 0;
    while (key != NULL && key < end && *key != REPORT_KEY_SEPARATOR && n < FIELD_TEXT_MAX) {
        if (*key == '%' && end - key > 2 && is_digit(key[1]) && is_digit(key[2])) {
            buf[n++] = (char)(digit_value(key[1]) << 4 | digit_value(key[2]));
            key += 3;
        } else {
            buf[n++] = *key++;
        }
    }
    return n;
}
