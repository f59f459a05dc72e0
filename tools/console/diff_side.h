/* One of the two sources that `aforo diff` compares. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_DIFF_SIDE_H
#define AFORO_TOOLS_CONSOLE_DIFF_SIDE_H

#include "tools/console/log_source.h"
#include "tools/console/source.h"

/* What both of them are asked. */
struct diff_question {
    int64_t from_us, to_us; /* of windows' starts; 0 and QUERY_TO_NONE: no bounds */
    int64_t over_us;        /* windows that were over then; 0: also such as are not */
    int64_t now_us;
    struct source_config source; /* how sources are asked; its place is not used */
    const char *node;            /* of a log: that node's events alone; NULL: all */
    const char *reports;         /* of a log: the definitions; NULL: none */
};

enum diff_kind { DIFF_SERVER, DIFF_REDIS, DIFF_STATE, DIFF_LOG };

struct diff_side {
    const char *name; /* as it was given: state:DIR */
    enum diff_kind kind;
    const char *place;
    struct source *source;  /* NULL of a log */
    struct log_source *log; /* NULL of others */
};

/* Reads "state:DIR" and the like. False: it is none; why says what there are. */
bool diff_side_read(const char *text, struct diff_side *side, char why[SOURCE_WHY_MAX]);

/* False fills why. diff_side_close frees in any case. */
bool diff_side_open(struct diff_side *side, const struct diff_question *question,
                    char why[SOURCE_WHY_MAX]);
void diff_side_close(struct diff_side *side);

/* Gives the sources that together are the side, one after the other: of a log one for each stretch,
 * which is gone with the next. `take` false ends it: then, and when one cannot be read, false with
 * why filled. */
struct diff_taker {
    bool (*take)(void *cls, struct source *source, char why[SOURCE_WHY_MAX]);
    void *cls;
};
bool diff_side_each(struct diff_side *side, const struct diff_taker *taker,
                    char why[SOURCE_WHY_MAX]);

/* Until when windows of that width are meant: to_us, or less where they are to be over. */
int64_t diff_question_end(const struct diff_question *question, int64_t width_us);

/* Whether events may be counted in it now. */
bool diff_side_is_live(const struct diff_side *side);

/* What differs. */
struct diff_tally {
    uint64_t compared; /* windows, or rows, that either has */
    uint64_t differ;
};

/* Compares the counts of both, in all resolutions, as far back as both have any; each difference is
 * a line on standard output. False fills why. */
bool diff_counts(struct diff_side side[2], const struct diff_question *question,
                 struct diff_tally *tally, char why[SOURCE_WHY_MAX]);

/* The same of the rows of a report; window NULL: its first. */
bool diff_rows(struct diff_side side[2], const struct diff_question *question, const char *report,
               const char *window, struct diff_tally *tally, char why[SOURCE_WHY_MAX]);

#endif
