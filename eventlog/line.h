/* What is kept of an event: a line of JSON, whose members are those of docs/eventlog.md, in one
 * order. Pure; a struct line_clock by one thread. */
#ifndef AFORO_EVENTLOG_LINE_H
#define AFORO_EVENTLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes as they were sent; text NULL: none. */
struct line_text {
    const char *text;
    size_t len;
};

struct line_header {
    const char *name;
    struct line_text value;
};

struct line_event {
    const char *refused; /* name of the reason; NULL: it is counted */
    const char *why;     /* of a malformed one, a sentence; NULL: none */
    bool timed;          /* all but malformed ones */
    bool carries;        /* it carried a time, carried_us, and is counted at another */
    int64_t time_us;     /* that it is counted at; of a refused one, that it carried */
    int64_t carried_us;
    int64_t arrival_us;
    struct line_text query; /* of the target, without the '?' */
    struct line_text form;  /* a form in the body */
    struct line_text json;  /* an object that was read to its end: kept as it is */
    struct line_text line;  /* of text, with fields */
    struct line_text text;  /* what could not be read */
    unsigned headers;
    const struct line_header *header;
};

/* The second that was written last. All zeros: none yet. */
struct line_clock {
    int64_t second;
    bool known;
    char text[20]; /* 2016-05-28T11:11:11. */
};

/* The most bytes that line_write writes for it. */
size_t line_max(const struct line_event *event);

/* Writes the line, with its LF; returns its length. */
size_t line_write(struct line_clock *clock, const struct line_event *event, char *to);

/* The most bytes of a line that has a time and nothing else, and the line: the way of events that
 * are a time alone. */
#define LINE_TIME_MAX 80
size_t line_write_time(struct line_clock *clock, int64_t time_us, int64_t arrival_us, char *to);

/* What a reader needs of a line. */
struct line_info {
    int64_t time_us; /* of a malformed event: its arrival */
    bool refused;
};

/* Reads text[0..len), a line with or without its LF. False: it is not one of ours. */
bool line_read(const char *text, size_t len, struct line_info *info);

/* The second of the line that was read last. All zeros: none yet. */
struct line_second {
    char head[32]; /* {"time":"2016-05-28T11:11:11. */
    int64_t us;
    bool known;
};

/* The time of text[0..len), a line, as line_read has it; no more than that is looked at where it is
 * of the same second as the line before. False: it is not one of ours. */
bool line_read_time(struct line_second *second, const char *text, size_t len, int64_t *us);

/* How many lines end in text[0..len). */
uint64_t line_count(const char *text, size_t len);

/* How many bytes at the front of text[0..len) are lines that are whole. A line holds no zero byte:
 * a page that never reached the disk is zeros, and what is before it stays. */
size_t line_find_whole(const char *text, size_t len);

#endif
