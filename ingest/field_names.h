/* The declared names of fields, to be looked up while an event is read: all in one open-addressed
 * table of which a quarter at most is used, told apart by the name they stand under, length and
 * bytes. The names of JSON paths make a tree; those of forms, queries and lines stand under one
 * root each.
 *
 *   fields  a: json.id   b: json.user.id      nodes   root of JSON -+- "id"    fields a
 *                                                                   +- "user" -- "id"  fields b
 *
 * Only for the files that read events, and fields.c, which makes it. Constant; any thread. */
#ifndef AFORO_INGEST_FIELD_NAMES_H
#define AFORO_INGEST_FIELD_NAMES_H

#include "ingest/fields.h"

#include <string.h>

#define FIELD_NO_TIME 0xff /* time of a name that is not one of the event's time */
#define FIELD_TARGETS_MAX (FIELDS_MAX * FIELD_PLACES_MAX)
/* A path of FIELD_PLACE_MAX - 1 bytes has names of one byte, and points between them. */
#define FIELD_NODES_MAX (FIELD_TARGETS_MAX * FIELD_PLACE_MAX / 2 + FIELD_SOURCES + 32)

/* A name that is found is a number, its node; 0: it is not declared. */
enum { FIELD_UNKNOWN = 0, FIELD_ROOT = 1 /* + enum field_source */ };

/* What a value found under a name is for. */
struct field_target {
    uint8_t field, rank;
};

struct field_node {
    uint16_t target, targets; /* fields->target[target ..] */
    uint8_t time;             /* the lower the sooner it is the event's time, or FIELD_NO_TIME */
    bool inner;               /* names stand under it */
};

/* A place of the table; len 0 with node 0 is empty. */
struct field_entry {
    uint64_t first, last; /* up to eight bytes from its front; the last eight when it has more */
    const char *name;
    uint16_t len, under, node;
};

struct fields {
    struct field_node *node;
    unsigned nodes;
    uint32_t mask; /* places of the table - 1 */
    struct field_entry *entry;
    struct field_target target[FIELD_TARGETS_MAX];
    unsigned headers;
    const char *header[FIELD_TARGETS_MAX];
    bool used[FIELD_SOURCES];
    struct fields_config config;
};

/* A name as it is compared: its bytes, and the words of them that tell most names apart. */
struct field_name {
    const char *text;
    size_t len;
    uint64_t first, last;
};

static inline uint64_t field_eight(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* A name of which eight bytes can be read, whatever its length. Those beyond it do not count. */
static inline struct field_name field_name_readable(const char *text, size_t len) {
    struct field_name name = {text, len, field_eight(text), 0};
    if (len > 8) {
        name.last = field_eight(text + len - 8);
    } else if (len < 8) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        name.first &= ~(~UINT64_C(0) >> (8 * len));
#else
        name.first &= ~(~UINT64_C(0) << (8 * len));
#endif
    }
    return name;
}

static inline struct field_name field_name_of(const char *text, size_t len) {
    if (len >= 8) {
        return field_name_readable(text, len);
    }
    struct field_name name = {text, len, 0, 0};
    memcpy(&name.first, text, len);
    return name;
}

static inline uint32_t field_hash(unsigned under, const struct field_name *name) {
    const uint64_t mixed = (name->first ^ (name->last << 7 | name->last >> 57)) +
                           (uint64_t)under * UINT64_C(0x9e3779b97f4a7c15) + name->len;
    return (uint32_t)((mixed * UINT64_C(0xff51afd7ed558ccd)) >> 32);
}

/* The node of a name that stands under another, or FIELD_UNKNOWN. */
static inline unsigned field_find(const struct fields *fields, unsigned under,
                                  const struct field_name *name) {
    for (uint32_t i = field_hash(under, name);; i++) {
        const struct field_entry *entry = &fields->entry[i & fields->mask];
        if (entry->node == FIELD_UNKNOWN) {
            return FIELD_UNKNOWN;
        }
        if (entry->first == name->first && entry->last == name->last && entry->len == name->len &&
            entry->under == under &&
            (name->len <= 16 || memcmp(entry->name, name->text, name->len) == 0)) {
            return entry->node;
        }
    }
}

/* The name of the event's time of that rank. */
const char *field_time_name(const struct fields *fields, unsigned rank);

/* Takes a value for every field that is looked for under a name. */
void field_take(const struct fields *fields, unsigned node, struct record *record, const char *text,
                size_t len);

/* The same for a value that no type takes: an object, an array, or one for which there is no room.
 */
void field_take_unfit(const struct fields *fields, unsigned node, struct record *record);

#endif
