/* Any bytes as a line of text: what it means is what a reader in the plainest words says; and any
 * bytes as values, which are quoted into a line, come back as they were. The first byte says which.
 */
#include "ingest/fields.h"
#include "ingest/timestamp.h"
#include "tests/fuzz/check.h"
#include "tests/unit/common/utf8_reference.h"
#include "tests/unit/ingest/number_reference.h"

#include <stdio.h>

#define SIZE_MAX_READ 4096
#define FIELDS 4
#define TIMES 3

static const char *const names[FIELDS] = {"a", "n", "bb", "a_name_that_is_long"};
static const char *const times[TIMES] = {"value", "t", "u"};

static const struct fields_config config = {
    .n = FIELDS,
    .field = {{.name = "a", .places = 1, .place = {{FIELD_LINE, "a"}}},
              {.name = "n", .type = FIELD_INT, .places = 1, .place = {{FIELD_LINE, "n"}}},
              {.name = "b", .places = 1, .place = {{FIELD_LINE, "bb"}}},
              {.name = "l", .places = 1, .place = {{FIELD_LINE, "a_name_that_is_long"}}}},
    .times = 2,
    .time = {"t", "u"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a line yields; the first of each name. */
struct expected {
    bool malformed, has_time;
    int64_t us;
    bool there[FIELDS + TIMES];
    char value[FIELDS + TIMES][SIZE_MAX_READ];
    size_t len[FIELDS + TIMES];
};

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

static bool read_hex(const char *text, size_t len, unsigned *unit) {
    char digits[5] = "";
    if (len < 6 || text[0] != '\\' || text[1] != 'u') {
        return false;
    }
    memcpy(digits, text + 2, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4) {
        return false;
    }
    *unit = (unsigned)strtoul(digits, NULL, 16);
    return true;
}

/* Bytes of the line that the escape takes; 0: it is none. */
static size_t unescape(const char *text, size_t len, char *out, size_t *n) {
    unsigned unit, low;
    if (read_hex(text, len, &unit)) {
        if (unit < 0xd800 || unit > 0xdfff) {
            *n += reference_encode(unit, out + *n);
            return 6;
        }
        if (unit > 0xdbff || !read_hex(text + 6, len - 6, &low) || low < 0xdc00 || low > 0xdfff) {
            return 0;
        }
        *n += reference_encode(0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00), out + *n);
        return 12;
    }
    static const char pairs[][2] = {{'"', '"'},  {'\\', '\\'}, {'/', '/'},  {'b', '\b'},
                                    {'f', '\f'}, {'n', '\n'},  {'r', '\r'}, {'t', '\t'}};
    for (size_t i = 0; len > 1 && i < sizeof pairs / sizeof pairs[0]; i++) {
        if (text[1] == pairs[i][0]) {
            out[(*n)++] = pairs[i][1];
            return 2;
        }
    }
    return 0;
}

/* A value from text[at..len) into out; where it ends, or SIZE_MAX. */
static size_t expect_value(const char *text, size_t len, size_t at, char *out, size_t *n) {
    *n = 0;
    if (at == len || text[at] != '"') {
        for (; at < len && !is_blank(text[at]); at++) {
            if (text[at] == '"') {
                return SIZE_MAX;
            }
            out[(*n)++] = text[at];
        }
        return at;
    }
    for (at++; at < len && text[at] != '"';) {
        if (text[at] != '\\') {
            out[(*n)++] = text[at++];
            continue;
        }
        const size_t used = unescape(text + at, len - at, out, n);
        if (used == 0) {
            return SIZE_MAX;
        }
        at += used;
    }
    return at < len && (at + 1 == len || is_blank(text[at + 1])) ? at + 1 : SIZE_MAX;
}

static void expect_pairs(const char *text, size_t len, size_t at, struct expected *expected) {
    static char value[SIZE_MAX_READ];
    for (;;) {
        while (at < len && is_blank(text[at])) {
            at++;
        }
        if (at == len) {
            return;
        }
        const size_t start = at;
        while (at < len && text[at] != '=' && text[at] != '"' && !is_blank(text[at])) {
            at++;
        }
        const size_t name_len = at - start;
        size_t n;
        expected->malformed = name_len == 0 || at == len || text[at] != '=' ||
                              (at = expect_value(text, len, at + 1, value, &n)) == SIZE_MAX;
        if (expected->malformed) {
            return;
        }
        for (unsigned i = 0; i < FIELDS + TIMES; i++) {
            const char *name = i < FIELDS ? names[i] : times[i - FIELDS];
            if (!expected->there[i] && strlen(name) == name_len &&
                memcmp(name, text + start, name_len) == 0) {
                expected->there[i] = true;
                memcpy(expected->value[i], value, n);
                expected->len[i] = n;
            }
        }
    }
}

/* How many bytes at the front are words without '=': two at most, one blank between them. */
static size_t time_length(const char *text, size_t len) {
    size_t end = 0;
    for (int words = 0; words < 2; words++) {
        const size_t start = words == 0 ? 0 : end + 1;
        size_t at = start;
        while (at < len && !is_blank(text[at])) {
            if (text[at++] == '=') {
                return end;
            }
        }
        if (at > start) {
            end = at;
        }
        if (at >= len) {
            break;
        }
    }
    return end;
}

static void expect(const char *text, size_t len, struct expected *expected) {
    struct timestamp_error error;
    memset(expected->there, 0, sizeof expected->there);
    expected->malformed = expected->has_time = false;
    const size_t time_len = time_length(text, len);
    if (time_len > 0) {
        expected->has_time = true;
        expected->malformed = !timestamp_parse_plain(text, time_len, &expected->us, &error);
    }
    if (!expected->malformed) {
        expect_pairs(text, len, time_len, expected);
    }
    for (unsigned i = FIELDS; i < FIELDS + TIMES && !expected->has_time; i++) {
        if (expected->there[i]) {
            expected->has_time = true;
            expected->malformed |=
                !timestamp_parse_plain(expected->value[i], expected->len[i], &expected->us, &error);
        }
    }
    expected->malformed |= !expected->has_time;
}

static void check_field(const struct record *record, unsigned i, const struct expected *expected) {
    const struct aforo_value *value = &record->value[i];
    int64_t number = 0;
    check((record->present >> i & 1) == expected->there[i]);
    if (!expected->there[i]) {
        return;
    }
    const size_t len = expected->len[i];
    const bool is_number = config.field[i].type == FIELD_INT;
    const bool fits = len <= FIELD_TEXT_MAX &&
                      (!is_number || reference_number(expected->value[i], len, 0, &number));
    check(fits == !(record->unfit >> i & 1));
    if (fits) {
        check(value->len == len && memcmp(value->text, expected->value[i], len) == 0);
        check(value->kind == (is_number ? AFORO_NUMBER : AFORO_TEXT));
        check(!is_number || value->number == number);
    }
}

/* A line, by a record that has read nothing before or that knows what it is like. */
static void read_line(struct record *record, const struct fields *fields, const char *text,
                      size_t len, char why[RECORD_WHY_MAX]) {
    static struct expected expected;
    why[0] = '\0';
    record_begin(record);
    const enum record_outcome outcome = record_read_line(record, fields, text, len, why);
    check((outcome == RECORD_MALFORMED) == (why[0] != '\0'));
    for (const char *c = why; *c != '\0'; c++) {
        check(*c >= ' ' && *c <= '~');
    }
    len -= len > 0 && text[len - 1] == '\r';
    check((outcome == RECORD_EMPTY) == (len == 0));
    if (outcome != RECORD_EMPTY) {
        expect(text, len, &expected);
        check((outcome == RECORD_MALFORMED) == expected.malformed);
    }
    if (outcome == RECORD_EVENT) {
        check(record->timed && record->us == expected.us);
        for (unsigned i = 0; i < FIELDS; i++) {
            check_field(record, i, &expected);
        }
    }
}

/* A line of its own, and all lines of the text as a stream: what a record knows from those before
 * changes nothing, the sentence included. */
static void read_lines(const struct fields *fields, const char *text, size_t len) {
    static struct record stream, alone;
    char why[RECORD_WHY_MAX], alone_why[RECORD_WHY_MAX];
    stream.room = alone.room = malloc(len);
    stream.room_len = alone.room_len = len;
    memset(&stream.habits, 0, sizeof stream.habits);
    memset(&alone.habits, 0, sizeof alone.habits);
    read_line(&alone, fields, text, len, alone_why);
    size_t start = 0;
    for (size_t at = 0; at <= len; at++) {
        if (at < len && text[at] != '\n') {
            continue;
        }
        memset(&alone.habits, 0, sizeof alone.habits);
        read_line(&alone, fields, text + start, at - start, alone_why);
        for (int i = 0; i < 2; i++) {
            read_line(&stream, fields, text + start, at - start, why);
            check(strcmp(why, alone_why) == 0);
        }
        start = at + 1;
    }
    free(stream.room);
}

/* The bytes are cut at each 0xff into the values of a line. */
static void write_line(const struct fields *fields, const char *values, size_t len) {
    static char line[7 * SIZE_MAX_READ];
    static struct record record;
    static const unsigned texts[] = {0, 2, 3};
    size_t n = (size_t)sprintf(line, "1464433871"), part = 0, start = 0;
    size_t starts[3], lens[3];
    for (size_t at = 0; at <= len && part < 3; at++) {
        if (at == len || values[at] == '\xff') {
            starts[part] = start;
            lens[part] = at - start;
            n += (size_t)sprintf(line + n, " %s=\"", names[texts[part]]);
            for (size_t i = start; i < at; i++) {
                const bool quote = values[i] == '"' || values[i] == '\\';
                n += (size_t)sprintf(line + n, quote ? "\\" : "");
                line[n++] = values[i];
            }
            line[n++] = '"';
            start = at + 1;
            part++;
        }
    }
    char *alone = malloc(n), why[RECORD_WHY_MAX];
    record.room = malloc(n);
    record.room_len = n;
    check(alone && record.room);
    memcpy(alone, line, n);
    record_begin(&record);
    check(record_read_line(&record, fields, alone, n, why) == RECORD_EVENT);
    for (size_t i = 0; i < part; i++) {
        const unsigned f = texts[i];
        check(record.present >> f & 1);
        check((lens[i] > FIELD_TEXT_MAX) == (record.unfit >> f & 1));
        check(lens[i] > FIELD_TEXT_MAX ||
              (record.value[f].len == lens[i] &&
               memcmp(record.value[f].text, values + starts[i], lens[i]) == 0));
    }
    free(record.room);
    free(alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fields *fields;
    if (size == 0 || size > SIZE_MAX_READ) {
        return 0;
    }
    if (fields == NULL && (fields = fields_new(&config)) == NULL) {
        abort();
    }
    if (data[0] == '"') {
        write_line(fields, (const char *)data + 1, size - 1);
    } else {
        read_lines(fields, (const char *)data + 1, size - 1);
    }
    return 0;
}
