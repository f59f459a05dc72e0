/* The pages that can be read: /healthz, /stats, /metrics, /counts/<resolution>, /reports, /nodes,
 * /live. By the worker's thread, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_PAGES_H
#define AFORO_SERVER_HTTP_PAGES_H

#include "server/http/context.h"
#include "server/http/routes.h"

#include <microhttpd.h>

#define PAGES_ROOT                                                                                 \
    "aforo counts HTTP events in 10 ms, 1 s and 1 min windows.\n"                                  \
    "\n"                                                                                           \
    "POST /                 one event: value=2016-05-28 11:11:11.123456 (UTC), in the body or in " \
    "the query;\n"                                                                                 \
    "                       with neither it counts now\n"                                          \
    "POST /events           many events: one timestamp a line\n"                                   \
    "GET  /counts/10ms      counts a window; also /counts/1s and /counts/1min\n"                   \
    "                       ?last=60 &from=TIME &to=TIME &partial=1 &format=text|csv|json\n"       \
    "GET  /reports          which reports there are (JSON)\n"                                      \
    "GET  /reports/NAME/1min  its rows; &where=FIELD=VALUE &top=20 &by=FIGURE, and as above\n"     \
    "GET  /live             several of these in one answer, as the live page asks (JSON)\n"        \
    "GET  /nodes            what this server says of itself (JSON)\n"                              \
    "GET  /stats            what was received, counted and refused (JSON)\n"                       \
    "GET  /metrics          the same for Prometheus, or OpenMetrics\n"                             \
    "GET  /healthz          is it well, and is Redis (JSON)\n"

#define PAGES_LIVE "/live"

#define PAGES_WHY_MAX ANSWERS_SENTENCE_MAX

struct page {
    unsigned status;
    /* if not empty, this sentence is the answer, and there is no response */
    char why[PAGES_WHY_MAX];
    const char *type;
    struct MHD_Response *response; /* NULL when out of memory */
    bool shared;                   /* the worker keeps ownership of the response */
};

/* The pages of a program other than aforod that answers by means of this folder (struct server). */
struct pages {
    /* ROUTE_ROOT, ROUTE_HEALTH, ROUTE_PAGE or ROUTE_NONE */
    enum route (*find)(const char *path);
    /* of a path that `find` knows, or "/" */
    const struct pages_arguments *(*arguments)(const char *path);
    void (*make)(struct worker *worker, struct MHD_Connection *connection, const char *path,
                 struct page *page);
};

#define PAGES_ARGUMENTS_MAX 8

/* The arguments that a page takes. */
struct pages_arguments {
    const char *name[PAGES_ARGUMENTS_MAX]; /* ends at the first NULL */
    const char *unknown;                   /* what to answer to any other */
    const char *repeated;                  /* the one that may be given more than once, or NULL */
};

/* The arguments of aforod's own pages, which other programs may have too. */
const struct pages_arguments *pages_find_arguments(const char *path);

/* "/counts/1s" -> *r. */
bool pages_find_resolution(const char *path, enum resolution *r);

/* Whether the path is /reports or below it; which reports exist is not known before the request. */
bool pages_is_of_reports(const char *path);

/* Whether aforod has a page of that path. */
bool pages_has(const char *url);

/* Whether the page of that path, or "/", takes all arguments of the request, and each is given
 * once; if not, `why` (PAGES_WHY_MAX bytes) says which. */
bool pages_arguments_fit(struct MHD_Connection *connection, const char *url, char *why);

/* The same for a page that takes the arguments `known`. */
bool pages_arguments_are(struct MHD_Connection *connection, const struct pages_arguments *known,
                         char *why);

/* Makes the page of a path that pages_has. The caller owns the response unless page->shared. */
void pages_make(struct worker *worker, struct MHD_Connection *connection, const char *url,
                struct page *page);

#endif
