/* The console program's command line -> what is asked. Pure but for getopt's own state and, with
 * --local, this machine's zone: one thread, one call at a time. */
#ifndef AFORO_TOOLS_CONSOLE_FLAGS_H
#define AFORO_TOOLS_CONSOLE_FLAGS_H

#include "counters/query.h"
#include "counters/rows.h"

#define FLAGS_WHY_MAX 256

#define FLAGS_PLACES_MAX 64

enum command {
    COMMAND_ROWS,   /* 10ms, 1s, 1min: a row a window */
    COMMAND_TOTAL,  /* total: how many events there were in a span */
    COMMAND_STATUS, /* status: how servers are */
    COMMAND_CHECK,  /* check: whether what must hold of counts does */
};

enum source_kind { SOURCE_BY_DEFAULT, SOURCE_REDIS, SOURCE_SERVER, SOURCE_STATE };

struct flags {
    enum command command;
    struct query query; /* of COMMAND_TOTAL: the span alone */
    enum rows_format format;
    bool follow;
    bool total; /* the sum of the rows instead of the rows */
    bool local; /* times are shown, and were read, in this machine's zone */
    enum source_kind source;
    /* the URLs or the directory given with it; they point into argv */
    const char *place[FLAGS_PLACES_MAX];
    enum source_kind kind[FLAGS_PLACES_MAX];
    /* more than one only for COMMAND_STATUS (servers) and COMMAND_CHECK (of any kind) */
    unsigned places;
    const char *token_file; /* what to send to a server; NULL: not said */
    const char *ca_file;    /* NULL: the system's */
    /* of the nodes that write to Redis: what tells closed from final there */
    int64_t horizon_us;
    int64_t timeout_us;
};

enum flags_verdict { FLAGS_RUN, FLAGS_HELP, FLAGS_HELP_ALL, FLAGS_VERSION, FLAGS_WRONG };

/* Reads argv (its words may be reordered) into *flags; now_us is what times like -1h count from.
 * FLAGS_WRONG: `why` is a sentence that names the flag. */
enum flags_verdict flags_read(int argc, char **argv, int64_t now_us, struct flags *flags,
                              char why[FLAGS_WHY_MAX]);

extern const char flags_help[];     /* one screen */
extern const char flags_help_all[]; /* what follows it when all is asked for */

#endif
