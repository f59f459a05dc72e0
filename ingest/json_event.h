/* One object of JSON as an event: its values are checked and passed over; what stands under a
 * declared name is taken on the way, and which member is the event's time is noted. For
 * json_record.c. */
#ifndef AFORO_INGEST_JSON_EVENT_H
#define AFORO_INGEST_JSON_EVENT_H

#include "ingest/field_names.h"
#include "ingest/json_token.h"

enum json_time_kind { TIME_NONE, TIME_STRING, TIME_NUMBER, TIME_OTHER, TIME_READ };

/* The best of the members seen so far that may be the event's time. */
struct json_time {
    enum json_time_kind kind;
    unsigned rank;
    unsigned twice; /* the best of those that were there more than once; FIELD_NO_TIME: none */
    struct json_string value;
    int64_t us; /* TIME_READ: it is known already */
};

#define JSON_SEEN_BITS 64

struct json_reader {
    struct json_source source;
    const struct fields *fields;
    struct record *record;
    struct json_time time;
    unsigned previous; /* the place of the name before, of the top level */
    /* a bit for each node that was there: the same member once more does not count */
    uint64_t seen[FIELD_NODES_MAX / JSON_SEEN_BITS + 1];
};

/* The source is the caller's to begin. */
void json_event_begin(struct json_reader *r, struct record *record, const struct fields *fields);

/* Reads from its brace on; returns where it ended, or NULL after why was said. */
const char *json_event_read(struct json_reader *r, const char *at);

#endif
