/* A record of the log: a line of JSON with the members of docs/eventlog.md in a fixed order. Pure;
 * a struct line_clock belongs to one thread. */
#ifndef AFORO_EVENTLOG_LINE_H
#define AFORO_EVENTLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes as they were received; text NULL: absent. */
struct line_text {
    const char *text;
    size_t len;
};

/* Headers of an event: as many as definitions can name, which keep.c asserts. */
#define LINE_HEADERS_MAX 512

struct line_header {
    const char *name;
    struct line_text value;
};

struct line_event {
    const char *refused; /* name of the reason; NULL: the event was counted */
    const char *why;     /* what is wrong with a malformed event; NULL: nothing */
    bool timed;          /* all except malformed ones */
    bool carries;        /* its own time is carried_us, but it was counted at another */
    int64_t time_us;     /* the time it was counted at; if refused, the one it carried */
    int64_t carried_us;
    int64_t arrival_us;
    struct line_text query; /* of the request target, without the '?' */
    struct line_text form;  /* a form body */
    struct line_text json;  /* an object that was read to its end; kept verbatim */
    struct line_text line;  /* a text line with fields */
    struct line_text text;  /* what could not be parsed */
    unsigned headers;
    const struct line_header *header;
};

/* The second that was written last, to reuse its text. All zeros: none yet. */
struct line_clock {
    int64_t second;
    bool known;
    char text[20]; /* 2016-05-28T11:11:11. */
};

/* Upper bound of the bytes that line_write writes for an event. */
size_t line_max(const struct line_event *event);

/* Writes the line with its LF and returns its length. `to` must have room for line_max. */
size_t line_write(struct line_clock *clock, const struct line_event *event, char *to);

/* A line for an event that has a time and nothing else, in at most LINE_TIME_MAX bytes; returns its
 * length. */
#define LINE_TIME_MAX 80
size_t line_write_time(struct line_clock *clock, int64_t time_us, int64_t arrival_us, char *to);

/* The parts of a line that a reader needs. */
struct line_info {
    int64_t time_us; /* of a malformed event: its arrival time */
    bool refused;
};

/* Parses a line text[0..len), with or without its LF. False when it is not a line of this log. */
bool line_read(const char *text, size_t len, struct line_info *info);

/* The second of the line that was read last, to recognize it. All zeros: none yet. */
struct line_second {
    char head[32]; /* {"time":"2016-05-28T11:11:11. */
    int64_t us;
    bool known;
};

/* The time of a line text[0..len), as line_read finds it. When the line is of the same second as
 * the one before, nothing beyond the time is looked at. False when it is not a line of this log. */
bool line_read_time(struct line_second *second, const char *text, size_t len, int64_t *us);

/* The number of LFs in text[0..len). */
uint64_t line_count(const char *text, size_t len);

/* The length of the prefix of text[0..len) that consists of intact lines. A line never contains a
 * zero byte: a page that did not reach the disk reads as zeros, and what precedes it is kept. */
size_t line_find_whole(const char *text, size_t len);

#endif
