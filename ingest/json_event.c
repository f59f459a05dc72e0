/* One pass over the text, from left to right. No tree is built, because nobody needs one. */
#include "ingest/json_usual.h"

#include "ingest/timestamp.h"

#include <stdio.h>

#define DEPTH_MAX 64 /* nested objects and arrays, including the event itself */

/* Takes a value under a declared name; of an object or an array its first byte. */
static void take(struct json_reader *r, unsigned node, enum json_time_kind kind,
                 struct json_string value) {
    const struct field_node *names = &r->fields->node[node];
    if (names->time < r->time.rank) {
        r->time.kind = kind;
        r->time.rank = names->time;
        r->time.value = value;
    }
    if (names->targets == 0) {
        return;
    }
    struct record *record = r->record;
    if (kind == TIME_OTHER && (*value.text == '{' || *value.text == '[')) {
        field_take_unfit(r->fields, node, record,
                         *value.text == '[' ? FIELD_IS_ARRAY : FIELD_IS_OBJECT);
    } else if (value.escaped) {
        field_take_room(r->fields, node, record, value.decoded_len);
    } else {
        field_take(r->fields, node, record, value.text, value.len);
    }
}

/* Reads a string value; one with escapes is decoded into the free part of the record's room. */
static const char *read_string(struct json_reader *r, const char *at, struct json_string *value) {
    r->source.room = r->record->room + r->record->room_used;
    r->source.room_len = field_room(r->record);
    return json_read_string(&r->source, at, value);
}

static const char *read_container(struct json_reader *r, const char *at, unsigned node,
                                  unsigned depth);

/* Reads any value that is not short. node: of the name it is under, or FIELD_UNKNOWN. depth: of the
 * object or array it is in. */
static const char *read_any(struct json_reader *r, const char *at, unsigned node, unsigned depth) {
    enum json_time_kind kind = TIME_OTHER;
    struct json_string value = {at, 0, false, 0};
    const char *end;
    switch (json_byte(&r->source, at)) {
    case '"':
        end = read_string(r, at, &value);
        kind = TIME_STRING;
        break;
    case '{':
    case '[':
        if (node != FIELD_UNKNOWN) {
            take(r, node, TIME_OTHER, value);
        }
        return read_container(r, at, node, depth + 1);
    case 't':
        end = json_read_literal(&r->source, at, "true");
        break;
    case 'f':
        end = json_read_literal(&r->source, at, "false");
        break;
    case 'n':
        return json_read_literal(&r->source, at, "null");
    case '-':
    case '0' ... '9':
        end = json_read_number(&r->source, at);
        kind = TIME_NUMBER;
        break;
    default:
        return json_fail(&r->source, "a value", at);
    }
    if (node != FIELD_UNKNOWN && end != NULL) {
        if (kind != TIME_STRING) {
            value.len = (size_t)(end - at);
        }
        take(r, node, kind, value);
    }
    return end;
}

/* Reads a string that is long or has escapes. */
static const char *read_long_string(struct json_reader *r, const char *at, unsigned node) {
    struct json_string value;
    const char *end = read_string(r, at, &value);
    if (node != FIELD_UNKNOWN && end != NULL) {
        take(r, node, TIME_STRING, value);
    }
    return end;
}

/* Reads a value. Most are short strings and short integers. */
static inline const char *read_value(struct json_reader *r, const char *at, unsigned node,
                                     unsigned depth) {
    const char first = json_byte(&r->source, at);
    const struct field_node *names = &r->fields->node[node];
    if (names->time != FIELD_NO_TIME) {
        const char *end = names->targets == 0 ? json_usual_time(r, at, names->time) : NULL;
        return end ? end : read_any(r, at, node, depth);
    }
    if (first == '"') {
        const struct scan_word string = json_short(&r->source.scan, at + 1);
        if (string.len < SCAN_BYTES) {
            if (!field_take_short(r->fields, node, r->record, FIELD_NO_NUMBER,
                                  (struct aforo_value){at + 1, string.len, AFORO_TEXT, 0})) {
                take(r, node, TIME_STRING, (struct json_string){at + 1, string.len, false, 0});
            }
            return at + string.len + 2;
        }
        return read_long_string(r, at, node);
    }
    if (first >= '0' && first <= '9') {
        const struct scan_digits digits = scan_digits(&r->source.scan, at);
        const char next = json_byte(&r->source, at + digits.len);
        const bool whole = next != '.' && (next | 0x20) != 'e';
        if (whole && digits.len <= SCAN_DIGITS_READ && (first != '0' || digits.len == 1)) {
            if (!field_take_short(
                    r->fields, node, r->record, 0,
                    (struct aforo_value){at, digits.len, AFORO_NUMBER, (int64_t)digits.number})) {
                take(r, node, TIME_NUMBER, (struct json_string){at, digits.len, false, 0});
            }
            return at + digits.len;
        }
    }
    return read_any(r, at, node, depth);
}

