/* What can be read: /healthz, /stats, /counts/<resolution>. By the worker thread, inside MHD_run. */
#ifndef AFORO_SERVER_PAGES_H
#define AFORO_SERVER_PAGES_H

#include "server/server.h"

#define PAGES_ROOT                                                                                                     \
    "aforo counts HTTP events in 10 ms, 1 s and 1 min windows.\n"                                                      \
    "\n"                                                                                                               \
    "POST /                 one event: value=2016-05-28 11:11:11.123456 (UTC); an empty body counts now\n"             \
    "POST /events           many events: one timestamp a line\n"                                                       \
    "GET  /counts/10ms      counts a window; also /counts/1s and /counts/1min\n"                                       \
    "                       ?last=60 &from=TIME &to=TIME &partial=1 &format=text|csv|json\n"                           \
    "GET  /stats            what was received, counted and refused (JSON)\n"                                           \
    "GET  /healthz          is it well, and is Redis (JSON)\n"

struct page {
    unsigned status;
    const char *type;
    struct MHD_Response *response; /* NULL when out of memory */
};

/* Whether there is a page of that path. */
bool pages_has(const char *url);

/* Makes the page of a path that pages_has. The caller owns the response. */
void pages_make(struct worker *worker, struct MHD_Connection *connection, const char *url, struct page *page);

#endif
