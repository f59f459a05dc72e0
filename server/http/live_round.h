/* GET /live: what an open page asks for in one round, in one answer. Many pages ask the same at the
 * same moment: an answer is kept for 100 ms, and who asks the same within that time gets it. By the
 * worker thread, inside MHD_run, but for live_answers_free. */
#ifndef AFORO_SERVER_HTTP_LIVE_ROUND_H
#define AFORO_SERVER_HTTP_LIVE_ROUND_H

#include "server/http/live_answers.h"
#include "server/http/pages.h"

#include "counters/query.h"

struct text;

/* Where the figures are. */
struct live_source {
    struct query_reader (*find_reader)(void *cls, enum resolution r, int64_t now_us);
    /* adds what /nodes answers; false, with a sentence in `why` (PAGES_WHY_MAX): they cannot be
     * read */
    bool (*add_nodes)(void *cls, int64_t now_us, struct text *text, char *why);
    void (*explain)(void *cls, char *why); /* why a reader failed */
    void *cls;
    uint64_t most; /* questions a second that a worker wants at the most; 0: any number */
};

/* As the arguments of the request ask (10ms, 1s, 1min, nodes, which pages_arguments_fit has looked
 * at), or the sentence that says which of them is wrong; 503 when the source fails. The response is
 * the worker's when page->shared, else the caller's. */
void live_round_answer(struct worker *worker, struct MHD_Connection *connection,
                       const struct live_source *source, struct page *page);

/* The same of this server's own figures. */
void live_round_make(struct worker *worker, struct MHD_Connection *connection, struct page *page);

#endif