/* The node of the present name, or FIELD_UNKNOWN when that name occurred before. */
static inline unsigned claim_member(struct json_reader *r, unsigned node) {
    if (node == FIELD_UNKNOWN) {
        return node;
    }
    const uint64_t bit = UINT64_C(1) << node % JSON_SEEN_BITS;
    if (r->seen[node / JSON_SEEN_BITS] & bit) {
        const unsigned time = r->fields->node[node].time;
        r->time.twice = time < r->time.twice ? time : r->time.twice;
        return FIELD_UNKNOWN;
    }
    r->seen[node / JSON_SEEN_BITS] |= bit;
    return node;
}

/* Reads any name that is not short. */
static const char *read_any_name(struct json_reader *r, const char *at, unsigned under,
                                 unsigned *node) {
    char decoded[FIELD_PLACE_MAX];
    struct json_string string;
    r->source.room = decoded;
    r->source.room_len = sizeof decoded;
    const char *end = json_read_string(&r->source, at, &string);
    if (end == NULL || under == FIELD_UNKNOWN) {
        return end;
    }
    if (string.escaped) {
        string.len = string.decoded_len;
        string.text = decoded;
    }
    if (string.len < FIELD_PLACE_MAX) {
        const struct field_name name = field_name_of(string.text, string.len);
        *node = claim_member(r, field_find(r->fields, under, &name));
    }
    return end;
}

/* Reads a member's name from its quote. under: the node under which names are looked up. */
static const char *read_name(struct json_reader *r, const char *at, unsigned under,
                             unsigned *node) {
    const struct scan_word name = json_short(&r->source.scan, at + 1);
    *node = FIELD_UNKNOWN;
    if (name.len == SCAN_BYTES) {
        return read_any_name(r, at, under, node);
    }
    if (under != FIELD_UNKNOWN) {
        const struct field_name wanted = {at + 1, name.len, name.first, name.second};
        *node = claim_member(r, field_find(r->fields, under, &wanted));
    }
    return at + name.len + 2;
}

#define NAME_TRIES 4 /* slots that a name may be in */
#define OTHERS 8     /* every so many misses, a name replaces another */

/* The slot of a short name: the one it is in, else an empty one, else that of another name. */
static inline unsigned find_place(const struct record_name *names, struct scan_word word,
                                  const char *bytes) {
    const uint64_t mixed = (word.first ^ word.len) * UINT64_C(0x9e3779b97f4a7c15) +
                           word.second * UINT64_C(0xff51afd7ed558ccd);
    const unsigned own = (unsigned)(mixed >> 32);
    unsigned place = RECORD_NAMES_NONE + own;
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        place = RECORD_NAMES_NONE + (own + i) % RECORD_NAMES;
        if (names[place].len == 0 || json_is_name(&names[place], bytes)) {
            break;
        }
    }
    return place;
}

/* Stores a short name in its slot for later events; returns the slot. */
static unsigned keep_name(const struct json_reader *r, unsigned place, struct scan_word word,
                          unsigned node) {
    struct record_name *name = &r->record->habits.name[place];
    char bytes[SCAN_BYTES], mask[SCAN_BYTES] = {0};
    memcpy(bytes, &word.first, sizeof word.first);
    memcpy(bytes + sizeof word.first, &word.second, sizeof word.second);
    bytes[word.len] = '"';
    bytes[word.len + 1] = ':';
    name->len = (uint8_t)(word.len + 2);
    name->node = (uint16_t)node;
    json_usual_learn(r->fields, name);
    memset(mask, 0xff, name->len);
    memcpy(&name->first, bytes, sizeof name->first);
    memcpy(&name->second, bytes + sizeof name->first, sizeof name->second);
    memcpy(&name->first_mask, mask, sizeof name->first_mask);
    memcpy(&name->second_mask, mask + sizeof name->first_mask, sizeof name->second_mask);
    return place;
}

/* Reads a top-level name other than the expected one, and expects it next time after the same
 * name. */
static const char *read_other_name(struct json_reader *r, const char *at, unsigned *node) {
    struct record_name *names = r->record->habits.name;
    const struct scan_word word = json_short(&r->source.scan, at + 1);
    unsigned place = RECORD_NAME_OTHER;
    *node = FIELD_UNKNOWN;
    if (word.len == SCAN_BYTES) {
        at = read_any_name(r, at, FIELD_ROOT + FIELD_JSON, node);
    } else {
        const char *bytes = scan_readable(&r->source.scan, at + 1);
        const unsigned own = find_place(names, word, bytes);
        if (json_is_name(&names[own], bytes)) {
            place = own;
            *node = names[own].node;
        } else {
            const struct field_name name = {at + 1, word.len, word.first, word.second};
            *node = field_find(r->fields, FIELD_ROOT + FIELD_JSON, &name);
            const bool keeps = names[own].len == 0 || r->record->habits.others++ % OTHERS == 0;
            if (keeps && word.len + 2 <= SCAN_BYTES && bytes[word.len + 1] == ':') {
                place = keep_name(r, own, word, *node);
            }
        }
        *node = claim_member(r, *node);
        at += word.len + 2;
    }
    names[r->previous].next = (uint8_t)place;
    r->previous = place;
    return at;
}

