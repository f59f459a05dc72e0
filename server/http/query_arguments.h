/* The arguments that /counts and /reports share: last, from, to, partial, format; and helpers for
 * those of other pages. By the worker's thread, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_QUERY_ARGUMENTS_H
#define AFORO_SERVER_HTTP_QUERY_ARGUMENTS_H

#include "counters/query.h"
#include "view/windows.h"

#include <microhttpd.h>

struct query_arguments {
    int64_t from_us, to_us, last; /* as in struct query */
    bool partial;
    enum rows_format format;
};

/* Reads the arguments, with defaults for those not given. False with a sentence in `why` (cap
 * bytes) that names the one that is wrong. */
bool query_arguments_read(struct MHD_Connection *connection, struct query_arguments *arguments,
                          char *why, size_t cap);

/* Reads a yes-or-no argument; no when it is not given. */
bool query_arguments_yes(struct MHD_Connection *connection, const char *name, bool *yes, char *why,
                         size_t cap);

/* Reads a whole number from 1 to `most`; *number is unchanged when the argument is not given. */
bool query_arguments_number(struct MHD_Connection *connection, const char *name, int64_t most,
                            int64_t *number, char *why, size_t cap);

/* The content type of a body in that format. */
const char *query_arguments_type(enum rows_format format);

#endif
