/* GET /live: everything that an open page asks for in one round, in one answer. Many pages ask the
 * same at the same moment, so an answer is kept for 100 ms and given to all who ask the same within
 * that time. By the worker's thread, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_LIVE_ROUND_H
#define AFORO_SERVER_HTTP_LIVE_ROUND_H

#include "server/http/live_answers.h"
#include "server/http/pages.h"

#include "counters/query.h"

struct text;

/* Where the figures come from. */
struct live_source {
    struct query_reader (*find_reader)(void *cls, enum resolution r, int64_t now_us);
    /* adds what /nodes answers to `text`; false, with a sentence in `why` (PAGES_WHY_MAX bytes),
     * when the nodes cannot be read */
    bool (*add_nodes)(void *cls, int64_t now_us, struct text *text, char *why);
    void (*explain)(void *cls, char *why); /* writes why a reader failed */
    void *cls;
    uint64_t most; /* most questions a second that a worker should get; 0: any number */
};

/* Answers as the request's arguments ask (10ms, 1s, 1min, nodes, which pages_arguments_fit has
 * checked), or with the sentence that says which of them is wrong; 503 when the source fails. The
 * worker owns the response if page->shared, else the caller does. */
void live_round_answer(struct worker *worker, struct MHD_Connection *connection,
                       const struct live_source *source, struct page *page);

/* The same with this server's own figures. */
void live_round_make(struct worker *worker, struct MHD_Connection *connection, struct page *page);

#endif
