/* What /counts and /reports are asked in the same words: last, from, to, partial, format; and words
 * of other pages. By the
 * worker thread, inside MHD_run. */
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

/* Reads them, or the defaults of those that are not there; false with a sentence in `why` (cap)
 * that names the one that is wrong. */
bool query_arguments_read(struct MHD_Connection *connection, struct query_arguments *arguments,
                          char *why, size_t cap);

/* Yes or no; no when there is none. */
bool query_arguments_yes(struct MHD_Connection *connection, const char *name, bool *yes, char *why,
                         size_t cap);

/* A whole number from 1 to `most`; *number stays when there is no argument of that name. */
bool query_arguments_number(struct MHD_Connection *connection, const char *name, int64_t most,
                            int64_t *number, char *why, size_t cap);

/* Type of a body in that format. */
const char *query_arguments_type(enum rows_format format);

#endif
