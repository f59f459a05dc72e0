/* The answer to a question about a report, written piece by piece: only the rows of one window are
 * in memory at a time. One thread an answer. */
#ifndef AFORO_VIEW_REPORT_ANSWER_H
#define AFORO_VIEW_REPORT_ANSWER_H

#include "view/report_query.h"
#include "view/report_rows.h"

/* What is asked of whom; all that this points to outlives the answer. */
struct report_question {
    struct report_query query;
    enum rows_format format;
    const struct rows_zone *zone; /* NULL: UTC */
    struct report_reader reader;
    int64_t now_us, horizon_us; /* for the states of windows, and for what is over */
    /* About how many rows and windows one call of report_answer_write looks at, though few of them
     * may be meant; 0: any number. */
    size_t pace;
    /* An earlier definition of the report that has rows, NAME.DIGEST; "": there is none. */
    char earlier[TABLE_NAME_MAX + TABLE_DIGEST_MAX];
};

/* How the reason of an empty answer ends when what `where` asks for may be there all the same. */
#define REPORT_WITHIN_OTHER "it may be within (other), where keys went that found no room"

struct report_answer {
    struct report_question question;
    int64_t next, end;       /* windows that are still to be read */
    struct report_rows rows; /* of the window before next */
    size_t row;              /* those before it are written */
    uint64_t written;        /* rows in all */
    bool begun, ended;
    bool left_out; /* rows there were, and none of them had what `where` asks for */
    bool others;   /* what it asks for may be within an `(other)` */
};

enum report_answer_outcome {
    REPORT_ANSWER_MORE,  /* there is more to write */
    REPORT_ANSWER_ENDED, /* that was all of it */
    REPORT_ANSWER_FAILED /* the reader failed, or out of memory */
};

/* Finds the windows. False when the reader failed. report_answer_free frees what the answer holds,
 * whatever this returned. */
bool report_answer_begin(struct report_answer *answer, const struct report_question *question);

/* Adds the next piece to `text`, until it has `enough` bytes or more, or all is written, or as many
 * rows have been looked at as the question's pace says: then the piece may be empty. */
enum report_answer_outcome report_answer_write(struct report_answer *answer, size_t enough,
                                               struct text *text);

void report_answer_free(struct report_answer *answer);

#endif
