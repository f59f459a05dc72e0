/* A kept line -> the event as it was when it was counted: its fields, read by the same functions.
 * By one thread each. */
#ifndef AFORO_REPLAY_EVENT_H
#define AFORO_REPLAY_EVENT_H

#include "eventlog/parts.h"
#include "ingest/fields.h"
#include "ingest/json_lines.h"

/* as much as a server has: for one event, and for what its request gives to it */
#define REPLAY_ROOM (64 << 10)
#define REPLAY_SHARED_ROOM (8 << 10)

struct replay_event {
    const struct fields *fields; /* NULL: nothing is looked for */
    struct record record;        /* the event that was read last */
    struct record shared;        /* what its request gave to it */
    struct json_lines objects;   /* the lines that it is among */
    struct line_parts parts;
    char *parts_room; /* [parts_cap] */
    size_t parts_cap;
    char room[REPLAY_ROOM], shared_room[REPLAY_SHARED_ROOM];
};

/* NULL when out of memory. */
struct replay_event *replay_event_new(const struct fields *fields);
void replay_event_free(struct replay_event *event);

/* Reads a line that line_scan has found into event->record, with the time that it was counted at.
 * False: its body cannot be read as it was then; the record has its time alone. */
bool replay_event_read(struct replay_event *event, const char *text,
                       const struct line_found *found);

/* The same of a line that line_scan_object has found; event->objects was begun with the lines that
 * it stands among. Returns the line's length; 0 when there is more behind the object, or it cannot
 * be read: replay_event_read then has to. */
size_t replay_event_read_object(struct replay_event *event, const char *text,
                                const struct line_found *found);

#endif
