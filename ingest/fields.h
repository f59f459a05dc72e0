/* What is looked for in an event beside its time: declared fields, each with the places where it
 * may be. Built once from definitions; then constant, any thread. */
#ifndef AFORO_INGEST_FIELDS_H
#define AFORO_INGEST_FIELDS_H

#include "include/aforo/measure.h"
#include "ingest/timestamp_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELDS_MAX 64
#define FIELD_NAME_MAX 32   /* with its NUL: [A-Za-z0-9_], no digit first */
#define FIELD_TEXT_MAX 1024 /* bytes of a value; a longer one is unfit */
#define FIELD_PLACES_MAX 8
#define FIELD_PLACE_MAX 128 /* bytes of a place's name, with its NUL */
#define FIELD_TIMES_MAX 8   /* names of the event time */
#define FIELD_DECIMALS_MAX 9

enum field_source {
    FIELD_FORM,   /* form.NAME: a form in the body */
    FIELD_QUERY,  /* query.NAME: of the request target */
    FIELD_JSON,   /* json.PATH: members of objects, separated by dots; no empty names */
    FIELD_LINE,   /* line.NAME: NAME=value on a text line */
    FIELD_HEADER, /* header.NAME of the request, shared by all of its events */
    FIELD_SOURCES
};

enum field_type { FIELD_TEXT, FIELD_INT, FIELD_DECIMAL };

struct field_place {
    enum field_source source;
    char name[FIELD_PLACE_MAX];
};

struct field {
    char name[FIELD_NAME_MAX];
    enum field_type type;
    unsigned decimals; /* FIELD_DECIMAL: 1 .. FIELD_DECIMALS_MAX */
    unsigned places;   /* the first place that has a value counts */
    struct field_place place[FIELD_PLACES_MAX];
};

struct fields_config {
    unsigned n;
    struct field field[FIELDS_MAX];
    unsigned times; /* names of the event time beside `value`; 0: the default ones */
    char time[FIELD_TIMES_MAX][FIELD_NAME_MAX];
};

struct fields;

/* Compiles a configuration. NULL when memory runs out. The caller frees it with fields_free. */
struct fields *fields_new(const struct fields_config *config);
void fields_free(struct fields *fields);

/* The declared fields, i < fields_count; owned by `fields`. */
unsigned fields_count(const struct fields *fields);
const struct field *fields_at(const struct fields *fields, unsigned i);

/* The name of each header that some field may be in: i = 0, 1, ...; NULL after the last. */
const char *fields_header(const struct fields *fields, unsigned i);

/* Whether any field is looked for in this source. */
bool fields_use(const struct fields *fields, enum field_source source);

/* The same, under this name; not for FIELD_HEADER. Of JSON, only names at the top level. */
bool fields_use_name(const struct fields *fields, enum field_source source, const char *name);

/* ---- one event, as it was received ---- */

/* A name at the top level of JSON with its closing quote and its colon, in a form that can be
 * compared at once with the text where it is expected. */
struct record_name {
    uint64_t first, second;           /* sixteen bytes */
    uint64_t first_mask, second_mask; /* the bytes that count */
    uint64_t node_bit, field_bit;     /* in `seen` and in `present` */
    uint16_t node;                    /* its node in the table */
    uint8_t len;                      /* with quote and colon; 0: no name */
    uint8_t next;                     /* slot of the name that followed it */
    uint8_t usual, field, rank;       /* how its value is read: json_usual.h */
};

/* Slots that are no name: before the first member, and for names without a slot. */
enum { RECORD_NAME_BEGIN, RECORD_NAME_OTHER, RECORD_NAMES_NONE };
#define RECORD_NAMES 64

/* What one event suggests about the next. It affects speed only. */
struct record_habits {
    uint64_t fields; /* `number` of the fields that these nodes belong to */
    unsigned others; /* names that found no empty slot */
    struct record_name name[RECORD_NAMES_NONE + RECORD_NAMES];
    struct timestamp_layouts times;
};

/* Why a field is unfit; stored as the `number` of its value. */
enum field_unfit {
    FIELD_NOT_OF_ITS_TYPE,
    FIELD_TOO_LONG, /* or the room was used up */
    FIELD_IS_ARRAY,
    FIELD_IS_OBJECT
};

/* Values point into the text that was read, or into `room` when they had to be decoded, and are
 * valid as long as both. Must be all zeros, except for the room, before it is first used. */
struct record {
    bool timed;    /* the event has a time of its own: us */
    bool timeless; /* set by the caller: an event needs no time of its own */
    int64_t us;
    uint64_t present, unfit; /* bit i: field i was there; it was there but is not of its type */
    struct aforo_value value[FIELDS_MAX];
    uint8_t rank[FIELDS_MAX]; /* which of its places the value is from; lower wins */
    char *room;               /* for decoded values; the caller's */
    size_t room_len, room_used;
    struct record_habits habits; /* used by the readers only */
};

/* Empties the record for the next event; the whole room is free again. */
static inline void record_begin(struct record *record) {
    record->timed = false;
    record->present = record->unfit = 0;
    record->room_used = 0;
}

/* Takes text[0..len), found in place number `rank`, as the value of field i; a value from an
 * earlier place, or the first from the same place, wins. Numbers are read as number.h describes,
 * whatever the source. The value of an unfit field is AFORO_ABSENT, and its number tells why (enum
 * field_unfit). The text is not copied. */
void record_take(struct record *record, const struct fields *fields, unsigned i, unsigned rank,
                 const char *text, size_t len);

/* The same for the value of header number `header` (fields_header), for every field that may be in
 * it. */
void record_take_header(struct record *record, const struct fields *fields, unsigned header,
                        const char *text, size_t len);

/* Adds the fields found in the request (query, headers) to one of its events. The caller handles
 * the time. */
void record_inherit(struct record *record, const struct record *request);

/* ---- from the bodies ----
 *
 * Each function adds to a record that the caller has begun. After any result but RECORD_EVENT the
 * record's contents are undefined. No byte beyond text[0..len) is read. A room of len bytes
 * suffices for one text; a value that no longer fits into the room is unfit. */

#define RECORD_WHY_MAX 192

enum record_outcome {
    RECORD_EVENT,    /* the record is filled; only a timeless one may lack a time */
    RECORD_EMPTY,    /* nothing there */
    RECORD_MALFORMED /* `why` says what is wrong, and where */
};

/* Reads the fields of a complete form or query, application/x-www-form-urlencoded, but not its time
 * (see form.h). False when an escape is broken; then nothing was taken. */
bool record_read_form(struct record *record, const struct fields *fields, enum field_source source,
                      const char *text, size_t len);

/* Reads one JSON object, followed by nothing but blanks (RFC 8259), with a scanner: no tree, no
 * allocation. Its time is `value`, or the first of the names of event times that is present: a
 * string as accepted by timestamp_parse, or a number. The event is malformed when that member
 * occurs twice, or when none is present and the record is not timeless. Of any other member that
 * occurs twice, the first counts. */
enum record_outcome record_read_json(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]);

/* Reads one line without its end: TIMESTAMP name=value name="quoted value" ... (logfmt). The
 * timestamp may contain one blank (between date and time); it may also be given as a pair, as in
 * JSON. */
enum record_outcome record_read_line(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]);

#endif
