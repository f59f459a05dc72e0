/* Reads one JSON object as an event: checks and skips its values, takes those under declared names
 * on the way, and remembers which member is the event time. For json_record.c and json_lines.c. */
#ifndef AFORO_INGEST_JSON_EVENT_H
#define AFORO_INGEST_JSON_EVENT_H

#include "ingest/field_names.h"
#include "ingest/json_token.h"

enum json_time_kind { TIME_NONE, TIME_STRING, TIME_NUMBER, TIME_OTHER, TIME_READ };

/* The best candidate for the event time among the members seen so far. */
struct json_time {
    enum json_time_kind kind;
    unsigned rank;
    unsigned twice; /* best rank of those that occurred twice; FIELD_NO_TIME: none */
    struct json_string value;
    int64_t us; /* TIME_READ: already parsed */
};

#define JSON_SEEN_BITS 64

struct json_reader {
    struct json_source source;
    const struct fields *fields;
    struct record *record;
    struct json_time time;
    unsigned previous; /* slot of the previous top-level name */
    /* one bit per node that occurred: a repeated member does not count */
    uint64_t seen[FIELD_NODES_MAX / JSON_SEEN_BITS + 1];
};

/* The caller begins r->source. */
void json_event_begin(struct json_reader *r, struct record *record, const struct fields *fields);

/* Reads an object from its opening brace. Returns where it ends, or NULL after explaining why in
 * the source. */
const char *json_event_read(struct json_reader *r, const char *at);

#endif
