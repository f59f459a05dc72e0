/* Splits a line of the log into the event's body, query and headers: the inverse of line_write.
 * Pure, any thread. */
#ifndef AFORO_EVENTLOG_PARTS_H
#define AFORO_EVENTLOG_PARTS_H

#include "eventlog/line.h"

struct line_part_header {
    struct line_text name, value;
};

/* Bytes as they were received; text NULL: absent. They point into the line, or into `room` where
 * they had to be decoded. */
struct line_parts {
    struct line_text query, form, json, line;
    unsigned headers;
    struct line_part_header header[LINE_HEADERS_MAX]; /* further ones, never written, are ignored */
};

/* Parses text[0..len) from offset `at`, which line_scan found: after the times. `room` must have at
 * least `len` bytes. False when it is not a line of this log. */
bool line_read_parts(const char *text, size_t len, size_t at, char *room, struct line_parts *parts);

/* The second that was read last, to recognize it. All zeros: none yet. */
struct line_reader {
    bool known;
    char front[28]; /* {"time":"2016-05-28T11:11:11 */
    int64_t second_us;
};

enum line_kind {
    LINE_TIME,    /* a counted event with a time and nothing else */
    LINE_EVENT,   /* a counted event with more */
    LINE_REFUSED, /* refused; `refused` says why */
    LINE_WRONG    /* not a line of this log */
};

struct line_found {
    enum line_kind kind;
    int64_t time_us;
    int64_t lag_us; /* 0 for a line without a time */
    size_t at;      /* offset of the members after the times */
    size_t len;     /* of the line, LF included */
    struct line_text refused;
};

/* Finds the line at the start of text[0..len), len > 0, and its times. Same answer as line_read,
 * but faster where seconds repeat. */
void line_scan(struct line_reader *reader, const char *text, size_t len, struct line_found *found);

/* The same for a line of the same second as the one before whose times are followed by an object.
 * `at` is where the object begins; `len` is left to the caller, who finds the end of the line by
 * reading the object. False: use line_scan for this line. */
bool line_scan_object(const struct line_reader *reader, const char *text, size_t len,
                      struct line_found *found);

#endif
