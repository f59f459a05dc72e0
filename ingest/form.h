/* One body of application/x-www-form-urlencoded -> one event time. Pure and streaming: memory
 * does not grow with the body; any thread, one `struct form` per body.
 *
 * The field `value` carries the timestamp; other fields may stand before or after it; `+` and `%xx`
 * are decoded in names and values. So an offset ahead of UTC must be sent as %2B01:00: a `+` is a
 * blank. A blank, a colon and any other byte but & = % + may stand for itself. One LF or CRLF at
 * the very end of the body is passed over (files and `echo` bring one along). Two `value` fields,
 * an empty one, a broken %-escape (in whatever field) or none in a body that is not empty are
 * malformed; of several faults the first is told. What is no form at all (JSON, multipart, bare
 * times) is told apart by its first bytes, to say what is taken instead.
 *
 * The query of a target is read the same way, and need not have a `value`. */
#ifndef AFORO_INGEST_FORM_H
#define AFORO_INGEST_FORM_H

#include "common/percent.h"
#include "ingest/timestamp.h"

#define FORM_WHY_MAX 192

enum form_outcome {
    FORM_EVENT,    /* *us is the event time */
    FORM_EMPTY,    /* the body had no byte: count at arrival time */
    FORM_MALFORMED /* why says what is wrong and where, e.g. "value: month 13 is out of range" */
};

enum form_source { FORM_BODY, FORM_QUERY };

struct form {
    char value[TIMESTAMP_MAX];
    uint64_t at;             /* bytes of the body decoded so far */
    uint64_t fault_at;       /* of a broken escape: its '%', counted from 1 */
    uint64_t pluses;         /* bit i: value[i] is a blank that was sent as '+' */
    unsigned char value_len; /* TIMESTAMP_MAX + 1 when it was longer than value[] */
    unsigned char phase;     /* in a name, in a value that is ours, in another's */
    /* bytes of "value" that the current name has matched; a sentinel when it cannot match */
    unsigned char name_match;
    struct percent escape; /* a %xx under way */
    unsigned char values;  /* `value` fields seen, counted up to 2 */
    unsigned char fault;
    /* bytes of an LF or CRLF that may be the end of the body: not decoded yet */
    unsigned char line_end;
    char first[2];        /* the first byte that is no blank or line end, and the one after it */
    unsigned char firsts; /* how many of these are there */
    bool empty;
};

void form_begin(struct form *form);
void form_feed(struct form *form, const char *data, size_t len);
/* Ends the body. why: FORM_WHY_MAX bytes, NUL-terminated, written only when malformed. */
enum form_outcome form_end(const struct form *form, int64_t *us, char *why);

/* Ends a query, or the body beside a query that has a `value`: the same, but without a `value` it
 * is FORM_EMPTY; a body must be a form all the same. */
enum form_outcome form_end_optional(const struct form *form, enum form_source source, int64_t *us,
                                    char *why);

/* Ends a body that needs no `value`: without one it is FORM_EMPTY, but malformed when it begins as
 * a timestamp does, which was meant to be one. */
enum form_outcome form_end_timeless(const struct form *form, int64_t *us, char *why);

/* Whether a `value` field was there; after everything was fed. */
bool form_has_value(const struct form *form);

/* The whole body at once: the same answer as begin, feed, end, with a fast way for
 * "value=<timestamp>" alone. */
enum form_outcome form_parse(const char *body, size_t len, int64_t *us, char *why);

#endif
