/* Where the console program gets rows of reports from, as text in the requested format; for the
 * same places as source.h. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_SOURCE_H
#define AFORO_TOOLS_CONSOLE_REPORT_SOURCE_H

#include "tools/console/source.h"
#include "view/report_query.h"

/* A question about a report, in words whose meaning only its definition tells. */
struct report_words {
    const char *name;             /* NAME or NAME.DIGEST of the report */
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

/* Receives the text, piece by piece; false: no more is wanted. */
struct text_taker {
    bool (*take)(void *cls, const char *bytes, size_t len);
    void *cls;
};

enum report_outcome {
    REPORT_DONE,    /* the whole text was passed */
    REPORT_STOPPED, /* the taker wanted no more */
    REPORT_AWAY,    /* the source failed, perhaps after some of the text */
    REPORT_UNKNOWN, /* there is no such report or window; `why` says what there is */
    REPORT_WRONG,   /* the question does not fit the report */
    REPORT_UNCLEAR  /* two definitions have the newest rows, for now; `why` names both */
};

struct report_ops {
    /* Passes the rows that the words mean, with the beginning and end of their format. */
    enum report_outcome (*rows)(struct source *source, const struct report_words *words,
                                const struct text_taker *taker, char why[SOURCE_WHY_MAX]);
    /* Passes the list of reports, as text or JSON. */
    enum report_outcome (*list)(struct source *source, enum rows_format format,
                                const struct text_taker *taker, char why[SOURCE_WHY_MAX]);
};

extern const struct report_ops report_server_ops, report_state_ops, report_redis_ops;

#endif
