/* One way through the text, from left to right: each value is checked and passed over; what stands
 * under a declared name is taken on the way. No tree is made, for nobody asks for one. The event's
 * time may stand anywhere at the top level, and which of its names counts is known at the end. */
#include "ingest/escape.h"
#include "ingest/field_names.h"
#include "ingest/json_scan.h"
#include "ingest/timestamp.h"
#include "ingest/utf8.h"
#include "ingest/why.h"

#include <stdio.h>

#define DEPTH_MAX 64 /* objects and arrays within each other, the event itself included */
#define WORD_BITS 64

struct string {
    const char *text; /* between the quotes */
    size_t len;
    bool escaped;
};

enum time_kind { TIME_NONE, TIME_STRING, TIME_NUMBER, TIME_OTHER, TIME_READ };

/* The best of the members seen so far that may be the event's time. */
struct time {
    enum time_kind kind;
    unsigned rank;
    struct string value;
    int64_t us; /* TIME_READ: it is known already */
};

struct reader {
    const struct fields *fields;
    struct record *record;
    char *why;
    struct json_text scan;
    struct time time;
    /* a bit for each node that was there: the same member once more does not count */
    uint64_t seen[FIELD_NODES_MAX / WORD_BITS + 1];
};

/* The functions that read take the place where they begin, and return where they ended; NULL after
 * they have said why. */

static const char *fail(struct reader *r, const char *expected, const char *at) {
    const char *text = r->scan.text;
    why_expected(r->why, RECORD_WHY_MAX, expected, text, (size_t)(r->scan.end - text),
                 (size_t)(at - text));
    return NULL;
}

/* The byte at a place; 0, which JSON has nowhere, at the end. */
static inline char byte_at(const struct reader *r, const char *at) {
    return at < r->scan.end ? *at : '\0';
}

