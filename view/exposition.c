#include "view/exposition.h"

#include "common/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define US_DECIMALS 6
#define NUMBER_MAX 48
#define FNV_BASIS UINT32_C(0x811c9dc5)
#define FNV_PRIME UINT32_C(0x01000193)
#define TOTAL "_total"
#define INFO "_info"

/* ---- which format ---- */

/* What a media range of Accept means to us. */
struct range {
    bool openmetrics, text;
    int quality; /* thousandths */
};

/* "0.75" -> 750; anything that is not such a number is 1000. */
static int read_quality(const char *text, size_t len) {
    int value = 0, scale = 1000;
    if (len == 0 || len > 5 || (text[0] != '0' && text[0] != '1') || (len > 1 && text[1] != '.')) {
        return 1000;
    }
    value = (text[0] - '0') * scale;
    for (size_t i = 2; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        scale /= 10;
        value += (text[i] - '0') * scale;
    }
    return value > 1000 ? 1000 : value;
}

static size_t trim(const char **text, size_t len) {
    while (len > 0 && (**text == ' ' || **text == '\t')) {
        ++*text;
        len--;
    }
    while (len > 0 && ((*text)[len - 1] == ' ' || (*text)[len - 1] == '\t')) {
        len--;
    }
    return len;
}

static bool is_word(const char *text, size_t len, const char *word) {
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Reads one range, "type/subtype;version=1.0.0;q=0.5", without its comma. */
static struct range read_range(const char *text, size_t len) {
    struct range range = {.quality = 1000};
    for (bool first = true; len > 0 || first; first = false) {
        const char *part = text;
        const size_t all = len;
        size_t n = 0;
        while (n < all && text[n] != ';') {
            n++;
        }
        text += n < all ? n + 1 : n;
        len -= n < all ? n + 1 : n;
        n = trim(&part, n);
        if (first) {
            range.openmetrics = is_word(part, n, "application/openmetrics-text");
            range.text = is_word(part, n, "text/plain") || is_word(part, n, "text/*") ||
                         is_word(part, n, "*/*");
        } else if (n > 2 && strncasecmp(part, "q=", 2) == 0) {
            range.quality = read_quality(part + 2, n - 2);
        } else if (n > 8 && strncasecmp(part, "version=", 8) == 0) {
            range.openmetrics = range.openmetrics && is_word(part + 8, n - 8, "1.0.0");
        }
    }
    return range;
}

enum exposition_format exposition_choose(const char *accept) {
    int openmetrics = 0, text = 0;
    while (accept && *accept) {
        const size_t len = strcspn(accept, ",");
        const struct range range = read_range(accept, len);
        if (range.openmetrics && range.quality > openmetrics) {
            openmetrics = range.quality;
        }
        if (range.text && range.quality > text) {
            text = range.quality;
        }
        accept += len + (accept[len] == ',');
    }
    return openmetrics > 0 && openmetrics >= text ? EXPOSITION_OPENMETRICS : EXPOSITION_PROMETHEUS;
}

const char *exposition_type(enum exposition_format format) {
    return format == EXPOSITION_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- families ---- */

static bool is_openmetrics(const struct exposition *exposition) {
    return exposition->format == EXPOSITION_OPENMETRICS;
}

/* How much of a name is the family's: in OpenMetrics, only samples have the suffix of the kind. */
static int family_len(const struct exposition *exposition) {
    const size_t len = strlen(exposition->family);
    const char *end = exposition->kind == EXPOSITION_COUNTER ? TOTAL
                      : exposition->kind == EXPOSITION_INFO  ? INFO
                                                             : "";
    const size_t end_len = strlen(end);
    const bool ends = len > end_len && strcmp(exposition->family + len - end_len, end) == 0;
    return (int)(is_openmetrics(exposition) && ends ? len - end_len : len);
}

static const char *kind_name(const struct exposition *exposition) {
    switch (exposition->kind) {
    case EXPOSITION_COUNTER:
        return "counter";
    case EXPOSITION_HISTOGRAM:
        return "histogram";
    case EXPOSITION_INFO:
        return is_openmetrics(exposition) ? "info" : "gauge";
    default:
        return "gauge";
    }
}

__attribute__((format(printf, 2, 3))) static void add(struct exposition *exposition,
                                                      const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_add(&exposition->text, line,
             len < 0                     ? 0
             : (size_t)len < sizeof line ? (size_t)len
                                         : sizeof line - 1);
}

void exposition_family(struct exposition *exposition, const char *name, enum exposition_kind kind,
                       const char *help) {
    exposition->family = name;
    exposition->kind = kind;
    const int len = family_len(exposition);
    const char first = *help >= 'a' && *help <= 'z' ? (char)(*help - 'a' + 'A') : *help;
    add(exposition, "# HELP %.*s %c%s.\n# TYPE %.*s %s\n", len, name, first, help + 1, len, name,
        kind_name(exposition));
}

/* ---- labels ---- */

/* How many bytes of a long value are shown. */
static size_t shown_bytes(const char *value, size_t len) {
    size_t n = len;
    if (len > EXPOSITION_LABEL_MAX) {
        n = EXPOSITION_LABEL_MAX;
        while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80) {
            n--; /* do not split a character */
        }
    }
    return n;
}

/* Adds a hash of what is cut off, so that two long values with the same beginning stay distinct. */
static void add_cut(struct exposition *exposition, const char *value, size_t len) {
    uint32_t hash = FNV_BASIS;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)value[i]) * FNV_PRIME;
    }
    add(exposition, "...%08" PRIx32, hash);
}

