/* Keys of rows as bytes: the values of the `by` fields, escaped, with a separator between. See
 * read.h. */
#include "reports/read.h"

#include <string.h>

static bool is_plain(char byte) {
    return (unsigned char)byte >= ' ' && byte != 0x7f && byte != '%';
}

size_t report_key_escape(const char *text, size_t len, char *out, size_t cap) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const bool plain = is_plain(text[i]) && (i > 0 || text[i] != '(');
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

size_t report_key_number(int64_t number, unsigned decimals, char *out, size_t cap) {
    char text[32]; /* from its end on */
    char *at = text + sizeof text;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    for (unsigned digits = 0; digits <= decimals || left > 0; digits++, left /= 10) {
        if (digits == decimals && decimals > 0)
            *--at = '.';
        *--at = (char)('0' + left % 10);
    }
    if (number < 0)
        *--at = '-';
    const size_t len = (size_t)(text + sizeof text - at);
    if (len > cap)
        return REPORT_KEY_FULL;
    memcpy(out, at, len);
    return len;
}

static unsigned digit_value(char digit) {
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

static bool is_digit(char digit) {
    return (digit >= '0' && digit <= '9') || (digit >= 'A' && digit <= 'F');
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
