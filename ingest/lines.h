/* A stream of lines with one timestamp each -> event times. Pure: no I/O, no allocation. Any
 * thread, one `struct lines` per body. Lines may be split anywhere between two reads and end in LF
 * or CRLF; the last line's end may be missing. An empty line (or just CR) is no event and is
 * skipped, but it has a number. */
#ifndef AFORO_INGEST_LINES_H
#define AFORO_INGEST_LINES_H

#include "ingest/timestamp.h"
#include "ingest/timestamp_layout.h"

#define LINES_BATCH 256
#define LINES_TIMES_MAX 255

/* Position in the body, and the part of a line that the last read cut off. */
struct lines {
    uint64_t line;      /* number of the line now being read, from 1 */
    unsigned char held; /* bytes in part[] */
    /* the current line is longer than any timestamp: skip the rest */
    bool overlong;
    unsigned char stride;         /* length of the last line in the usual layout, with its end */
    char last;                    /* the byte after that line's digits: LF, CR or Z */
    bool by_window;               /* set by a caller who needs only times[] of struct lines_batch */
    bool crlf;                    /* the last line of another layout ended in CRLF */
    unsigned char run;            /* private to lines.c: what the next lines are expected to be */
    char part[TIMESTAMP_MAX + 1]; /* + CR */
    struct timestamp_day day, other_day; /* the last day seen, and the one before */
    struct timestamp_layouts *layouts;   /* of other lines */
};

/* The result of one call: n event times of the consecutive lines first_line, first_line + 1, ...,
 * followed by at most one malformed line. */
struct lines_batch {
    uint64_t first_line;
    uint32_t n;
    /* a malformed line follows the n good ones: bad_line and error tell which and why */
    bool malformed;
    uint64_t bad_line;
    struct timestamp_error error;
    int64_t us[LINES_BATCH];
    /* Only with lines->by_window: us[i] is the first of times[i] consecutive lines in one 10 ms
     * window, so the n entries may stand for more than n lines. When times[i] > 1, text[i] points
     * to the first of them in the data of the call; each of these lines is just a timestamp. */
    bool has_windows; /* some of times[] are more than 1 */
    unsigned char times[LINES_BATCH];
    const char *text[LINES_BATCH];
};

/* `layouts` is what the calling thread has learnt so far; it stays the caller's. */
void lines_begin(struct lines *lines, struct timestamp_layouts *layouts);

/* Reads from data[0..len) until the batch is full, a line is malformed, an empty line ends a run of
 * consecutive ones, or the data are used up. Returns how many bytes were used; while that is less
 * than len, call it again with the rest. Each call uses bytes or returns something. */
size_t lines_feed(struct lines *lines, const char *data, size_t len, struct lines_batch *batch);

/* `text` is one of the lines that times[] counts, and not the last of them: reads the time of the
 * next one into *us and returns where that begins. */
const char *lines_next_time(const char *text, int64_t *us);

/* Ends the body: a last line without an end is returned in `batch` (n is 0 or 1). */
void lines_end(struct lines *lines, struct lines_batch *batch);

/* Like timestamp_explain, with a hint when a whole line of another kind calls for one. Returns the
 * length. */
size_t lines_explain(const struct timestamp_error *error, char *buf, size_t cap);

#endif