/* Control characters and bytes that are not UTF-8 become \xNN, as in csv, so that no value ends its
 * line or reaches a terminal as a command. */
static void add_value(struct exposition *exposition, const char *value) {
    struct text *text = &exposition->text;
    const size_t len = strlen(value), shown = shown_bytes(value, len);
    for (size_t i = 0; i < shown;) {
        const size_t n = utf8_printable(value + i, shown - i);
        if (n == 0) {
            add(exposition, "\\\\x%02x", (unsigned)(unsigned char)value[i]);
        } else if (value[i] == '"' || value[i] == '\\') {
            const char escaped[] = {'\\', value[i]};
            text_add(text, escaped, sizeof escaped);
        } else {
            text_add(text, value + i, n);
        }
        i += n > 0 ? n : 1;
    }
    if (shown < len) {
        add_cut(exposition, value, len);
    }
}

/* Adds {a="b",c="d"}; `bound` is the value of `le`, or NULL. */
static void add_labels(struct exposition *exposition, struct exposition_labels labels,
                       const char *bound) {
    if (labels.n == 0 && !bound) {
        return;
    }
    for (size_t i = 0; i < labels.n; i++) {
        add(exposition, "%c%s=\"", i > 0 ? ',' : '{', labels.label[i].name);
        add_value(exposition, labels.label[i].value);
        text_add(&exposition->text, "\"", 1);
    }
    if (bound) {
        add(exposition, "%cle=\"%s\"", labels.n > 0 ? ',' : '{', bound);
    }
    text_add(&exposition->text, "}", 1);
}

/* ---- samples ---- */

/* 1500, 3 -> "1.5": all digits, no exponent, no trailing zero in a fraction. */
static const char *write_number(int64_t value, unsigned decimals, char text[NUMBER_MAX]) {
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals; i++) {
        scale *= 10;
    }
    const uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int len = snprintf(text, NUMBER_MAX, "%s%" PRIu64 ".%0*" PRIu64, value < 0 ? "-" : "",
                       size / scale, (int)decimals, size % scale);
    while (len > 0 && text[len - 1] == '0') {
        len--;
    }
    if (len > 0 && text[len - 1] == '.') {
        len--;
    }
    text[len] = '\0';
    return text;
}

/* Adds the family's sample with that suffix. */
static void add_sample(struct exposition *exposition, const char *suffix,
                       struct exposition_labels labels, const char *bound, const char *number) {
    add(exposition, "%s%s", exposition->family, suffix);
    add_labels(exposition, labels, bound);
    add(exposition, " %s\n", number);
}

void exposition_sample(struct exposition *exposition, struct exposition_labels labels,
                       int64_t value, unsigned decimals) {
    char number[NUMBER_MAX];
    if (decimals == 0) {
        snprintf(number, sizeof number, "%" PRId64, value);
    } else {
        write_number(value, decimals, number);
    }
    add_sample(exposition, "", labels, NULL, number);
}

static void add_count(struct exposition *exposition, const char *suffix,
                      struct exposition_labels labels, const char *bound, uint64_t count) {
    char number[NUMBER_MAX];
    snprintf(number, sizeof number, "%" PRIu64, count);
    add_sample(exposition, suffix, labels, bound, number);
}

/* 2500000 -> "2.5", 1000000 -> "1.0": OpenMetrics requires the point, and a series must have the
 * same name in both formats. */
static const char *write_bound(uint64_t us, char text[NUMBER_MAX]) {
    write_number((int64_t)us, US_DECIMALS, text);
    if (!strchr(text, '.')) {
        const size_t len = strlen(text);
        snprintf(text + len, NUMBER_MAX - len, ".0");
    }
    return text;
}

void exposition_durations(struct exposition *exposition, struct exposition_labels labels,
                          const struct durations_total *durations, uint64_t first_us,
                          uint64_t last_us) {
    char number[NUMBER_MAX];
    uint64_t count = 0;
    for (int i = 0; i < DURATIONS_BOUNDS; i++) {
        const uint64_t bound_us = durations_bound_us[i];
        count += durations->bucket[i];
        if (bound_us >= first_us && bound_us <= last_us) {
            char bound[NUMBER_MAX];
            add_count(exposition, "_bucket", labels, write_bound(bound_us, bound), count);
        }
    }
    count += durations->bucket[DURATIONS_BOUNDS];
    add_count(exposition, "_bucket", labels, "+Inf", count);
    add_sample(exposition, "_sum", labels, NULL,
               write_number((int64_t)durations->sum_us, US_DECIMALS, number));
    add_count(exposition, "_count", labels, NULL, count);
}

void exposition_end(struct exposition *exposition) {
    if (is_openmetrics(exposition)) {
        text_add_string(&exposition->text, "# EOF\n");
    }
}
