/* Stream of lines, one timestamp each -> event times. Pure: no I/O, no allocation; any thread, one
 * `struct lines` per body. Lines may be split anywhere between two reads; LF or CRLF; the last line
 * with or without an end; a line that is empty (or only CR) is no event and is passed over, but has
 * a number. */
#ifndef AFORO_INGEST_LINES_H
#define AFORO_INGEST_LINES_H

#include "ingest/timestamp.h"
#include "ingest/timestamp_layout.h"

#define LINES_BATCH 256
#define LINES_TIMES_MAX 255

/* The part of a line that the last read cut off, and where in the body we are. */
struct lines {
    uint64_t line;      /* number of the line now being read, from 1 */
    unsigned char held; /* bytes in part[] */
    /* the line under way is longer than any timestamp: pass over the rest */
    bool overlong;
    unsigned char stride; /* bytes of a line of the usual layout last seen, with its end */
    char last;            /* the byte after the digits in such a line: LF, CR or Z */
    bool by_window;       /* set by who wants no more than times[] of struct lines_batch tells */
    bool crlf;            /* so ended the line before, when it was of another layout */
    unsigned char run;    /* lines.c's own: what the next lines are expected to be */
    char part[TIMESTAMP_MAX + 1];        /* + CR */
    struct timestamp_day day, other_day; /* the day last seen, and the one before */
    struct timestamp_layouts *layouts;   /* of other lines */
};

/* What one call yields: n event times of the consecutive lines first_line, first_line + 1, ..., and
 * then at most one line that is malformed. */
struct lines_batch {
    uint64_t first_line;
    uint32_t n;
    /* a refused line follows the n good ones: bad_line and error say which and why */
    bool malformed;
    uint64_t bad_line;
    struct timestamp_error error;
    int64_t us[LINES_BATCH];
    /* With lines->by_window alone: us[i] is the first of times[i] consecutive lines of one 10 ms
     * window. When these are more than one, text[i] is where they stand in the data of the call;
     * each is a timestamp by itself. The n are of more than n lines then. */
    bool has_windows; /* some of times[] are more than 1 */
    unsigned char times[LINES_BATCH];
    const char *text[LINES_BATCH];
};

/* layouts: what is known of those that the same thread has read before, the caller's. */
void lines_begin(struct lines *lines, struct timestamp_layouts *layouts);

/* Reads from data[0..len) until the batch is full, a line is malformed, an empty line ends a run of
 * consecutive ones, or the data are used up. Returns how many bytes were used (call again with the
 * rest while it is less than len; a call always either uses bytes or yields something). */
size_t lines_feed(struct lines *lines, const char *data, size_t len, struct lines_batch *batch);

/* Behind the line at text, one of those that times[] counts, lies another: reads its time into *us,
 * and returns where it begins. */
const char *lines_next_time(const char *text, int64_t *us);

/* The end of the body: a last line without an end is yielded into batch (n is 0 or 1). */
void lines_end(struct lines *lines, struct lines_batch *batch);

/* The sentence of a line's error as timestamp_explain has it, with what a whole line of another
 * kind asks for. */
size_t lines_explain(const struct timestamp_error *error, char *buf, size_t cap);

#endif
