/* Where the console program gets rows of reports from, as text in the format that was asked for:
 * beside source.h, for the same places. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_SOURCE_H
#define AFORO_TOOLS_CONSOLE_REPORT_SOURCE_H

#include "tools/console/source.h"
#include "view/report_query.h"

/* What is asked of a report, in words: what they mean, only its definition says. */
struct report_words {
    const char *name;             /* of the report, or NAME.DIGEST */
    const char *window;           /* NULL: the report's first */
    int64_t from_us, to_us, last; /* as in struct query */
    bool partial;
    const char *const *where; /* [wheres], each FIELD=VALUE */
    unsigned wheres;
    int64_t top;    /* 0: all rows, by key */
    const char *by; /* NULL: the report's first figure that has an order */
    enum rows_format format;
    const struct rows_zone *zone; /* NULL: UTC */
    int64_t now_us;
};

/* Who is given the text, piece by piece; false: no more is wanted. */
struct text_taker {
    bool (*take)(void *cls, const char *bytes, size_t len);
    void *cls;
};

enum report_outcome {
    REPORT_DONE,    /* all of the text was given */
    REPORT_STOPPED, /* the taker wanted no more */
    REPORT_AWAY,    /* the source failed, perhaps after some of the text */
    REPORT_UNKNOWN, /* there is no such report, or window; `why` says what there is */
    REPORT_WRONG    /* the question does not fit the report */
};

struct report_ops {
    /* The rows that the words mean, begun and ended as their format says. */
    enum report_outcome (*rows)(struct source *source, const struct report_words *words,
                                const struct text_taker *taker, char why[SOURCE_WHY_MAX]);
    /* Which reports there are, as text or json. */
    enum report_outcome (*list)(struct source *source, enum rows_format format,
                                const struct text_taker *taker, char why[SOURCE_WHY_MAX]);
};

extern const struct report_ops report_server_ops, report_state_ops, report_redis_ops;

#endif
