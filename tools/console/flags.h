/* The console program's command line -> what is asked. Pure but for getopt's own state and, with
 * --local, this machine's zone: one thread, one call at a time. */
#ifndef AFORO_TOOLS_CONSOLE_FLAGS_H
#define AFORO_TOOLS_CONSOLE_FLAGS_H

#include "common/options.h"
#include "counters/query.h"
#include "redis/url.h"
#include "view/windows.h"

#define FLAGS_WHY_MAX 256

#define FLAGS_PLACES_MAX OPTIONS_LIST_MAX

enum command {
    COMMAND_ROWS,    /* 10ms, 1s, 1min: a row a window */
    COMMAND_TOTAL,   /* total: how many events there were in a span */
    COMMAND_STATUS,  /* status: how servers are */
    COMMAND_CHECK,   /* check: whether what must hold of counts does */
    COMMAND_REPORT,  /* report NAME: rows of a report */
    COMMAND_REPORTS, /* reports: which there are */
    COMMAND_TOP,     /* top: on a terminal, as it comes in */
    COMMAND_BACKUP, /* backup and those below: not given by flags_read; main looks for them first */
    COMMAND_LOG,
    COMMAND_SERVE,
    COMMAND_REPLAY,
    COMMAND_DIFF,
};

enum source_kind { SOURCE_BY_DEFAULT, SOURCE_REDIS, SOURCE_SERVER, SOURCE_STATE };

/* What is asked of a report, as words: only its source knows what they mean. They point into argv.
 */
struct report_flags {
    const char *name;   /* of the report; NULL: not COMMAND_REPORT */
    const char *window; /* NULL: the report's first */
    const char *where[OPTIONS_LIST_MAX];
    unsigned wheres;
    const char *measure[OPTIONS_LIST_MAX]; /* shared objects to be loaded */
    unsigned measures;
    int64_t top;    /* 0: all rows */
    const char *by; /* NULL: the report's first figure that has an order */
};

struct flags {
    enum command command;
    struct query query; /* of COMMAND_TOTAL: the span alone */
    enum rows_format format;
    bool follow;
    bool total; /* the sum of the rows instead of the rows */
    struct report_flags report;
    bool local; /* times are shown, and were read, in this machine's zone */
    enum source_kind source;
    /* the URLs or the directory given with it; they point into argv */
    const char *place[FLAGS_PLACES_MAX];
    enum source_kind kind[FLAGS_PLACES_MAX];
    /* more than one only for COMMAND_STATUS (servers) and COMMAND_CHECK (of any kind) */
    unsigned places;
    const char *token_file; /* what to send to a server; NULL: not said */
    const char *ca_file;    /* NULL: the system's */
    struct redis_tls_options redis_tls;
    /* of the nodes that write to Redis: what tells closed from final there */
    int64_t horizon_us;
    int64_t timeout_us;
};

/* Reads argv (its words may be reordered) and the environment into *flags; now_us is what times
 * like -1h count from. OPTIONS_WRONG: `why` is a sentence that names the flag, the variable or the
 * word.
 */
enum options_outcome flags_read(int argc, char **argv, int64_t now_us, struct flags *flags,
                                char why[FLAGS_WHY_MAX]);

/* Prints what flags_read was asked for: help or version; false, errno set, when that fails. */
bool flags_print(enum options_outcome outcome, FILE *out);

#endif
