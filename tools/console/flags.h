/* Reads the console program's command line. Pure except for getopt's own state and, with --local,
 * this machine's zone; so one thread, one call at a time. */
#ifndef AFORO_TOOLS_CONSOLE_FLAGS_H
#define AFORO_TOOLS_CONSOLE_FLAGS_H

#include "common/options.h"
#include "counters/query.h"
#include "redis/url.h"
#include "view/windows.h"

#define FLAGS_WHY_MAX 256

#define FLAGS_PLACES_MAX OPTIONS_LIST_MAX

enum command {
    COMMAND_ROWS,    /* 10ms, 1s, 1min: a row per window */
    COMMAND_TOTAL,   /* total: how many events there were in a span */
    COMMAND_STATUS,  /* status: how servers are doing */
    COMMAND_CHECK,   /* check: whether what must hold of counts does */
    COMMAND_REPORT,  /* report NAME: rows of a report */
    COMMAND_REPORTS, /* reports: the list of reports */
    COMMAND_TOP,     /* top: what is counted, live on a terminal */
    /* this one and those below are not returned by flags_read; main looks for them first */
    COMMAND_BACKUP,
    COMMAND_LOG,
    COMMAND_SERVE,
    COMMAND_REPLAY,
    COMMAND_DIFF,
};

enum source_kind { SOURCE_BY_DEFAULT, SOURCE_REDIS, SOURCE_SERVER, SOURCE_STATE };

/* A question about a report, in words that only its source understands. They point into argv. */
struct report_flags {
    const char *name;   /* of the report; NULL unless COMMAND_REPORT */
    const char *window; /* NULL: the report's first */
    const char *where[OPTIONS_LIST_MAX];
    unsigned wheres;
    const char *measure[OPTIONS_LIST_MAX]; /* shared objects to load */
    unsigned measures;
    int64_t top;    /* 0: all rows */
    const char *by; /* NULL: the report's first figure that has an order */
};

struct flags {
    enum command command;
    struct query query; /* for COMMAND_TOTAL only its span */
    enum rows_format format;
    bool follow;
    bool total; /* the sum of the rows instead of the rows */
    struct report_flags report;
    bool local; /* times are shown and were read in this machine's zone */
    enum source_kind source;
    /* the URLs or the directory given with it; they point into argv */
    const char *place[FLAGS_PLACES_MAX];
    enum source_kind kind[FLAGS_PLACES_MAX];
    /* more than one only for COMMAND_STATUS (servers) and COMMAND_CHECK (of any kind) */
    unsigned places;
    const char *token_file; /* file with the token to send to a server; NULL: not given */
    const char *ca_file;    /* NULL: the system's */
    struct redis_tls_options redis_tls;
    /* horizon of the nodes that write to Redis, which separates closed windows from final ones
     * there */
    int64_t horizon_us;
    int64_t timeout_us;
};

/* Reads argv (its words may be reordered) and the environment into *flags; times like -1h count
 * from now_us (wall clock). OPTIONS_WRONG: `why` is a sentence that names the flag, the variable or
 * the word. */
enum options_outcome flags_read(int argc, char **argv, int64_t now_us, struct flags *flags,
                                char why[FLAGS_WHY_MAX]);

/* Prints what the outcome of flags_read asks for, help or version. False, with errno set, when that
 * fails. */
bool flags_print(enum options_outcome outcome, FILE *out);

#endif
