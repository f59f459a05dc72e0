/* One of the two sources that `aforo diff` compares. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_DIFF_SIDE_H
#define AFORO_TOOLS_CONSOLE_DIFF_SIDE_H

#include "tools/console/log_source.h"
#include "tools/console/source.h"

/* What both sides are asked. */
struct diff_question {
    int64_t from_us, to_us; /* bounds of windows' starts; 0 and QUERY_TO_NONE: none */
    int64_t widest_us;      /* at least the width of the widest compared windows; divides a day */
    int64_t over_us;        /* only windows that were over at this time; 0: others too */
    int64_t now_us;
    struct source_config source; /* how to ask sources; its place is not used */
    const char *node;            /* log only: the node whose events count; NULL: all */
    const char *reports;         /* log only: the definitions; NULL: none */
};

enum diff_kind { DIFF_SERVER, DIFF_REDIS, DIFF_STATE, DIFF_LOG };

struct diff_side {
    const char *name; /* as given, e.g. state:DIR */
    enum diff_kind kind;
    const char *place;
    struct source *source;  /* NULL for a log */
    struct log_source *log; /* NULL for other kinds */
};

/* Reads "state:DIR" and the like. False when it has no such form; `why` lists the forms. */
bool diff_side_read(const char *text, struct diff_side *side, char why[SOURCE_WHY_MAX]);

/* Opens the side. False fills why. The caller calls diff_side_close in either case. */
bool diff_side_open(struct diff_side *side, const struct diff_question *question,
                    char why[SOURCE_WHY_MAX]);
void diff_side_close(struct diff_side *side);

/* Passes the sources that make up the side to the taker, one after another: for a log one for each
 * stretch, valid until the next. Ends if `take` returns false. False, with why filled, then and
 * when a source cannot be read. */
struct diff_taker {
    bool (*take)(void *cls, struct source *source, char why[SOURCE_WHY_MAX]);
    void *cls;
};
bool diff_side_each(struct diff_side *side, const struct diff_taker *taker,
                    char why[SOURCE_WHY_MAX]);

/* The end of the windows of that width that are compared: to_us, or less if they must be over. */
int64_t diff_question_end(const struct diff_question *question, int64_t width_us);

/* The end of the events of the windows that start before to_us: the last may end after it. */
int64_t diff_question_events_end(const struct diff_question *question);

/* Whether events may still be counted in this side. */
bool diff_side_is_live(const struct diff_side *side);

/* The result of a comparison. */
struct diff_tally {
    uint64_t compared; /* windows or rows that either side has */
    uint64_t differ;
};

/* Compares the counts of both sides, in all resolutions, as far back as both have any, and prints
 * each difference as a line on standard output. False fills why. */
bool diff_counts(struct diff_side side[2], const struct diff_question *question,
                 struct diff_tally *tally, char why[SOURCE_WHY_MAX]);

/* The same for the rows of a report; window NULL: its first. */
bool diff_rows(struct diff_side side[2], const struct diff_question *question, const char *report,
               const char *window, struct diff_tally *tally, char why[SOURCE_WHY_MAX]);

#endif
