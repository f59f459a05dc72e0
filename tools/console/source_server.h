/* What reports need of a source that source_server_open has opened. */
#ifndef AFORO_TOOLS_CONSOLE_SOURCE_SERVER_H
#define AFORO_TOOLS_CONSOLE_SOURCE_SERVER_H

#include "tools/console/report_source.h"

#define SOURCE_URL_MAX 8192

/* A path with its query, under construction. */
struct source_path {
    char text[SOURCE_URL_MAX];
    size_t len;
    bool any;      /* it has an argument */
    bool overlong; /* it does not fit */
};
void source_path_add(struct source_path *path, const char *name, const char *value);
void source_path_add_number(struct source_path *path, const char *name, int64_t number);
/* A time before 1970 becomes 1970. */
void source_path_add_time(struct source_path *path, const char *name, int64_t us);

/* Asks for the page at `path` and passes its text as it arrives. *status is that of HTTP, 0 when
 * none came. If it is not 200, no text is passed and `why` has the answer's first line. */
enum source_outcome source_server_stream(struct source *server, const char *path,
                                         const struct text_taker *taker, long *status,
                                         char why[SOURCE_WHY_MAX]);

#endif
