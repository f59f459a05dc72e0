/* The declared names of fields, looked up while an event is read. They are all in one
 * open-addressed table that is at most a quarter full, keyed by parent, length and bytes. The names
 * in JSON paths form a tree; those of forms, queries and lines are under one root each.
 *
 *   fields  a: json.id   b: json.user.id      nodes   root of JSON -+- "id"    fields a
 *                                                                   +- "user" -- "id"  fields b
 *
 * Only for the files that read events, and fields.c, which builds it. Constant; any thread. */
#ifndef AFORO_INGEST_FIELD_NAMES_H
#define AFORO_INGEST_FIELD_NAMES_H

#include "ingest/fields.h"

#include <string.h>

#define FIELD_NO_TIME 0xff /* time of a name that never is the event time */
#define FIELD_TARGETS_MAX (FIELDS_MAX * FIELD_PLACES_MAX)
/* A path of FIELD_PLACE_MAX - 1 bytes may consist of one-byte names with dots between them. */
#define FIELD_NODES_MAX (FIELD_TARGETS_MAX * FIELD_PLACE_MAX / 2 + FIELD_SOURCES + 32)

/* A name's node number; FIELD_UNKNOWN: it is not declared. */
enum { FIELD_UNKNOWN = 0, FIELD_ROOT = 1 /* + enum field_source */ };

/* What a value found under a name is used for. */
struct field_target {
    uint8_t field, rank;
    uint8_t decimals; /* of a number; FIELD_NO_NUMBER for text */
};

#define FIELD_NO_NUMBER 0xff

struct field_node {
    uint16_t target, targets; /* fields->target[target ..] */
    uint8_t time;             /* precedence as the event time, lower first, or FIELD_NO_TIME */
    bool inner;               /* there are names under it */
};

/* A name in the form used for comparison: its length and its first sixteen bytes, padded with
 * zeros. These tell most names apart; of longer names the rest is compared, too. */
struct field_name {
    const char *text;
    size_t len;
    uint64_t first, second;
};

/* A slot of the table; node FIELD_UNKNOWN: empty. */
struct field_entry {
    uint64_t first, second;
    uint32_t key; /* field_key */
    uint32_t node;
    const char *name;
};

struct fields {
    uint64_t number; /* unique: what was learnt with another set does not apply */
    struct field_node *node;
    unsigned nodes;
    uint32_t mask; /* slots of the table - 1 */
    uint64_t seed; /* chosen so that few names collide */
    struct field_entry *entry;
    struct field_target target[FIELD_TARGETS_MAX + 1]; /* one more, for nodes without any */
    unsigned headers;
    const char *header[FIELD_TARGETS_MAX];
    bool used[FIELD_SOURCES];
    struct fields_config config;
};

static inline uint8_t field_decimals(const struct field *field) {
    return field->type == FIELD_TEXT  ? FIELD_NO_NUMBER
           : field->type == FIELD_INT ? 0
                                      : (uint8_t)field->decimals;
}

static inline struct field_name field_name_of(const char *text, size_t len) {
    struct field_name name = {text, len, 0, 0};
    if (len >= 2 * sizeof name.first) {
        memcpy(&name.first, text, sizeof name.first);
        memcpy(&name.second, text + sizeof name.first, sizeof name.second);
    } else {
        char bytes[2 * sizeof name.first] = {0};
        memcpy(bytes, text, len);
        memcpy(&name.first, bytes, sizeof name.first);
        memcpy(&name.second, bytes + sizeof name.first, sizeof name.second);
    }
    return name;
}

/* A name's length and its parent, in one word. */
static inline uint32_t field_key(unsigned under, const struct field_name *name) {
    return under << 16 | (uint32_t)name->len;
}

static inline uint32_t field_hash(uint32_t key, const struct field_name *name, uint64_t seed) {
    const uint64_t mixed = (name->first ^ key) * seed + name->second * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(mixed >> 32);
}

/* The node of a name of less than FIELD_PLACE_MAX bytes under node `under`, or FIELD_UNKNOWN. */
static inline unsigned field_find(const struct fields *fields, unsigned under,
                                  const struct field_name *name) {
    const uint32_t key = field_key(under, name);
    for (uint32_t i = field_hash(key, name, fields->seed);; i++) {
        const struct field_entry *entry = &fields->entry[i & fields->mask];
        const uint64_t differs =
            (entry->first ^ name->first) | (entry->second ^ name->second) | (entry->key ^ key);
        if (differs == 0 && (name->len <= 16 || memcmp(entry->name, name->text, name->len) == 0)) {
            return entry->node;
        }
        if (entry->node == FIELD_UNKNOWN) {
            return FIELD_UNKNOWN;
        }
    }
}

/* Whether a value from that place takes precedence; if so, marks the field as present. */
static inline bool field_claim(struct record *record, unsigned i, unsigned rank) {
    const uint64_t bit = UINT64_C(1) << i;
    if ((record->present & bit) && record->rank[i] <= rank) {
        return false;
    }
    record->present |= bit;
    record->unfit &= ~bit;
    record->rank[i] = (uint8_t)rank;
    return true;
}

/* The name of the event time with that rank. */
const char *field_time_name(const struct fields *fields, unsigned rank);

/* Explains to `why` under which names an event time is expected, for an event that has none. */
void field_explain_no_time(const struct fields *fields, char why[RECORD_WHY_MAX]);

/* Takes a value for every field that is looked for under a name. */
void field_take(const struct fields *fields, unsigned node, struct record *record, const char *text,
                size_t len);

/* The same, but only for the common case: at most one field is looked for under the name, it is not
 * the event time, and the value needs no conversion. `decimals` are those of the type that takes
 * the value as it is. False in any other case; nothing was taken. */
static inline bool field_take_short(const struct fields *fields, unsigned node,
                                    struct record *record, unsigned decimals,
                                    struct aforo_value value) {
    const struct field_node *names = &fields->node[node];
    const struct field_target target = fields->target[names->target];
    if (names->time != FIELD_NO_TIME || names->targets > 1) {
        return false;
    }
    if (names->targets == 1 && target.decimals != decimals) {
        return false;
    }
    if (names->targets == 1 && field_claim(record, target.field, target.rank)) {
        record->value[target.field] = value;
    }
    return true;
}

/* The same for a value that fits no type. */
void field_take_unfit(const struct fields *fields, unsigned node, struct record *record,
                      enum field_unfit why);

/* How long a value may be that is decoded into the unused part of the record's room. */
static inline size_t field_room(const struct record *record) {
    const size_t left = record->room_len - record->room_used;
    return left < FIELD_TEXT_MAX ? left : FIELD_TEXT_MAX;
}

/* Takes the value that was decoded there. It is unfit when it is longer than field_room, since then
 * it is not complete. */
void field_take_room(const struct fields *fields, unsigned node, struct record *record, size_t len);

#endif
