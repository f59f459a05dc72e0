#include "view/text.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 1024

char *text_room(struct text *text, size_t n) {
    if (text->failed) {
        return NULL;
    }
    if (text->cap - text->len < n) {
        size_t cap = text->cap > 0 ? text->cap : CAP_MIN;
        while (cap - text->len < n) {
            cap *= 2;
        }
        char *bytes = realloc(text->bytes, cap);
        if (!bytes) {
            text->failed = true;
            return NULL;
        }
        text->bytes = bytes;
        text->cap = cap;
    }
    return text->bytes + text->len;
}

void text_add(struct text *text, const char *bytes, size_t len) {
    char *at = text_room(text, len);
    if (at && len > 0) {
        memcpy(at, bytes, len);
        text->len += len;
    }
}

void text_add_string(struct text *text, const char *string) {
    text_add(text, string, strlen(string));
}

void text_free(struct text *text) {
    free(text->bytes);
    *text = (struct text){0};
}

static void add_byte(struct text *text, char byte) {
    text_add(text, &byte, 1);
}

/* \x1b */
static void add_escape(struct text *text, char byte) {
    static const char digit[] = "0123456789abcdef";
    const unsigned char c = (unsigned char)byte;
    const char escape[] = {'\\', 'x', digit[c >> 4], digit[c & 0xf]};
    text_add(text, escape, sizeof escape);
}

/* ---- on a line ---- */

static bool is_plain(const char *value, size_t len) {
    if (len == 0 || value[0] == '(' || value[0] == '[' || (len == 1 && value[0] == '-')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] > '~' || strchr("\"\\,=]", value[i])) {
            return false;
        }
    }
    return true;
}

void text_add_plain(struct text *text, const char *value, size_t len) {
    if (is_plain(value, len)) {
        text_add(text, value, len);
        return;
    }
    add_byte(text, '"');
    for (size_t i = 0; i < len; i++) {
        const char c = value[i];
        if (c < ' ' || c > '~') {
            add_escape(text, c);
        } else {
            if (c == '"' || c == '\\') {
                add_byte(text, '\\');
            }
            add_byte(text, c);
        }
    }
    add_byte(text, '"');
}

/* ---- in a cell, in JSON ---- */

/* Whether the backslash at value[i] would read as an escape. */
static bool reads_as_escape(const char *value, size_t len, size_t i) {
    return value[i] == '\\' && i + 1 < len && value[i + 1] == 'x';
}

static void add_characters(struct text *text, const char *value, size_t len) {
    for (size_t i = 0; i < len;) {
        const char c = value[i];
        const size_t n = utf8_printable(value + i, len - i);
        const bool line = c == '\n' || c == '\r' || c == '\t';
        if (reads_as_escape(value, len, i) || (n == 0 && !line)) {
            add_escape(text, c);
            i++;
            continue;
        }
        if (c == '"') {
            add_byte(text, '"');
        }
        text_add(text, value + i, line ? 1 : n);
        i += line ? 1 : n;
    }
}

void text_add_cell(struct text *text, const char *value, size_t len) {
    bool quoted = len > 0 && (value[0] == ' ' || value[len - 1] == ' ');
    for (size_t i = 0; i < len && !quoted; i++) {
        quoted = value[i] != '\0' && strchr("\",\r\n", value[i]) != NULL;
    }
    if (quoted) {
        add_byte(text, '"');
    }
    add_characters(text, value, len);
    if (quoted) {
        add_byte(text, '"');
    }
}

size_t text_unescape_cell(char *value, size_t len) {
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        const bool escape = reads_as_escape(value, len, i) && i + 3 < len;
        const char *high = escape ? memchr(digits, value[i + 2], sizeof digits - 1) : NULL;
        const char *low = escape ? memchr(digits, value[i + 3], sizeof digits - 1) : NULL;
        if (high && low) {
            value[used++] = (char)((high - digits) << 4 | (low - digits));
            i += 3;
        } else {
            value[used++] = value[i];
        }
    }
    return used;
}

/* Adds a control character of ASCII or Unicode as JSON escapes it. Returns its number of bytes, or
 * 0 when it is none. */
static size_t add_json_control(struct text *text, const char *value, size_t len) {
    const unsigned char c = (unsigned char)value[0];
    const bool c1 =
        c == 0xc2 && len > 1 && (unsigned char)value[1] >= 0x80 && (unsigned char)value[1] < 0xa0;
    if (c >= 0x20 && c != 0x7f && !c1) {
        return 0;
    }
    static const char digit[] = "0123456789abcdef";
    const unsigned char code = c1 ? (unsigned char)value[1] : c;
    const char escape[] = {'\\', 'u', '0', '0', digit[code >> 4], digit[code & 0xf]};
    text_add(text, escape, sizeof escape);
    return c1 ? 2 : 1;
}

void text_add_json(struct text *text, const char *value, size_t len) {
    add_byte(text, '"');
    for (size_t i = 0; i < len;) {
        const size_t control = add_json_control(text, value + i, len - i);
        if (control > 0) {
            i += control;
            continue;
        }
        const size_t n = utf8_printable(value + i, len - i);
        if (n == 0 || reads_as_escape(value, len, i)) {
            add_byte(text, '\\');
            add_escape(text, value[i]);
            i++;
            continue;
        }
        if (value[i] == '"' || value[i] == '\\') {
            add_byte(text, '\\');
        }
        text_add(text, value + i, n);
        i += n;
    }
    add_byte(text, '"');
}

/* How many digits the value begins with. */
static size_t count_digits(const char *value, size_t len) {
    size_t n = 0;
    while (n < len && value[n] >= '0' && value[n] <= '9') {
        n++;
    }
    return n;
}

static bool is_json_number(const char *value, size_t len) {
    const size_t sign = len > 0 && value[0] == '-';
    const char *whole = value + sign;
    const size_t digits = count_digits(whole, len - sign);
    size_t used = sign + digits;
    if (digits == 0 || (digits > 1 && whole[0] == '0')) {
        return false;
    }
    if (used < len && value[used] == '.') {
        const size_t behind = count_digits(value + used + 1, len - used - 1);
        used += 1 + behind;
        if (behind == 0) {
            return false;
        }
    }
    static const char most[] = "9007199254740991"; /* 2^53 - 1 */
    return used == len && (digits < sizeof most - 1 ||
                           (digits == sizeof most - 1 && memcmp(whole, most, digits) <= 0));
}

void text_add_json_number(struct text *text, const char *value, size_t len) {
    if (is_json_number(value, len)) {
        text_add(text, value, len);
    } else {
        text_add_json(text, value, len);
    }
}
