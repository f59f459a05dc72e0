/* The console program's command line -> what is asked. Pure but for getopt's own state: one thread, one call
 * at a time. */
#ifndef AFORO_TOOLS_FLAGS_H
#define AFORO_TOOLS_FLAGS_H

#include "counters/query.h"
#include "counters/rows.h"

#define FLAGS_WHY_MAX 256

enum source_kind { SOURCE_BY_DEFAULT, SOURCE_REDIS, SOURCE_SERVER, SOURCE_STATE };

struct flags {
    struct query query;
    enum rows_format format;
    bool follow;
    enum source_kind source;
    const char *place;      /* the URL or directory given with it; points into argv */
    const char *token_file; /* what to send to a server; NULL: not said */
    const char *ca_file;    /* NULL: the system's */
    int64_t horizon_us;     /* of the nodes that write to Redis: what tells closed from final there */
    int64_t timeout_us;
};

enum flags_verdict { FLAGS_RUN, FLAGS_HELP, FLAGS_VERSION, FLAGS_WRONG };

/* Reads argv (its words may be reordered) into *flags. FLAGS_WRONG: `why` is a sentence that names the flag.
 */
enum flags_verdict flags_read(int argc, char **argv, struct flags *flags, char why[FLAGS_WHY_MAX]);

extern const char flags_help[];

#endif