static const char *pass_blanks(const struct reader *r, const char *at) {
    while (at < r->scan.end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Passes over blanks; *byte is what follows, as byte_at has it. */
static inline const char *skip_blanks(const struct reader *r, const char *at, char *byte) {
    *byte = byte_at(r, at);
    if (__builtin_expect((unsigned char)*byte <= ' ', false)) {
        at = pass_blanks(r, at);
        *byte = byte_at(r, at);
    }
    return at;
}

static const char *end_string(struct reader *r, struct json_run run, struct string *string) {
    while (byte_at(r, run.end) == '\\') {
        char character[4];
        size_t bytes;
        const size_t len = escape_read(run.end, (size_t)(r->scan.end - run.end), character, &bytes);
        if (len == 0) {
            return fail(r, "an escape as JSON has them", run.end);
        }
        const bool high = run.high;
        run = json_run(&r->scan, run.end + len);
        run.high |= high;
        string->escaped = true;
    }
    if (byte_at(r, run.end) != '"') {
        return fail(
            r, run.end == r->scan.end ? "the string's '\"'" : "an escape for a control character",
            run.end);
    }
    string->len = (size_t)(run.end - string->text);
    const size_t good = run.high ? utf8_length(string->text, string->len) : string->len;
    return good == string->len ? run.end + 1 : fail(r, "UTF-8", string->text + good);
}

/* A string, from its quote on. */
static inline const char *read_string(struct reader *r, const char *at, struct string *string) {
    const struct json_run run = json_run(&r->scan, at + 1);
    *string = (struct string){at + 1, (size_t)(run.end - at - 1), false};
    if (__builtin_expect(byte_at(r, run.end) == '"' && !run.high, true)) {
        return run.end + 1;
    }
    return end_string(r, run, string);
}

static const char *read_digits(struct reader *r, const char *at) {
    const char *end = json_digits_end(&r->scan, at);
    return end > at ? end : fail(r, "a digit", at);
}

static const char *read_number(struct reader *r, const char *at) {
    at += *at == '-';
    if (byte_at(r, at) == '0') {
        at++;
    } else if ((at = read_digits(r, at)) == NULL) {
        return NULL;
    }
    if (byte_at(r, at) == '.' && (at = read_digits(r, at + 1)) == NULL) {
        return NULL;
    }
    if ((byte_at(r, at) | 0x20) == 'e') {
        at++;
        at += byte_at(r, at) == '-' || byte_at(r, at) == '+';
        return read_digits(r, at);
    }
    return at;
}

static const char *read_literal(struct reader *r, const char *at, const char *literal) {
    const size_t len = strlen(literal);
    if ((size_t)(r->scan.end - at) < len || memcmp(at, literal, len) != 0) {
        return fail(r, "a value", at);
    }
    return at + len;
}

/* A value under a name that is looked for; one without text is an object or an array. */
static void take(struct reader *r, unsigned node, enum time_kind kind, struct string value) {
    const struct field_node *names = &r->fields->node[node];
    if (names->time < r->time.rank) {
        r->time = (struct time){kind, names->time, value, 0};
    }
    if (names->targets == 0) {
        return;
    }
    struct record *record = r->record;
    if (value.text == NULL) {
        field_take_unfit(r->fields, node, record);
    } else if (value.escaped) {
        char *room = record->room + record->room_used;
        field_take_room(r->fields, node, record,
                        escape_decode(value.text, value.len, room, field_room(record)));
    } else {
        field_take(r->fields, node, record, value.text, value.len);
    }
}

static const char *read_container(struct reader *r, const char *at, unsigned node, unsigned depth);

/* Any value but a short one. node: of the name it stands under, or FIELD_UNKNOWN. depth: of what it
 * stands in. */
static const char *read_any(struct reader *r, const char *at, unsigned node, unsigned depth) {
    enum time_kind kind = TIME_OTHER;
    struct string value = {at, 0, false};
    const char *end;
    switch (byte_at(r, at)) {
    case '"':
        end = read_string(r, at, &value);
        kind = TIME_STRING;
        break;
    case '{':
    case '[':
        if (node != FIELD_UNKNOWN) {
            take(r, node, TIME_OTHER, (struct string){NULL, 0, false});
        }
        return read_container(r, at, node, depth + 1);
    case 't':
        end = read_literal(r, at, "true");
        break;
    case 'f':
        end = read_literal(r, at, "false");
        break;
    case 'n':
        return read_literal(r, at, "null");
    case '-':
    case '0' ... '9':
        end = read_number(r, at);
        kind = TIME_NUMBER;
        break;
    default:
        return fail(r, "a value", at);
    }
    if (node != FIELD_UNKNOWN && end != NULL) {
        if (kind != TIME_STRING) {
            value.len = (size_t)(end - at);
        }
        take(r, node, kind, value);
    }
    return end;
}

/* take, without a detour for what is usual: a name that is looked for once, and a value that its
 * type takes as it is. decimals: those of such a type. */
static inline void take_short(struct reader *r, unsigned node, enum time_kind kind,
                              unsigned decimals, struct aforo_value value) {
    if (node == FIELD_UNKNOWN) {
        return;
    }
    const struct field_node *names = &r->fields->node[node];
    const struct field_target target = r->fields->target[names->target];
    if (names->targets != 1 || names->time != FIELD_NO_TIME || target.decimals != decimals) {
        take(r, node, kind, (struct string){value.text, value.len, false});
    } else if (field_claim(r->record, target.field, target.rank)) {
        r->record->value[target.field] = value;
    }
}

/* The event's time in the layout that comes by the million, a string of digits and signs, which
 * needs no other check; NULL when it is another. */
static const char *read_usual_time(struct reader *r, const char *at, unsigned node) {
    const struct field_node *names = &r->fields->node[node];
    struct timestamp_day *day = &r->record->habits.day;
    int64_t us;
    if (r->scan.end - at < TIMESTAMP_FAST_LEN + 3 || *at != '"' || names->targets != 0) {
        return NULL;
    }
    const char *end = at + 1 + TIMESTAMP_FAST_LEN;
    end += *end == 'Z';
    if (*end != '"') {
        return NULL;
    }
    if (day->prefix[0] == '\0') { /* no day yet: a text of zeros must not be one */
        timestamp_day_begin(day);
    }
    if (!timestamp_fast(day, at + 1, &us) &&
        !(timestamp_day_learn(day, at + 1) && timestamp_fast(day, at + 1, &us))) {
        return NULL;
    }
    if (names->time < r->time.rank) {
        r->time.kind = TIME_READ;
        r->time.rank = names->time;
        r->time.us = us;
    }
    return end + 1;
}

/* A value. Most are short strings and short whole numbers. */
static inline const char *read_value(struct reader *r, const char *at, unsigned node,
                                     unsigned depth) {
    const char first = byte_at(r, at);
    if (r->fields->node[node].time != FIELD_NO_TIME) {
        const char *end = read_usual_time(r, at, node);
        return end ? end : read_any(r, at, node, depth);
    }
    if (first == '"') {
        const struct json_short string = json_short(&r->scan, at + 1);
        if (string.len < JSON_SCAN_BYTES) {
            take_short(r, node, TIME_STRING, FIELD_NO_NUMBER,
                       (struct aforo_value){at + 1, string.len, AFORO_TEXT, 0});
            return at + string.len + 2;
        }
    } else if (first >= '0' && first <= '9') {
        const struct json_digits digits = json_digits(&r->scan, at);
        const char next = byte_at(r, at + digits.len);
        const bool whole = next != '.' && (next | 0x20) != 'e';
        if (whole && digits.len <= JSON_DIGITS_READ && (first != '0' || digits.len == 1)) {
            take_short(r, node, TIME_NUMBER, 0,
                       (struct aforo_value){at, digits.len, AFORO_NUMBER, (int64_t)digits.number});
            return at + digits.len;
        }
    }
    return read_any(r, at, node, depth);
}

/* The node of a name that is here now, when it was not there before. */
static inline unsigned claim_member(struct reader *r, unsigned node) {
    const uint64_t bit = UINT64_C(1) << node % WORD_BITS;
    if (r->seen[node / WORD_BITS] & bit) {
        return FIELD_UNKNOWN;
    }
    r->seen[node / WORD_BITS] |= bit;
    return node;
}

/* Any name but a short one. */
static const char *read_any_name(struct reader *r, const char *at, unsigned under, unsigned *node) {
    char decoded[FIELD_PLACE_MAX];
    struct string string;
    const char *end = read_string(r, at, &string);
    if (end == NULL || under == FIELD_UNKNOWN) {
        return end;
    }
    if (string.escaped) {
        string.len = escape_decode(string.text, string.len, decoded, sizeof decoded);
        string.text = decoded;
    }
    if (string.len < FIELD_PLACE_MAX) {
        const struct field_name name = field_name_of(string.text, string.len);
        *node = claim_member(r, field_find(r->fields, under, &name));
    }
    return end;
}

/* A member's name, from its quote on. under: the node under which names are looked for. */
static inline const char *read_name(struct reader *r, const char *at, unsigned under,
                                    unsigned *node) {
    const struct json_short name = json_short(&r->scan, at + 1);
    *node = FIELD_UNKNOWN;
    if (name.len == JSON_SCAN_BYTES) {
        return read_any_name(r, at, under, node);
    }
    if (under != FIELD_UNKNOWN) {
        const struct field_name wanted = {at + 1, name.len, name.first, name.second};
        *node = claim_member(r, field_find(r->fields, under, &wanted));
    }
    return at + name.len + 2;
}

/* The same for a name of the top level. expected: what came at this place of the event before; most
 * senders write all of theirs in one order. */
static inline const char *read_expected_name(struct reader *r, const char *at, uint16_t *expected,
                                             unsigned *node) {
    const char *bytes = json_readable(&r->scan, at + 1);
    if (*expected < r->fields->nodes) {
        const struct field_guess *guess = &r->fields->guess[*expected];
        uint64_t first, second;
        memcpy(&first, bytes, sizeof first);
        memcpy(&second, bytes + sizeof first, sizeof second);
        const uint64_t differs = ((first ^ guess->first) & guess->first_mask) |
                                 ((second ^ guess->second) & guess->second_mask);
        if (differs == 0 && guess->first_mask != 0) {
            *node = claim_member(r, *expected);
            return at + guess->len + 2;
        }
    }
    at = read_name(r, at, FIELD_ROOT + FIELD_JSON, node);
    *expected = (uint16_t)*node;
    return at;
}

/* The members of an object, from its brace on. under: the node of its name, when there are names
 * that stand under it. */
static const char *read_object(struct reader *r, const char *at, unsigned under, unsigned depth) {
    char byte;
    at = skip_blanks(r, at + 1, &byte);
    if (byte == '}') {
        return at + 1;
    }
    for (unsigned i = 0;; i++) {
        unsigned node;
        if (byte != '"') {
            return fail(r, "a member's name in quotes", at);
        }
        at = depth == 1 && i < RECORD_ORDER_MAX
                 ? read_expected_name(r, at, &r->record->habits.order[i], &node)
                 : read_name(r, at, under, &node);
        if (at == NULL) {
            return NULL;
        }
        at = skip_blanks(r, at, &byte);
        if (byte != ':') {
            return fail(r, "':'", at);
        }
        at = skip_blanks(r, at + 1, &byte);
        if ((at = read_value(r, at, node, depth)) == NULL) {
            return NULL;
        }
        at = skip_blanks(r, at, &byte);
        if (byte == '}') {
            return at + 1;
        }
        if (byte != ',') {
            return fail(r, "',' or '}'", at);
        }
        at = skip_blanks(r, at + 1, &byte);
    }
}

static const char *read_array(struct reader *r, const char *at, unsigned depth) {
    char byte;
    at = skip_blanks(r, at + 1, &byte);
    if (byte == ']') {
        return at + 1;
    }
    for (;;) {
        if ((at = read_any(r, at, FIELD_UNKNOWN, depth)) == NULL) {
            return NULL;
        }
        at = skip_blanks(r, at, &byte);
        if (byte == ']') {
            return at + 1;
        }
        if (byte != ',') {
            return fail(r, "',' or ']'", at);
        }
        at = skip_blanks(r, at + 1, &byte);
    }
}

static const char *read_container(struct reader *r, const char *at, unsigned node, unsigned depth) {
    if (depth > DEPTH_MAX) {
        snprintf(r->why, RECORD_WHY_MAX, "nested deeper than %d at character %zu", DEPTH_MAX,
                 (size_t)(at - r->scan.text) + 1);
        return NULL;
    }
    const bool inner = node != FIELD_UNKNOWN && r->fields->node[node].inner;
    return *at == '{' ? read_object(r, at, inner ? node : FIELD_UNKNOWN, depth)
                      : read_array(r, at, depth);
}

static void begin(struct reader *r, struct record *record, const struct fields *fields, char *why) {
    r->fields = fields;
    r->record = record;
    r->why = why;
    memset(r->seen, 0, (fields->nodes / WORD_BITS + 1) * sizeof r->seen[0]);
    r->time.kind = TIME_NONE;
    r->time.rank = FIELD_NO_TIME;
}

static enum record_outcome refuse_time(struct reader *r, const char *sentence) {
    snprintf(r->why, RECORD_WHY_MAX, "%s: %s", field_time_name(r->fields, r->time.rank), sentence);
    return RECORD_MALFORMED;
}

static bool is_plain_number(const struct string *value) {
    return value->text[0] != '-' && memchr(value->text, 'e', value->len) == NULL &&
           memchr(value->text, 'E', value->len) == NULL;
}

/* The event was read to its end: which of the names of its time counts is known now. */
static enum record_outcome take_time(struct reader *r) {
    char decoded[TIMESTAMP_MAX + 1];
    struct string value = r->time.value;
    if (r->time.kind == TIME_NONE) {
        return RECORD_EVENT;
    }
    if (r->time.kind == TIME_READ) {
        r->record->us = r->time.us;
        r->record->timed = true;
        return RECORD_EVENT;
    }
    if (r->time.kind == TIME_OTHER) {
        return refuse_time(r, "expected a timestamp as a string or a number");
    }
    if (r->time.kind == TIME_NUMBER && !is_plain_number(&value)) {
        return refuse_time(r, "expected a number without a sign and an exponent");
    }
    if (value.escaped) {
        const size_t len = escape_decode(value.text, value.len, decoded, sizeof decoded);
        value = (struct string){decoded, len <= sizeof decoded ? len : sizeof decoded, false};
    }
    struct timestamp_error error;
    if (!timestamp_parse(value.text, value.len, &r->record->us, &error)) {
        char sentence[RECORD_WHY_MAX - FIELD_NAME_MAX - 2];
        timestamp_explain(&error, sentence, sizeof sentence);
        return refuse_time(r, sentence);
    }
    r->record->timed = true;
    return RECORD_EVENT;
}

enum record_outcome record_read_json(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]) {
    struct reader r;
    char byte;
    begin(&r, record, fields, why);
    json_text_begin(&r.scan, text, len);
    const char *at = skip_blanks(&r, text, &byte);
    if (at == r.scan.end) {
        return RECORD_EMPTY;
    }
    if (byte != '{') {
        fail(&r, "'{'", at);
        return RECORD_MALFORMED;
    }
    if ((at = read_object(&r, at, FIELD_ROOT + FIELD_JSON, 1)) == NULL) {
        return RECORD_MALFORMED;
    }
    at = skip_blanks(&r, at, &byte);
    if (at != r.scan.end) {
        fail(&r, "the end", at);
        return RECORD_MALFORMED;
    }
    return take_time(&r);
}

/* Where the next item begins, from the array's bracket (at its text's front) or from behind the
 * item before; the text's end when there is none. */
static const char *find_item(struct reader *r, const char *at) {
    const bool first = at == r->scan.text;
    char byte;
    at = skip_blanks(r, at, &byte);
    if (first) {
        if (byte != '[') {
            return fail(r, "'['", at);
        }
        at = skip_blanks(r, at + 1, &byte);
        if (byte != ']') {
            return byte == '{' ? at : fail(r, "'{' or ']'", at);
        }
    }
    if (byte == ',') {
        at = skip_blanks(r, at + 1, &byte);
        return byte == '{' ? at : fail(r, "'{'", at);
    }
    if (byte != ']') {
        return fail(r, "',' or ']'", at);
    }
    at = skip_blanks(r, at + 1, &byte);
    return at == r->scan.end ? at : fail(r, "the end", at);
}

enum record_outcome record_read_json_item(struct record *record, const struct fields *fields,
                                          const char *text, size_t len, size_t *at,
                                          char why[RECORD_WHY_MAX]) {
    struct reader r;
    begin(&r, record, fields, why);
    json_text_begin(&r.scan, text, len);
    const char *item = find_item(&r, text + *at), *end = NULL;
    *at = len;
    if (item == NULL) {
        return RECORD_MALFORMED;
    }
    if (item == r.scan.end) {
        return RECORD_EMPTY;
    }
    if ((end = read_object(&r, item, FIELD_ROOT + FIELD_JSON, 1)) == NULL) {
        return RECORD_MALFORMED;
    }
    *at = (size_t)(end - text);
    return take_time(&r);
}
