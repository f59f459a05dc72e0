/* The answer to a question about a report, written piece by piece, so that only the rows of one
 * window are in memory at a time. One thread per answer. */
#ifndef AFORO_VIEW_REPORT_ANSWER_H
#define AFORO_VIEW_REPORT_ANSWER_H

#include "view/report_query.h"
#include "view/report_rows.h"

/* The question and its source; everything that this points to must outlive the answer. */
struct report_question {
    struct report_query query;
    enum rows_format format;
    const struct rows_zone *zone; /* NULL: UTC */
    struct report_reader reader;
    int64_t now_us, horizon_us; /* they decide the states of windows */
    /* About how many rows and windows one call of report_answer_write examines, even if few of them
     * match; 0: any number. */
    size_t pace;
    /* NAME.DIGEST of an earlier definition of the report that has rows; "": there is none. */
    char earlier[TABLE_NAME_MAX + TABLE_DIGEST_MAX];
};

/* End of the reason for an empty answer, if what `where` asks for may still exist. */
#define REPORT_WITHIN_OTHER "it may be within (other), where keys went that found no room"

struct report_answer {
    struct report_question question;
    int64_t next, end;       /* windows still to be read */
    struct report_rows rows; /* rows of the window before `next` */
    size_t row;              /* rows before this one are written */
    uint64_t written;        /* rows in all */
    bool begun, ended;
    bool left_out; /* there were rows, but none matched `where` */
    bool others;   /* what `where` asks for may be within an `(other)` */
};

enum report_answer_outcome {
    REPORT_ANSWER_MORE,  /* there is more to write */
    REPORT_ANSWER_ENDED, /* that was all of it */
    REPORT_ANSWER_FAILED /* the reader failed, or memory ran out */
};

/* Finds the windows. False when the reader failed. The caller frees with report_answer_free in
 * either case. */
bool report_answer_begin(struct report_answer *answer, const struct report_question *question);

/* Adds the next piece to `text`. Stops when the text has at least `enough` bytes, when everything
 * is written, or when the number of rows that the question's pace allows was examined; in that case
 * the piece may be empty. */
enum report_answer_outcome report_answer_write(struct report_answer *answer, size_t enough,
                                               struct text *text);

void report_answer_free(struct report_answer *answer);

#endif
