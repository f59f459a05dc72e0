/* What reports need of a server that source_server_open has opened. */
#ifndef AFORO_TOOLS_CONSOLE_SOURCE_SERVER_H
#define AFORO_TOOLS_CONSOLE_SOURCE_SERVER_H

#include "tools/console/report_source.h"

#define SOURCE_URL_MAX 8192

/* What a path with its query is written with. */
struct source_path {
    char text[SOURCE_URL_MAX];
    size_t len;
    bool any;      /* an argument */
    bool overlong; /* it has no room */
};
void source_path_add(struct source_path *path, const char *name, const char *value);
void source_path_add_number(struct source_path *path, const char *name, int64_t number);
/* Before 1970 it is 1970. */
void source_path_add_time(struct source_path *path, const char *name, int64_t us);

/* Asks for the page at `path` and gives its text as it arrives. *status is that of HTTP, 0 when
 * none came. Of an answer other than 200 nothing is given, and `why` has its first line. */
enum source_outcome source_server_stream(struct source *server, const char *path,
                                         const struct text_taker *taker, long *status,
                                         char why[SOURCE_WHY_MAX]);

#endif
