/* A text line: its time, then pairs of a name and a value, separated by blanks. */
#include "ingest/escape.h"
#include "ingest/field_names.h"
#include "ingest/line_scan.h"
#include "ingest/timestamp.h"
#include "ingest/why.h"

#include <stdio.h>

/* A value as written on the line. */
struct part {
    const char *text;
    size_t len;
    bool escaped;
};

struct reader {
    const struct fields *fields;
    struct record *record;
    char *why;
    struct scan_text scan;
    const char *text;
    size_t len, at;
    unsigned pairs;     /* number of pairs read */
    unsigned time_rank; /* of the value that is the event time; FIELD_NO_TIME: none yet */
    struct part time;
};

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

static bool fail(struct reader *r, const char *expected, size_t at) {
    why_expected(r->why, expected, r->text, r->len, at);
    return false;
}

/* The end of the word at `at`: a blank, or the end of the line. *pair: it contains a '='. */
static size_t find_word_end(const struct reader *r, size_t at, bool *pair) {
    *pair = false;
    while (at < r->len && !is_blank(r->text[at])) {
        *pair |= r->text[at++] == '=';
    }
    return at;
}

/* The length of a time in the usual layout at the start, which is complete whatever follows; 0 when
 * it has another layout. */
static size_t find_usual_end(const struct reader *r) {
    struct timestamp_day day;
    int64_t us;
    if (r->len < TIMESTAMP_FAST_LEN || !timestamp_day_learn(&day, r->text) ||
        !timestamp_fast(&day, r->text, &us)) {
        return 0;
    }
    size_t len = TIMESTAMP_FAST_LEN;
    len += len < r->len && r->text[len] == 'Z';
    return len == r->len || is_blank(r->text[len]) ? len : 0;
}

/* The length of the time at the start: a word without a '=', and the next one if that has none,
 * either. */
static size_t find_time_end(const struct reader *r) {
    bool pair;
    const size_t usual = find_usual_end(r);
    if (usual > 0) {
        return usual;
    }
    const size_t first = find_word_end(r, 0, &pair);
    if (pair) {
        return 0;
    }
    const size_t second = first < r->len ? find_word_end(r, first + 1, &pair) : first;
    return pair || second <= first + 1 ? first : second;
}

/* Parses the event time; name: of its pair, NULL at the start of the line. */
static bool read_time(struct reader *r, const char *name, const char *text, size_t len) {
    struct timestamp_error error;
    if (timestamp_layouts_parse(&r->record->habits.times, text, len, &r->record->us, &error)) {
        r->record->timed = true;
        return true;
    }
    char sentence[RECORD_WHY_MAX - FIELD_NAME_MAX - 2];
    timestamp_explain(&error, sentence, sizeof sentence);
    snprintf(r->why, RECORD_WHY_MAX, "%s%s%s", name ? name : "", name ? ": " : "", sentence);
    return false;
}

/* Reads from after the opening quote to after the closing one. */
static bool read_quoted(struct reader *r, struct part *value) {
    *value = (struct part){r->text + r->at, 0, false};
    while (r->at < r->len && r->text[r->at] != '"') {
        size_t used = 1;
        if (r->text[r->at] == '\\') {
            char character[4];
            size_t bytes;
            used = escape_read(r->text + r->at, r->len - r->at, character, &bytes);
            if (used == 0) {
                return fail(r, "an escape as JSON has them", r->at);
            }
            value->escaped = true;
        }
        r->at += used;
    }
    if (r->at == r->len) {
        return fail(r, "the value's closing '\"'", r->at);
    }
    value->len = (size_t)(r->text + r->at - value->text);
    r->at++;
    return r->at == r->len || is_blank(r->text[r->at]) || fail(r, "a blank", r->at);
}

static bool read_value(struct reader *r, struct part *value) {
    if (r->at < r->len && r->text[r->at] == '"') {
        r->at++;
        return read_quoted(r, value);
    }
    const char *start = r->text + r->at, *end = line_value_end(&r->scan, start);
    *value = (struct part){start, (size_t)(end - start), false};
    r->at += value->len;
    return r->at == r->len || *end != '"' || fail(r, "a value without quotes", r->at);
}

/* Takes an integer of a few digits, as many values are. False when it is something else. */
static bool take_short_number(struct reader *r, unsigned node) {
    const char *start = r->text + r->at;
    const struct scan_digits digits = scan_digits(&r->scan, start);
    const size_t end = r->at + digits.len;
    if (digits.len == 0 || digits.len > SCAN_DIGITS_READ ||
        (end < r->len && !is_blank(r->text[end])) ||
        !field_take_short(
            r->fields, node, r->record, 0,
            (struct aforo_value){start, digits.len, AFORO_NUMBER, (int64_t)digits.number})) {
        return false;
    }
    r->at = end;
    return true;
}

