/* What is looked for in an event beside its time: declared fields, each with the places where it
 * may stand. Made once, from definitions; then constant, any thread. */
#ifndef AFORO_INGEST_FIELDS_H
#define AFORO_INGEST_FIELDS_H

#include "include/aforo/measure.h"
#include "ingest/timestamp_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELDS_MAX 64
#define FIELD_NAME_MAX 32   /* with its NUL: [A-Za-z0-9_], not beginning with a digit */
#define FIELD_TEXT_MAX 1024 /* bytes of a value; a longer one is unfit */
#define FIELD_PLACES_MAX 8
#define FIELD_PLACE_MAX 128 /* bytes of a place's name, with its NUL */
#define FIELD_TIMES_MAX 8   /* names of the event's time */
#define FIELD_DECIMALS_MAX 9

enum field_source {
    FIELD_FORM,   /* form.NAME: a form in the body */
    FIELD_QUERY,  /* query.NAME: of the target */
    FIELD_JSON,   /* json.PATH: members of objects, parted by points; none without a name */
    FIELD_LINE,   /* line.NAME: NAME=value on a line of text */
    FIELD_HEADER, /* header.NAME of the request, for all of its events */
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
    unsigned places;   /* the first of them that is there counts */
    struct field_place place[FIELD_PLACES_MAX];
};

struct fields_config {
    unsigned n;
    struct field field[FIELDS_MAX];
    unsigned times; /* names of the event's time beside `value`; 0: the usual ones */
    char time[FIELD_TIMES_MAX][FIELD_NAME_MAX];
};

struct fields;

/* NULL when out of memory. The caller frees it with fields_free. */
struct fields *fields_new(const struct fields_config *config);
void fields_free(struct fields *fields);

unsigned fields_count(const struct fields *fields);
const struct field *fields_at(const struct fields *fields, unsigned i);

/* The name of a header that some field may be in, for i = 0, 1, ...; NULL after the last. */
const char *fields_header(const struct fields *fields, unsigned i);

/* Whether any field may stand in such a place. */
bool fields_use(const struct fields *fields, enum field_source source);

/* ---- one event, as it came ---- */

/* A member's name of the top level of JSON and the quote behind it, to be compared at once with
 * what stands where it is expected. */
struct record_name {
    uint64_t first, second;           /* sixteen bytes */
    uint64_t first_mask, second_mask; /* those that count */
    uint64_t node_bit, field_bit;     /* of what is seen, and of what is present */
    uint16_t node;                    /* what is looked for under it */
    uint8_t len;                      /* with its quote; 0: no name */
    uint8_t next;                     /* the place of the name that came after it */
    uint8_t usual, field, rank;       /* how its value is read: json_usual.h */
};

/* Places that have no name: before the first member, and of names that have no place. */
enum { RECORD_NAME_BEGIN, RECORD_NAME_OTHER, RECORD_NAMES_NONE };
#define RECORD_NAMES 64

/* What one event lets expect of the next: nothing depends on it but time. */
struct record_habits {
    uint64_t fields; /* whose nodes these are: their number */
    unsigned others; /* names that found no empty place */
    struct record_name name[RECORD_NAMES_NONE + RECORD_NAMES];
    struct timestamp_layouts times;
};

/* Why a field is unfit: the `number` of its value. */
enum field_unfit {
    FIELD_NOT_OF_ITS_TYPE,
    FIELD_TOO_LONG, /* or without a place in the room */
    FIELD_IS_ARRAY,
    FIELD_IS_OBJECT
};

/* Values point into the text that was read, or into `room` where they had to be decoded: they are
 * there as long as both. All zeros but for the room before it is first begun. */
struct record {
    bool timed;    /* the event carries a time: us */
    bool timeless; /* the caller's: an event needs no time of its own */
    int64_t us;
    uint64_t present, unfit; /* bit i: field i was there; it was there and is not of its type */
    struct aforo_value value[FIELDS_MAX];
    uint8_t rank[FIELDS_MAX]; /* which of its places it was found in; lower wins */
    char *room;               /* for decoded values: the caller's */
    size_t room_len, room_used;
    struct record_habits habits; /* the readers' own */
};

/* Empties the record for the next event; room stays, its use begins anew. */
static inline void record_begin(struct record *record) {
    record->timed = false;
    record->present = record->unfit = 0;
    record->room_used = 0;
}

/* Takes a value for field i: text[0..len), found in its place number `rank`; a value from an
 * earlier place, or the first of the same place, stays. Reads numbers as number.h says, wherever
 * they come from. The value of an unfit field is AFORO_ABSENT, and its number says why it is unfit
 * (enum field_unfit). The text is not copied. */
void record_take(struct record *record, const struct fields *fields, unsigned i, unsigned rank,
                 const char *text, size_t len);

/* The same for the value of header number `header` (fields_header), for every field that may be in
 * it. */
void record_take_header(struct record *record, const struct fields *fields, unsigned header,
                        const char *text, size_t len);

/* Adds the fields that were found for a whole request (query, headers) to one of its events. The
 * time is left to the caller. */
void record_inherit(struct record *record, const struct record *request);

/* ---- from the bodies ----
 *
 * Each adds to the record, which the caller has begun; after anything but RECORD_EVENT what is in
 * it is of no account. No byte beyond text[0..len) is read. A room of len bytes is enough for one
 * text; a value for which the room has no place left is unfit. */

#define RECORD_WHY_MAX 192

enum record_outcome {
    RECORD_EVENT,    /* the record is filled; without a time only when it is timeless */
    RECORD_EMPTY,    /* nothing there */
    RECORD_MALFORMED /* why says what is wrong, and where */
};

/* Fields of a form or a query, application/x-www-form-urlencoded, whole; its time is not looked at
 * (form.h does that). False, and nothing taken, when an escape is broken. */
bool record_read_form(struct record *record, const struct fields *fields, enum field_source source,
                      const char *text, size_t len);

/* One JSON object, and nothing but blanks after it, RFC 8259. A scanner over the text: no tree, no
 * allocation. Its time: `value`, or the first of the names of times that is there: a string as
 * timestamp_parse takes it, or a number; when that is there twice, or none of them and the record
 * is not timeless, the event is malformed. Of any other member that is there twice the first
 * counts. */
enum record_outcome record_read_json(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]);

/* One line, without its end: TIMESTAMP name=value name="quoted value" ... (logfmt). The timestamp
 * may have one blank within (between day and time); it may stand as a pair, as in JSON. */
enum record_outcome record_read_line(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]);

#endif
