/* Any bytes as one JSON event, and as an array of events: what is taken and what is refused is what
 * libjansson says, and each declared field and the time are the values that it finds. Where it has
 * other limits, these are told apart exactly: it has none for integers here (they are read as
 * text), it refuses numbers that no double holds and NUL in names (both are made harmless in a copy
 * of the same length), it passes over a byte 0 behind a number (RFC 8259 has that byte nowhere), it
 * nests deeper than we do, and of members that are there twice it keeps the last: so it reads one
 * member at a time here. */
#include "ingest/fields.h"
#include "ingest/timestamp.h"
#include "tests/unit/ingest/number_reference.h"

#include <jansson.h>
#include <stdio.h>

#define DEPTH_MAX 64
#define SIZE_MAX_READ 4096
#define TRIES_MAX (2 * SIZE_MAX_READ)

static const struct fields_config config = {
    .n = 7,
    .field = {{.name = "a", .places = 1, .place = {{FIELD_JSON, "a"}}},
              {.name = "n", .type = FIELD_INT, .places = 1, .place = {{FIELD_JSON, "n"}}},
              {.name = "d",
               .type = FIELD_DECIMAL,
               .decimals = 2,
               .places = 1,
               .place = {{FIELD_JSON, "d"}}},
              {.name = "ob", .places = 1, .place = {{FIELD_JSON, "o.b"}}},
              {.name = "obc", .type = FIELD_INT, .places = 1, .place = {{FIELD_JSON, "o.b.c"}}},
              {.name = "xy", .places = 2, .place = {{FIELD_JSON, "x"}, {FIELD_JSON, "y"}}},
              {.name = "long", .places = 1, .place = {{FIELD_JSON, "a_name_that_is_long"}}}},
    .times = 2,
    .time = {"t", "u"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_at(bool holds, int line) {
    if (!holds) {
        fprintf(stderr, "line %d does not hold\n", line);
        abort();
    }
}
#define check(holds) check_at(holds, __LINE__)

/* ---- what libjansson says ---- */

/* A text, and a copy of it that libjansson can read. */
struct pair {
    const char *text;
    char *tame;
    size_t len;
};

/* Where a value, or a name, begins and ends. */
struct extent {
    size_t start, end;
};

static size_t skip_blanks(const struct pair *pair, size_t at) {
    while (at < pair->len && pair->tame[at] != '\0' && strchr(" \t\r\n", pair->tame[at]) != NULL) {
        at++;
    }
    return at;
}

/* An escape of NUL becomes one of another character: neither is more right than the other. */
static void tame_nuls(struct pair *pair) {
    for (size_t at = 0; at + 6 <= pair->len; at++) {
        if (memcmp(pair->tame + at, "\\u0000", 6) == 0) {
            pair->tame[at + 5] = '1';
        }
    }
}

static size_t pass_bytes(const char *text, size_t at, size_t len, const char *bytes) {
    while (at < len && text[at] != '\0' && strchr(bytes, text[at]) != NULL) {
        at++;
    }
    return at;
}

/* Whether text[0..len) is one number, by the grammar of RFC 8259. */
static bool is_number(const char *text, size_t len) {
    static const char digits[] = "0123456789";
    size_t at = len > 0 && text[0] == '-';
    const size_t whole = pass_bytes(text, at, len, digits);
    if (whole == at || (text[at] == '0' && whole > at + 1)) {
        return false;
    }
    at = whole;
    if (at < len && text[at] == '.') {
        const size_t end = pass_bytes(text, at + 1, len, digits);
        if (end == at + 1) {
            return false;
        }
        at = end;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        const size_t end = pass_bytes(text, at, len, digits);
        if (end == at) {
            return false;
        }
        at = end;
    }
    return at == len;
}

/* The number that ends at `end` becomes one that a double holds: its point behind the first digit,
 * zeros from there on. False when what stands there, up to the next byte that no number has, is
 * more than one number: that is wrong wherever it stands. */
static bool tame_number(struct pair *pair, size_t end) {
    static const char bytes[] = "0123456789+-.eE";
    size_t start = end;
    while (start > 0 && pair->tame[start - 1] != '\0' &&
           strchr(bytes, pair->tame[start - 1]) != NULL) {
        start--;
    }
    end = pass_bytes(pair->tame, end, pair->len, bytes);
    if (!is_number(pair->tame + start, end - start)) {
        return false;
    }
    size_t at = start + (pair->tame[start] == '-') + 1;
    bool pointed = at + 1 < end && pass_bytes(pair->tame, at, at + 2, "0123456789") == at + 2;
    if (pointed) {
        pair->tame[at++] = '.';
    }
    for (; at < end; at++) {
        const bool point = !pointed && pair->tame[at] == '.';
        if (!point && strchr("eE+-", pair->tame[at]) == NULL) {
            pair->tame[at] = '0';
        }
        pointed |= point;
    }
    check(is_number(pair->tame + start, end - start));
    return true;
}

static json_t *load_tame(struct pair *pair) {
    json_error_t error;
    if (memchr(pair->text, '\0', pair->len) != NULL) {
        return NULL;
    }
    tame_nuls(pair);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        json_t *tree = json_loadb(pair->tame, pair->len, JSON_DECODE_INT_AS_REAL, &error);
        if (tree || json_error_code(&error) != json_error_numeric_overflow) {
            return tree;
        }
        if (!tame_number(pair, (size_t)error.position)) {
            return NULL;
        }
    }
    check(false);
    return NULL;
}

/* How deep the brackets of a right text go. */
static int measure_depth(const struct pair *pair) {
    int depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t at = 0; at < pair->len; at++) {
        const char byte = pair->tame[at];
        if (quoted && byte == '\\') {
            at++;
        } else if (byte == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += (byte == '{' || byte == '[') - (byte == '}' || byte == ']');
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest;
}

/* One value of a right text, from `text` (the text, or the copy); *end is behind it. */
static json_t *load_one(const struct pair *pair, const char *text, size_t at, size_t *end) {
    json_error_t error;
    json_t *value = json_loadb(text + at, pair->len - at,
                               JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL |
                                   JSON_DECODE_INT_AS_REAL,
                               &error);
    check(value != NULL);
    *end = at + (size_t)error.position;
    return value;
}

/* The first member of that name, of the object at `at`. */
static bool find_member(const struct pair *pair, size_t at, const char *name, size_t name_len,
                        struct extent *found) {
    check(pair->tame[at] == '{');
    at = skip_blanks(pair, at + 1);
    while (pair->tame[at] != '}') {
        size_t end;
        json_t *member = load_one(pair, pair->text, at, &end);
        const bool same = json_string_length(member) == name_len &&
                          memcmp(json_string_value(member), name, name_len) == 0;
        json_decref(member);
        at = skip_blanks(pair, end);
        check(pair->tame[at] == ':');
        found->start = skip_blanks(pair, at + 1);
        json_decref(load_one(pair, pair->tame, found->start, &found->end));
        if (same) {
            return pair->tame[found->start] != 'n';
        }
        at = skip_blanks(pair, found->end);
        if (pair->tame[at] == ',') {
            at = skip_blanks(pair, at + 1);
        }
    }
    return false;
}

static bool find_path(const struct pair *pair, size_t at, const char *path, struct extent *found) {
    for (;;) {
        const size_t len = strcspn(path, ".");
        if (!find_member(pair, at, path, len, found)) {
            return false;
        }
        if (path[len] == '\0') {
            return true;
        }
        at = found->start;
        path += len + 1;
        if (pair->tame[at] != '{') {
            return false;
        }
    }
}

/* ---- both beside each other ---- */

static void check_value(const struct field *field, const struct record *record, unsigned i,
                        const char *text, size_t len) {
    const struct aforo_value *value = &record->value[i];
    int64_t number = 0;
    const bool fits =
        len <= FIELD_TEXT_MAX &&
        (field->type == FIELD_TEXT || reference_number(text, len, field->decimals, &number));
    check(fits == !(record->unfit >> i & 1));
    if (!fits) {
        check(value->kind == AFORO_ABSENT);
        return;
    }
    check(value->kind == (field->type == FIELD_TEXT ? AFORO_TEXT : AFORO_NUMBER));
    check(value->len == len && memcmp(value->text, text, len) == 0);
    check(field->type == FIELD_TEXT || value->number == number);
}

static void check_found(const struct pair *pair, const struct record *record, unsigned i,
                        struct extent found) {
    const struct field *field = &config.field[i];
    const char first = pair->tame[found.start];
    check(record->present >> i & 1);
    if (first == '{' || first == '[') {
        check(record->unfit >> i & 1);
        return;
    }
    if (first != '"') {
        check_value(field, record, i, pair->text + found.start, found.end - found.start);
        return;
    }
    size_t end;
    json_t *string = load_one(pair, pair->text, found.start, &end);
    check_value(field, record, i, json_string_value(string), json_string_length(string));
    json_decref(string);
}

static void check_fields(const struct pair *pair, size_t start, const struct record *record) {
    for (unsigned i = 0; i < config.n; i++) {
        const struct field *field = &config.field[i];
        struct extent found;
        unsigned rank = 0;
        while (rank < field->places && !find_path(pair, start, field->place[rank].name, &found)) {
            rank++;
        }
        if (rank == field->places) {
            check(!(record->present >> i & 1) && !(record->unfit >> i & 1));
        } else {
            check(record->rank[i] == rank);
            check_found(pair, record, i, found);
        }
    }
}

/* Whether the event's time is right, or not there: then *timed is false. */
static bool find_time(const struct pair *pair, size_t start, bool *timed, int64_t *us) {
    static const char *const names[] = {"value", "t", "u"};
    struct timestamp_error error;
    for (int i = 0; i < 3; i++) {
        struct extent found;
        if (!find_member(pair, start, names[i], strlen(names[i]), &found)) {
            continue;
        }
        *timed = true;
        const char *text = pair->text + found.start;
        const size_t len = found.end - found.start;
        if (*text >= '0' && *text <= '9') {
            return memchr(text, 'e', len) == NULL && memchr(text, 'E', len) == NULL &&
                   timestamp_parse_plain(text, len, us, &error);
        }
        if (*text != '"') {
            return false;
        }
        json_t *string = load_one(pair, pair->text, found.start, &found.end);
        const bool good = timestamp_parse_plain(json_string_value(string),
                                                json_string_length(string), us, &error);
        json_decref(string);
        return good;
    }
    *timed = false;
    return true;
}

static void check_outcome(const struct pair *pair, size_t start, const struct record *record,
                          enum record_outcome outcome) {
    int64_t us = 0;
    bool timed = false;
    if (!find_time(pair, start, &timed, &us)) {
        check(outcome == RECORD_MALFORMED);
        return;
    }
    check(outcome == RECORD_EVENT && record->timed == timed && (!timed || record->us == us));
    check_fields(pair, start, record);
}

static void check_why(const char *why, enum record_outcome outcome) {
    check((outcome == RECORD_MALFORMED) == (why[0] != '\0'));
    for (; *why != '\0'; why++) {
        check(*why >= ' ' && *why <= '~');
    }
}

static void read_object(struct pair *pair, const struct fields *fields, struct record *record) {
    char why[RECORD_WHY_MAX] = "";
    record_begin(record);
    const enum record_outcome outcome =
        record_read_json(record, fields, pair->text, pair->len, why);
    check_why(why, outcome);
    const size_t start = skip_blanks(pair, 0);
    if (start == pair->len) {
        check(outcome == RECORD_EMPTY);
        return;
    }
    json_t *tree = load_tame(pair);
    const bool right = tree && json_is_object(tree) && measure_depth(pair) <= DEPTH_MAX;
    json_decref(tree);
    if (right) {
        check_outcome(pair, start, record, outcome);
    } else {
        check(outcome == RECORD_MALFORMED);
    }
}

static bool is_array_of_objects(const json_t *tree) {
    bool right = tree && json_is_array(tree);
    for (size_t i = 0; right && i < json_array_size(tree); i++) {
        right = json_is_object(json_array_get(tree, i));
    }
    return right;
}

static void read_items(struct pair *pair, const struct fields *fields, struct record *record) {
    json_t *tree = load_tame(pair);
    const bool right = is_array_of_objects(tree) && measure_depth(pair) <= DEPTH_MAX + 1;
    size_t items = right ? json_array_size(tree) : 0;
    json_decref(tree);
    for (size_t at = 0, next = skip_blanks(pair, 0) + 1;; next++) {
        char why[RECORD_WHY_MAX] = "";
        record_begin(record);
        const enum record_outcome outcome =
            record_read_json_item(record, fields, pair->text, pair->len, &at, why);
        check_why(why, outcome);
        check(at <= pair->len && (outcome != RECORD_EMPTY || (right && at == pair->len)));
        if (outcome == RECORD_EMPTY || (outcome == RECORD_MALFORMED && at == pair->len)) {
            check(!right || (outcome == RECORD_EMPTY && items == 0));
            return;
        }
        if (right) {
            items--;
            next = skip_blanks(pair, next);
            check_outcome(pair, next, record, outcome);
            size_t end;
            json_decref(load_one(pair, pair->tame, next, &end));
            check(at == end);
            next = skip_blanks(pair, end);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fields *fields;
    static struct record record;
    if (size > SIZE_MAX_READ) {
        return 0;
    }
    if (fields == NULL && (fields = fields_new(&config)) == NULL) {
        abort();
    }
    struct pair pair = {(const char *)data, malloc(size + 1), size};
    record.room = malloc(size);
    record.room_len = size;
    check(pair.tame != NULL && (record.room != NULL || size == 0));
    memcpy(pair.tame, data, size);
    pair.tame[size] = '\0';
    read_object(&pair, fields, &record);
    if (skip_blanks(&pair, 0) < size) {
        read_items(&pair, fields, &record);
    }
    free(record.room);
    free(pair.tame);
    return 0;
}