static void take(struct reader *r, unsigned node, struct part value) {
    const struct field_node *names = &r->fields->node[node];
    struct record *record = r->record;
    if (names->time < r->time_rank) {
        r->time_rank = names->time;
        r->time = value;
    }
    if (names->targets == 0) {
        return;
    }
    if (value.escaped) {
        char *room = record->room + record->room_used;
        field_take_room(r->fields, node, record,
                        escape_decode(value.text, value.len, room, field_room(record)));
    } else {
        field_take(r->fields, node, record, value.text, value.len);
    }
}

/* Reads a name and its '='; *node: its node in the table. */
static bool read_name(struct reader *r, unsigned *node) {
    const size_t start = r->at;
    const struct scan_word word = line_name(&r->scan, r->text + start);
    struct field_name name = {r->text + start, word.len, word.first, word.second};
    if (word.len == SCAN_BYTES) {
        while (r->at < r->len && r->text[r->at] != '=' && r->text[r->at] != '"' &&
               !is_blank(r->text[r->at])) {
            r->at++;
        }
        name = field_name_of(r->text + start, r->at - start);
    } else {
        r->at += word.len;
    }
    if (r->at == start || r->at == r->len || r->text[r->at] != '=') {
        return fail(r, r->at == start ? "name=value" : "'=' after a name", r->at);
    }
    r->at++;
    *node = name.len < FIELD_PLACE_MAX ? field_find(r->fields, FIELD_ROOT + FIELD_LINE, &name)
                                       : FIELD_UNKNOWN;
    return true;
}

static bool read_pair(struct reader *r) {
    unsigned node;
    struct part value;
    if (!read_name(r, &node)) {
        return false;
    }
    if (take_short_number(r, node)) {
        return true;
    }
    if (!read_value(r, &value)) {
        return false;
    }
    const struct aforo_value usual = {value.text, (uint32_t)value.len, AFORO_TEXT, 0};
    if (value.escaped || value.len > FIELD_TEXT_MAX ||
        !field_take_short(r->fields, node, r->record, FIELD_NO_NUMBER, usual)) {
        take(r, node, value);
    }
    return true;
}

/* Takes the time of a line that did not begin with one: from one of its pairs. */
static bool take_time(struct reader *r) {
    char decoded[TIMESTAMP_MAX + 1];
    if (r->time_rank == FIELD_NO_TIME && r->record->timeless) {
        return true;
    }
    if (r->time_rank == FIELD_NO_TIME) {
        snprintf(r->why, RECORD_WHY_MAX,
                 "a time is missing: begin the line with a timestamp, or send value=<timestamp>");
        return false;
    }
    struct part value = r->time;
    if (value.escaped) {
        const size_t len = escape_decode(value.text, value.len, decoded, sizeof decoded);
        value = (struct part){decoded, len <= sizeof decoded ? len : sizeof decoded, false};
    }
    return read_time(r, field_time_name(r->fields, r->time_rank), value.text, value.len);
}

/* The length of the time at the start when it has the layout of the one before; otherwise 0. */
static size_t read_known_time(struct reader *r) {
    struct timestamp_layouts *times = &r->record->habits.times;
    struct timestamp_layout *layout = &times->layout[times->last];
    const size_t len = layout->len;
    if (len == 0 || r->len < layout->reach || (len < r->len && !is_blank(r->text[len])) ||
        !timestamp_layout_read_on(layout, r->text, &r->record->us)) {
        return 0;
    }
    r->record->timed = true;
    return len;
}

/* Reads all pairs from `at` on. */
static bool read_pairs(struct reader *r, size_t at) {
    r->pairs = 0;
    for (r->at = at;; r->pairs++) {
        while (r->at < r->len && is_blank(r->text[r->at])) {
            r->at++;
        }
        if (r->at == r->len) {
            return true;
        }
        if (!read_pair(r)) {
            return false;
        }
    }
}

enum record_outcome record_read_line(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]) {
    struct reader r = {.fields = fields,
                       .record = record,
                       .why = why,
                       .text = text,
                       .len = len - (len > 0 && text[len - 1] == '\r'),
                       .time_rank = FIELD_NO_TIME};
    scan_begin(&r.scan, text, r.len);
    if (r.len == 0) {
        return RECORD_EMPTY;
    }
    size_t time_len = read_known_time(&r);
    for (bool known = time_len > 0;; known = false) {
        if (!known && (time_len = find_time_end(&r)) > 0 && !read_time(&r, NULL, text, time_len)) {
            return RECORD_MALFORMED;
        }
        if (read_pairs(&r, time_len)) {
            break;
        }
        /* if not even the first pair is one, it may have been meant as a part of the time */
        if (!known || r.pairs > 0) {
            return RECORD_MALFORMED;
        }
    }
    return time_len > 0 || take_time(&r) ? RECORD_EVENT : RECORD_MALFORMED;
}
