#define _GNU_SOURCE /* memmem */
#include "eventlog/parts.h"

#include "counters/time/window.h"

#include <string.h>

/* {"time":"2016-05-28T11:11:11.123456Z","lag_us":312 */
#define FRONT 28                    /* up to the second */
#define DIGITS_AT (FRONT + 1)       /* six digits */
#define LAG_AT (DIGITS_AT + 6 + 12) /* Z","lag_us": */

/* ---- the times ---- */

/* Six digits as a number; -1: not all are digits. */
static inline int64_t read_six(const char *text) {
    uint64_t eight;
    memcpy(&eight, text - 2, sizeof eight); /* two bytes too early; these count as zeros */
    eight = (eight & ~UINT64_C(0xffff)) | UINT64_C(0x3030);
    const uint64_t high = eight & UINT64_C(0xf0f0f0f0f0f0f0f0);
    const uint64_t above = (eight + UINT64_C(0x0606060606060606)) & UINT64_C(0xf0f0f0f0f0f0f0f0);
    if (high != UINT64_C(0x3030303030303030) || above != high) {
        return -1;
    }
    eight &= UINT64_C(0x0f0f0f0f0f0f0f0f); /* pairs, fours, eight: the first byte is the highest */
    eight = (eight * 10 + (eight >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    eight = (eight * 100 + (eight >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (int64_t)((eight * 10000 + (eight >> 32)) & UINT64_C(0xffffffff));
}

/* Reads the lag after the times; returns where it ends. */
static inline size_t read_lag(const char *text, size_t len, size_t at, int64_t *lag_us) {
    const bool negative = at < len && text[at] == '-';
    int64_t lag = 0;
    for (at += negative; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
        lag = lag < INT64_MAX / 10 - 9 ? lag * 10 + (text[at] - '0') : lag;
    }
    *lag_us = negative ? -lag : lag;
    return at;
}

/* Reads a line whose second is that of the line before. */
static inline bool scan_known(const struct line_reader *reader, const char *text, size_t len,
                              struct line_found *found) {
    if (len < LAG_AT + 2 || !reader->known || memcmp(text, reader->front, 16) != 0 ||
        memcmp(text + 16, reader->front + 16, FRONT - 16) != 0 || /* two parts, to avoid a call */
        text[FRONT] != '.' || memcmp(text + DIGITS_AT + 6, "Z\",\"lag_us\":", 12) != 0) {
        return false;
    }
    const int64_t us = read_six(text + DIGITS_AT);
    found->time_us = reader->second_us + us;
    found->at = read_lag(text, len, LAG_AT, &found->lag_us);
    return us >= 0 && found->at < len && (text[found->at] == '}' || text[found->at] == ',');
}

static bool begins(const char *text, size_t len, const char *with) {
    return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static bool scan_any(struct line_reader *reader, const char *text, size_t len,
                     struct line_found *found) {
    struct line_info info;
    const char *end = memchr(text, '\n', len);
    const size_t line_len = end ? (size_t)(end - text) : len;
    found->lag_us = 0;
    if (!line_read(text, line_len, &info)) {
        return false;
    }
    found->time_us = info.time_us;
    if (!begins(text, len, "{\"time\"")) { /* an arrival: 3 bytes longer, no lag */
        found->at = FRONT + 3 + 1 + 6 + 2;
        return true;
    }
    found->at = read_lag(text, line_len, LAG_AT, &found->lag_us);
    const int64_t us = read_six(text + DIGITS_AT);
    reader->known = us >= 0;
    reader->second_us = info.time_us - us;
    memcpy(reader->front, text, FRONT);
    return true;
}

static void find_refused(const char *text, size_t len, struct line_found *found) {
    static const char refused[] = ",\"refused\":\"";
    const size_t at = found->at + sizeof refused - 1;
    if (found->at < len && begins(text + found->at, len - found->at, refused)) {
        const char *end = memchr(text + at, '"', len - at);
        found->kind = LINE_REFUSED;
        found->refused = (struct line_text){text + at, end ? (size_t)(end - text) - at : 0};
    }
}

void line_scan(struct line_reader *reader, const char *text, size_t len, struct line_found *found) {
    found->kind = LINE_EVENT;
    const bool known = scan_known(reader, text, len, found);
    if (known && text[found->at] == '}' && found->at + 1 < len && text[found->at + 1] == '\n') {
        found->kind = LINE_TIME;
        found->len = found->at + 2;
        return;
    }
    if (!known && !scan_any(reader, text, len, found)) {
        found->kind = LINE_WRONG;
    }
    const size_t from = found->kind == LINE_WRONG ? 0 : found->at;
    const char *end = from < len ? memchr(text + from, '\n', len - from) : NULL;
    found->len = end ? (size_t)(end - text) + 1 : len;
    if (found->kind == LINE_WRONG) {
        return;
    }
    if (text[found->at] == '}') {
        found->kind = LINE_TIME;
    } else {
        find_refused(text, found->len, found);
    }
}

bool line_scan_object(const struct line_reader *reader, const char *text, size_t len,
                      struct line_found *found) {
    static const char json[] = ",\"json\":";
    const size_t name = sizeof json - 1;
    if (!scan_known(reader, text, len, found) || len - found->at <= name ||
        memcmp(text + found->at, json, name) != 0) {
        return false;
    }
    found->kind = LINE_EVENT;
    found->at += name;
    return true;
}

/* ---- what follows them ---- */

struct part_reader {
    const char *text;
    size_t len, at;
    char *room;
};

static unsigned read_hex(const char *text) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        const char c = text[i];
        const char zero = c <= '9' ? '0' : (char)('a' - 10);
        value = value << 4 | ((unsigned)(c - zero) & 15);
    }
    return value;
}

/* Undoes the escapes of line_write, up to the quote; false: there is none. */
static bool decode(struct part_reader *reader, struct line_text *value) {
    char *to = reader->room;
    value->text = to;
    while (reader->at < reader->len && reader->text[reader->at] != '"') {
        const char *from = reader->text + reader->at;
        const size_t left = reader->len - reader->at;
        if (*from != '\\') {
            *to++ = *from;
            reader->at++;
        } else if (left >= 6 && from[1] == 'u') {
            *to++ = (char)(unsigned char)read_hex(from + 2); /* U+DC00 + byte, or a low character */
            reader->at += 6;
        } else if (left >= 2) {
            *to++ = from[1];
            reader->at += 2;
        } else {
            return false;
        }
    }
    value->len = (size_t)(to - value->text);
    reader->room = to;
    return reader->at++ < reader->len;
}

/* Reads from after the opening quote to after the closing one. */
static bool read_string(struct part_reader *reader, struct line_text *value) {
    const char *from = reader->text + reader->at;
    const size_t left = reader->len - reader->at;
    const char *end = memchr(from, '"', left);
    if (!end) {
        return false;
    }
    if (memchr(from, '\\', (size_t)(end - from))) {
        return decode(reader, value);
    }
    *value = (struct line_text){from, (size_t)(end - from)};
    reader->at += value->len + 1;
    return true;
}

#define take(reader, with) take_bytes(reader, with, sizeof(with) - 1)

static inline bool take_bytes(struct part_reader *reader, const char *with, size_t len) {
    if (reader->len - reader->at < len || memcmp(reader->text + reader->at, with, len) != 0) {
        return false;
    }
    reader->at += len;
    return true;
}

/* Finds the end of the object at `at` by its braces outside of strings. */
static size_t find_object_end(const char *text, size_t len, size_t at) {
    unsigned depth = 0;
    bool quoted = false;
    for (; at < len; at++) {
        const char c = text[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return len;
}

/* Reads an object, which is verbatim. Only headers can follow one. */
static bool read_object(struct part_reader *reader, struct line_text *value) {
    static const char header[] = ",\"header\":{";
    const char *const from = reader->text + reader->at;
    size_t to = reader->len - 1; /* the line's own brace */
    if (reader->at >= to) {
        return false;
    }
    if (memmem(from, to - reader->at, header, sizeof header - 1)) {
        to = find_object_end(reader->text, to, reader->at);
    }
    *value = (struct line_text){from, to - reader->at};
    reader->at = to;
    return true;
}

static bool read_headers(struct part_reader *reader, struct line_parts *parts) {
    for (bool more = take(reader, "{"); more; more = take(reader, ",")) {
        struct line_part_header header;
        if (!take(reader, "\"") || !read_string(reader, &header.name) || !take(reader, ":\"") ||
            !read_string(reader, &header.value)) {
            return false;
        }
        if (parts->headers < LINE_HEADERS_MAX) {
            parts->header[parts->headers++] = header;
        }
    }
    return take(reader, "}");
}

/* Reads a member after the times, recognized by the first letter of its name; skips what is not
 * needed. */
static bool read_member(struct part_reader *reader, struct line_parts *parts) {
    struct line_text passed;
    switch (reader->at + 2 < reader->len ? reader->text[reader->at + 2] : 0) {
    case 'j':
        return take(reader, ",\"json\":") && read_object(reader, &parts->json);
    case 'f':
        return take(reader, ",\"form\":\"") && read_string(reader, &parts->form);
    case 'l':
        return take(reader, ",\"line\":\"") && read_string(reader, &parts->line);
    case 'q':
        return take(reader, ",\"query\":\"") && read_string(reader, &parts->query);
    case 'h':
        return take(reader, ",\"header\":") && read_headers(reader, parts);
    case 'c':
        return take(reader, ",\"carried\":\"") && read_string(reader, &passed);
    case 'r':
        return take(reader, ",\"refused\":\"") && read_string(reader, &passed);
    case 't':
        return take(reader, ",\"text\":\"") && read_string(reader, &passed);
    case 'w':
        return take(reader, ",\"why\":\"") && read_string(reader, &passed);
    default:
        return false;
    }
}

bool line_read_parts(const char *text, size_t len, size_t at, char *room,
                     struct line_parts *parts) {
    struct part_reader reader = {text, len - (len > 0 && text[len - 1] == '\n'), at, room};
    parts->query = parts->form = parts->json = parts->line = (struct line_text){NULL, 0};
    parts->headers = 0;
    while (reader.at < reader.len && text[reader.at] == ',') {
        if (!read_member(&reader, parts)) {
            return false;
        }
    }
    return reader.at + 1 == reader.len && text[reader.at] == '}';
}
