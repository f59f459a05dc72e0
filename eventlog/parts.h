/* A kept line taken apart again: what the event's body, query and headers were. The other way round
 * of line_write. Pure; any thread. */
#ifndef AFORO_EVENTLOG_PARTS_H
#define AFORO_EVENTLOG_PARTS_H

#include "eventlog/line.h"

/* The most headers that are taken of a line; more are passed over. */
#define PARTS_HEADERS_MAX 64

struct line_part_header {
    struct line_text name, value;
};

/* Bytes as they were sent; text NULL: none. They point into the line, or into the room where they
 * had to be decoded. */
struct line_parts {
    struct line_text query, form, json, line;
    unsigned headers;
    struct line_part_header header[PARTS_HEADERS_MAX];
};

/* Reads what stands in text[0..len) from `at` on, which is where line_scan has left it: behind the
 * times. `room` has as many bytes as the line, at least. False: it is not one of ours. */
bool line_read_parts(const char *text, size_t len, size_t at, char *room, struct line_parts *parts);

/* The second that was read last. All zeros: none yet. */
struct line_reader {
    bool known;
    char front[28]; /* {"time":"2016-05-28T11:11:11 */
    int64_t second_us;
};

enum line_kind {
    LINE_TIME,    /* a counted event that is a time alone */
    LINE_EVENT,   /* a counted event with more */
    LINE_REFUSED, /* `refused` says why */
    LINE_WRONG    /* it is not one of ours */
};

struct line_found {
    enum line_kind kind;
    int64_t time_us;
    int64_t lag_us; /* 0 of one without a time */
    size_t at;      /* where the members behind the times begin */
    size_t len;     /* of the line, with its LF */
    struct line_text refused;
};

/* Finds the line at the front of text[0..len), len > 0, and its times. What line_read says of it,
 * faster where seconds repeat. */
void line_scan(struct line_reader *reader, const char *text, size_t len, struct line_found *found);

/* The same of a line whose second is that of the line before, and behind whose times an object
 * stands: `at` is where that begins, and `len` is left to whoever reads the object to its end, so
 * that nobody has to look for the line's end before. False: that is line_scan's to read. */
bool line_scan_object(const struct line_reader *reader, const char *text, size_t len,
                      struct line_found *found);

#endif
