/* Members of the top level that are as those of the event before: the same names in the same order,
 * with a short value of the same type and no blank. They are read without a look at what stands
 * under their names. It takes what the plain reader of json_event.c takes, or nothing: whoever is
 * not served asks that one. */
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

/* How the values under a name are read; into the name, whose node is known. */
void json_usual_learn(const struct fields *fields, struct record_name *name);

/* The event's time at a place when it is as the one before, which needs no other check: a string of
 * digits and signs, or a number. Returns where it ended; NULL, and nothing taken, when it is
 * another. time: the rank of its name, for which no field is looked for. */
const char *json_usual_time(struct json_reader *r, const char *at, unsigned time);

/* Reads members from the quote of a name on while they are usual. Returns the quote of the first
 * one that is not, or the brace that ends the object. */
const char *json_usual_members(struct json_reader *r, const char *at);

#endif
