/* One body of application/x-www-form-urlencoded -> one event time. Pure and streaming: memory does
 * not grow with the body. Any thread, one `struct form` per body.
 *
 * The field `value` holds the timestamp; other fields may precede or follow it. `+` and `%xx` are
 * decoded in names and values, so an offset ahead of UTC must be sent as %2B01:00: a `+` is a
 * blank. A blank, a colon and any other byte except & = % + need not be escaped. One LF or CRLF at
 * the very end of the body is ignored (files and `echo` add one). The body is malformed when it has
 * two `value` fields or an empty one, a broken %-escape in any field, or no `value` although it is
 * not empty; of several faults the first is reported. Input that is no form at all (JSON,
 * multipart, bare times) is recognized by its first bytes, so that the message can say what is
 * accepted instead.
 *
 * The query of a request target is read the same way, but need not have a `value`. */
#ifndef AFORO_INGEST_FORM_H
#define AFORO_INGEST_FORM_H

#include "common/percent.h"
#include "ingest/timestamp.h"

#define FORM_WHY_MAX 192

enum form_outcome {
    FORM_EVENT,    /* *us is the event time */
    FORM_EMPTY,    /* the body has no bytes: count at the arrival time */
    FORM_MALFORMED /* `why` says what is wrong and where, e.g. "value: month 13 is out of range" */
};

enum form_source { FORM_BODY, FORM_QUERY };

struct form {
    char value[TIMESTAMP_MAX];
    uint64_t at;             /* bytes of the body decoded so far */
    uint64_t fault_at;       /* position of a broken escape's '%', counted from 1 */
    uint64_t pluses;         /* bit i: the blank value[i] was sent as '+' */
    unsigned char value_len; /* TIMESTAMP_MAX + 1 when too long for value[] */
    unsigned char phase;     /* in a name, in the value of `value`, or in another's */
    /* bytes of "value" that the current name has matched; a sentinel when it cannot match */
    unsigned char name_match;
    struct percent escape; /* a %xx that has begun */
    unsigned char values;  /* `value` fields seen, counted up to 2 */
    unsigned char fault;
    /* bytes of an LF or CRLF that may end the body: not decoded yet */
    unsigned char line_end;
    char first[2];        /* the first byte that is no blank or line end, and its successor */
    unsigned char firsts; /* how many of these are known */
    bool empty;
};

/* Starts a body; then feed it in pieces of any size. */
void form_begin(struct form *form);
void form_feed(struct form *form, const char *data, size_t len);
/* Ends the body. `why` (FORM_WHY_MAX bytes) receives a NUL-terminated text, only when malformed. */
enum form_outcome form_end(const struct form *form, int64_t *us, char *why);

/* Ends a query, or the body of a request whose query has a `value`. The same, except that it is
 * FORM_EMPTY without a `value`; a body must still be a valid form. */
enum form_outcome form_end_optional(const struct form *form, enum form_source source, int64_t *us,
                                    char *why);

/* Ends a body that needs no `value`. Without one it is FORM_EMPTY, or malformed when it begins like
 * a timestamp, which then was probably meant as one. */
enum form_outcome form_end_timeless(const struct form *form, int64_t *us, char *why);

/* Whether there was a `value` field; to be called after everything was fed. */
bool form_has_value(const struct form *form);

/* Parses a complete body: the same result as begin, feed and end, with a fast path for a body that
 * is just "value=<timestamp>". */
enum form_outcome form_parse(const char *body, size_t len, int64_t *us, char *why);

#endif