/* Skips from the end of a name to after its colon. */
static inline const char *read_colon(struct json_reader *r, const char *at) {
    char byte;
    if (at == NULL) {
        return NULL;
    }
    at = json_skip_blanks(&r->source, at, &byte);
    return byte == ':' ? at + 1 : json_fail(&r->source, "':'", at);
}

/* Reads a top-level name and its colon. Most senders write their members in a fixed order, so each
 * is expected after the one that it followed before. */
static inline const char *read_top_name(struct json_reader *r, const char *at, unsigned *node) {
    const struct record_name *names = r->record->habits.name;
    const unsigned place = names[r->previous].next;
    if (json_is_name(&names[place], scan_readable(&r->source.scan, at + 1))) {
        *node = claim_member(r, names[place].node);
        r->previous = place;
        return at + names[place].len + 1;
    }
    return read_colon(r, read_other_name(r, at, node));
}

/* Reads an object's members, from its brace. under: the node of the object's name, if declared
 * names are below it. */
static const char *read_object(struct json_reader *r, const char *at, unsigned under,
                               unsigned depth) {
    char byte;
    at = json_skip_blanks(&r->source, at + 1, &byte);
    if (byte == '}') {
        return at + 1;
    }
    for (;;) {
        unsigned node;
        if (byte != '"') {
            return json_fail(&r->source, "a member's name in quotes", at);
        }
        if (depth == 1 && *(at = json_usual_members(r, at)) == '}') {
            return at + 1;
        }
        at = depth == 1 ? read_top_name(r, at, &node)
                        : read_colon(r, read_name(r, at, under, &node));
        if (at == NULL) {
            return NULL;
        }
        at = json_skip_blanks(&r->source, at, &byte);
        if ((at = read_value(r, at, node, depth)) == NULL) {
            return NULL;
        }
        at = json_skip_blanks(&r->source, at, &byte);
        if (byte == '}') {
            return at + 1;
        }
        if (byte != ',') {
            return json_fail(&r->source, "',' or '}'", at);
        }
        at = json_skip_blanks(&r->source, at + 1, &byte);
    }
}

static const char *read_array(struct json_reader *r, const char *at, unsigned depth) {
    char byte;
    at = json_skip_blanks(&r->source, at + 1, &byte);
    if (byte == ']') {
        return at + 1;
    }
    for (;;) {
        if ((at = read_any(r, at, FIELD_UNKNOWN, depth)) == NULL) {
            return NULL;
        }
        at = json_skip_blanks(&r->source, at, &byte);
        if (byte == ']') {
            return at + 1;
        }
        if (byte != ',') {
            return json_fail(&r->source, "',' or ']'", at);
        }
        at = json_skip_blanks(&r->source, at + 1, &byte);
    }
}

static const char *read_container(struct json_reader *r, const char *at, unsigned node,
                                  unsigned depth) {
    if (depth > DEPTH_MAX) {
        if (r->source.why) {
            snprintf(r->source.why, RECORD_WHY_MAX, "nested deeper than %d at character %zu",
                     DEPTH_MAX, (size_t)(at - r->source.scan.text) + 1);
        }
        return NULL;
    }
    const bool inner = node != FIELD_UNKNOWN && r->fields->node[node].inner;
    return *at == '{' ? read_object(r, at, inner ? node : FIELD_UNKNOWN, depth)
                      : read_array(r, at, depth);
}

void json_event_begin(struct json_reader *r, struct record *record, const struct fields *fields) {
    r->fields = fields;
    r->record = record;
    r->seen[0] = 0;
    if (__builtin_expect(fields->nodes >= JSON_SEEN_BITS, false)) {
        memset(r->seen, 0, (fields->nodes / JSON_SEEN_BITS + 1) * sizeof r->seen[0]);
    }
    r->time.kind = TIME_NONE;
    r->time.rank = FIELD_NO_TIME;
    r->time.twice = FIELD_NO_TIME;
    r->previous = RECORD_NAME_BEGIN;
    struct record_habits *habits = &record->habits;
    if (habits->fields != fields->number) {
        memset(habits->name, 0, sizeof habits->name);
        habits->fields = fields->number;
    }
}

const char *json_event_read(struct json_reader *r, const char *at) {
    return read_object(r, at, FIELD_ROOT + FIELD_JSON, 1);
}
