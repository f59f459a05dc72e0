#include "eventlog/line.h"

#include "common/utf8.h"
#include "counters/time/civil.h"
#include "counters/time/window.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define TIME_DIGITS 27 /* 2016-05-28T11:11:11.123456Z */
#define HEAD_MAX 128   /* times and numbers */
#define ESCAPED_MAX 6  /* bytes for one escaped byte */
#define NAME_MAX 16    /* of a member, with quotes, colon and comma */

/* ---- writing ---- */

static char *put(char *to, const char *text, size_t len) {
    memcpy(to, text, len);
    return to + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

/* Writes two digits at a time, which halves the divisions. */
static void put_pair(char *to, unsigned value) {
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    memcpy(to, pairs + (size_t)2 * value, 2);
}

static char *put_four(char *to, unsigned value) {
    put_pair(to, value / 100 % 100); /* the last digits of a year with more digits or a sign */
    put_pair(to + 2, value % 100);
    return to + 4;
}

static char *put_two(char *to, unsigned value) {
    put_pair(to, value);
    return to + 2;
}

static char *put_number(char *to, int64_t number) {
    char digits[20];
    size_t n = sizeof digits;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    if (number < 0) {
        *to++ = '-';
    }
    for (; left >= 10; left /= 100) {
        put_pair(digits + (n -= 2), (unsigned)(left % 100));
    }
    if (left > 0 || n == sizeof digits) {
        digits[--n] = (char)('0' + left);
    }
    return put(to, digits + n, sizeof digits - n);
}

static void set_second(struct line_clock *clock, int64_t second) {
    struct civil civil;
    civil_from_us(second * US_PER_S, &civil);
    char *at = put_four(clock->text, (unsigned)civil.year);
    *at++ = '-';
    at = put_two(at, (unsigned)civil.month);
    *at++ = '-';
    at = put_two(at, (unsigned)civil.day);
    *at++ = 'T';
    at = put_two(at, (unsigned)civil.hour);
    *at++ = ':';
    at = put_two(at, (unsigned)civil.minute);
    *at++ = ':';
    at = put_two(at, (unsigned)civil.second);
    *at = '.';
    clock->second = second;
    clock->known = true;
}

static inline char *put_time(struct line_clock *clock, char *to, int64_t us) {
    int64_t second = us / US_PER_S;
    int64_t rest = us - second * US_PER_S;
    if (rest < 0) { /* before 1970 */
        second--;
        rest += US_PER_S;
    }
    if (__builtin_expect(!clock->known || clock->second != second, 0)) {
        set_second(clock, second);
    }
    to = put(to, clock->text, sizeof clock->text);
    to = put_two(to, (unsigned)rest / 10000);
    to = put_four(to, (unsigned)rest % 10000);
    *to++ = 'Z';
    return to;
}

size_t line_write_time(struct line_clock *clock, int64_t time_us, int64_t arrival_us, char *to) {
    char *at = PUT(to, "{\"time\":\"");
    at = put_time(clock, at, time_us);
    at = PUT(at, "\",\"lag_us\":");
    at = put_number(at, arrival_us - time_us);
    at = PUT(at, "}\n");
    return (size_t)(at - to);
}

static char *put_unit(char *to, unsigned unit) {
    static const char hex[] = "0123456789abcdef";
    to = PUT(to, "\\u");
    for (int shift = 12; shift >= 0; shift -= 4) {
        *to++ = hex[unit >> shift & 15];
    }
    return to;
}

/* Writes any bytes as a JSON string. A byte that is not UTF-8 becomes the lone surrogate U+DC00 +
 * byte (Python's surrogateescape), so that none is lost. */
static char *put_string(char *to, const struct line_text *text) {
    size_t valid = 0; /* text[0..valid) is known to be UTF-8 */
    *to++ = '"';
    for (size_t i = 0; i < text->len; i++) {
        const unsigned char c = (unsigned char)text->text[i];
        if (c >= 0x80 && i >= valid) {
            valid = i + utf8_length(text->text + i, text->len - i);
        }
        if (c >= 0x80 && i >= valid) {
            to = put_unit(to, 0xdc00u + c);
        } else if (c < 0x20 || c == 0x7f) {
            to = put_unit(to, c);
        } else {
            if (c == '"' || c == '\\') {
                *to++ = '\\';
            }
            *to++ = (char)c;
        }
    }
    *to++ = '"';
    return to;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

#ifdef __SSE2__
/* Copies sixteen bytes, and marks line ends with 0xff in `ends`. */
static inline __m128i copy_sixteen(char *to, const char *text, __m128i ends) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    _mm_storeu_si128((__m128i *)(void *)to, bytes);
    return _mm_or_si128(ends, _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')),
                                           _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'))));
}
#endif

/* Copies a text; returns whether it has a line end. */
static bool copy_text(char *to, const char *text, size_t len) {
#ifdef __SSE2__
    if (len >= 16) {
        __m128i ends = _mm_setzero_si128();
        for (size_t at = 0; at + 16 < len; at += 16) {
            ends = copy_sixteen(to + at, text + at, ends);
        }
        ends = copy_sixteen(to + len - 16, text + len - 16, ends); /* some of them again */
        return _mm_movemask_epi8(ends) != 0;
    }
#endif
    memcpy(to, text, len);
    return memchr(text, '\n', len) || memchr(text, '\r', len);
}

/* Writes an object as received, in one line: in an object that was read to its end, a line end is a
 * blank. */
static char *put_object(char *to, const struct line_text *json) {
    const char *from = json->text, *end = json->text + json->len;
    while (from < end && is_blank(*from)) {
        from++;
    }
    while (end > from && is_blank(end[-1])) {
        end--;
    }
    const size_t len = (size_t)(end - from);
    if (copy_text(to, from, len)) {
        for (size_t i = 0; i < len; i++) {
            to[i] = (char)(to[i] == '\n' || to[i] == '\r' ? ' ' : to[i]);
        }
    }
    return to + len;
}

static char *put_member(char *to, const char *name, const struct line_text *text) {
    if (text->text) {
        to = PUT(to, ",\"");
        to = put(to, name, strlen(name));
        to = PUT(to, "\":");
        to = put_string(to, text);
    }
    return to;
}

static char *put_words(char *to, const char *name, const char *words) {
    return words ? put_member(to, name, &(const struct line_text){words, strlen(words)}) : to;
}

static char *put_headers(char *to, const struct line_event *event) {
    if (event->headers == 0) {
        return to;
    }
    to = PUT(to, ",\"header\":");
    for (unsigned i = 0; i < event->headers; i++) {
        const char *name = event->header[i].name;
        *to++ = i > 0 ? ',' : '{';
        to = put_string(to, &(const struct line_text){name, strlen(name)});
        *to++ = ':';
        to = put_string(to, &event->header[i].value);
    }
    *to++ = '}';
    return to;
}

static char *put_times(struct line_clock *clock, const struct line_event *event, char *to) {
    if (!event->timed) {
        to = PUT(to, "{\"arrival\":\"");
        to = put_time(clock, to, event->arrival_us);
        return PUT(to, "\"");
    }
    to = PUT(to, "{\"time\":\"");
    to = put_time(clock, to, event->time_us);
    to = PUT(to, "\",\"lag_us\":");
    return put_number(to, event->arrival_us - event->time_us);
}

size_t line_write(struct line_clock *clock, const struct line_event *event, char *to) {
    char *at = put_times(clock, event, to);
    at = put_words(at, "refused", event->refused);
    at = put_words(at, "why", event->why);
    if (event->carries) {
        at = PUT(at, ",\"carried\":\"");
        at = put_time(clock, at, event->carried_us);
        *at++ = '"';
    }
    at = put_member(at, "query", &event->query);
    at = put_member(at, "form", &event->form);
    if (event->json.text) {
        at = PUT(at, ",\"json\":");
        at = put_object(at, &event->json);
    }
    at = put_member(at, "line", &event->line);
    at = put_member(at, "text", &event->text);
    at = put_headers(at, event);
    at = PUT(at, "}\n");
    return (size_t)(at - to);
}

size_t line_max(const struct line_event *event) {
    size_t bytes = HEAD_MAX + 8 * NAME_MAX + event->json.len;
    size_t strings = event->query.len + event->form.len + event->line.len + event->text.len;
    strings += event->refused ? strlen(event->refused) : 0;
    strings += event->why ? strlen(event->why) : 0;
    for (unsigned i = 0; i < event->headers; i++) {
        bytes += NAME_MAX;
        strings += strlen(event->header[i].name) + event->header[i].value.len;
    }
    return bytes + ESCAPED_MAX * strings;
}

/* ---- reading ---- */

static bool read_digits(const char *text, unsigned digits, int *value) {
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *value = *value * 10 + (text[i] - '0');
    }
    return true;
}

/* Reads TIME_DIGITS bytes. */
static bool read_time(const char *text, int64_t *us) {
    struct civil civil;
    if (!read_digits(text, 4, &civil.year) || text[4] != '-' ||
        !read_digits(text + 5, 2, &civil.month) || text[7] != '-' ||
        !read_digits(text + 8, 2, &civil.day) || text[10] != 'T' ||
        !read_digits(text + 11, 2, &civil.hour) || text[13] != ':' ||
        !read_digits(text + 14, 2, &civil.minute) || text[16] != ':' ||
        !read_digits(text + 17, 2, &civil.second) || text[19] != '.' ||
        !read_digits(text + 20, 6, &civil.us) || text[26] != 'Z') {
        return false;
    }
    if (civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > civil_days_in_month(civil.year, civil.month) || civil.hour > 23 ||
        civil.minute > 59 || civil.second > 59) {
        return false;
    }
    const int64_t days = civil_days_from_date(civil.year, civil.month, civil.day);
    const int seconds = (civil.hour * 60 + civil.minute) * 60 + civil.second;
    *us = (days * 86400 + seconds) * US_PER_S + civil.us;
    return true;
}

static bool begins(const char *text, size_t len, const char *with) {
    return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

bool line_read(const char *text, size_t len, struct line_info *info) {
    static const char time[] = "{\"time\":\"", arrival[] = "{\"arrival\":\"";
    static const char lag[] = "\",\"lag_us\":", refused[] = ",\"refused\":\"";
    const bool timed = begins(text, len, time);
    if (!timed && !begins(text, len, arrival)) {
        return false;
    }
    size_t at = timed ? sizeof time - 1 : sizeof arrival - 1;
    if (len - at < TIME_DIGITS || !read_time(text + at, &info->time_us)) {
        return false;
    }
    at += TIME_DIGITS;
    if (timed) {
        if (!begins(text + at, len - at, lag)) {
            return false;
        }
        at += sizeof lag - 1;
        at += at < len && text[at] == '-';
        while (at < len && text[at] >= '0' && text[at] <= '9') {
            at++;
        }
    } else if (at == len || text[at++] != '"') {
        return false;
    }
    info->refused = begins(text + at, len - at, refused);
    return timed ? info->refused || (at < len && (text[at] == '}' || text[at] == ','))
                 : info->refused;
}

#define HEAD_LEN 29 /* {"time":"2016-05-28T11:11:11. */

bool line_read_time(struct line_second *second, const char *text, size_t len, int64_t *us) {
    int rest;
    const bool timed = len > HEAD_LEN + 7 && read_digits(text + HEAD_LEN, 6, &rest);
    if (timed && second->known && text[HEAD_LEN + 6] == 'Z' &&
        memcmp(text, second->head, HEAD_LEN) == 0) {
        *us = second->us + rest;
        return true;
    }
    struct line_info info;
    if (!line_read(text, len, &info)) {
        return false;
    }
    *us = info.time_us;
    second->known = timed && begins(text, len, "{\"time\":");
    if (second->known) {
        memcpy(second->head, text, HEAD_LEN);
        second->us = *us - rest;
    }
    return true;
}

/* ---- texts of lines ---- */

uint64_t line_count(const char *text, size_t len) {
    uint64_t lines = 0;
    const char *const end = text + len;
    for (const char *at = text; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        lines++;
    }
    return lines;
}

size_t line_find_whole(const char *text, size_t len) {
    const char *zero = len > 0 ? memchr(text, 0, len) : NULL;
    size_t whole = zero ? (size_t)(zero - text) : len;
    while (whole > 0 && text[whole - 1] != '\n') {
        whole--;
    }
    return whole;
}
