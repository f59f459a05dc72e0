/* Fast path for top-level members that look like those of the event before: the same names in the
 * same order, each with a short value of the same type and no blanks. It reads them without looking
 * up their names. It accepts only what the general reader in json_event.c accepts; for anything
 * else it gives up, and the caller uses that one. */
#ifndef AFORO_INGEST_JSON_USUAL_H
#define AFORO_INGEST_JSON_USUAL_H

#include "ingest/json_event.h"

/* Whether sixteen bytes begin with a name, its quote and its colon. */
static inline bool json_is_name(const struct record_name *name, const char *bytes) {
    uint64_t first, second;
    memcpy(&first, bytes, sizeof first);
    memcpy(&second, bytes + sizeof first, sizeof second);
    const uint64_t differs =
        ((first ^ name->first) & name->first_mask) | ((second ^ name->second) & name->second_mask);
    return differs == 0 && name->len > 0;
}

/* Sets how values under this name are read; name->node must be set. */
void json_usual_learn(const struct fields *fields, struct record_name *name);

/* Reads the event time when its value looks like the one before and needs no further check: a
 * string of digits and signs, or a number. Returns where it ends, or NULL, with nothing taken, for
 * any other value. `time` is the rank of its name, under which no field is looked for. */
const char *json_usual_time(struct json_reader *r, const char *at, unsigned time);

/* Reads members, starting at the quote of a name, as long as they are usual. Returns the quote of
 * the first one that is not, or the brace that ends the object. */
const char *json_usual_members(struct json_reader *r, const char *at);

#endif
