/* GET /counts/<resolution>: rows of windows, written as they are sent. */
#ifndef AFORO_SERVER_HTTP_COUNTS_PAGE_H
#define AFORO_SERVER_HTTP_COUNTS_PAGE_H

#include "counters/query.h"
#include "server/http/pages.h"

/* Where the counts are. */
struct counts_source {
    struct query_reader reader; /* what its cls points to outlives the answer */
    int64_t horizon_us;         /* separates closed windows from final ones */
};

/* The counts that this server holds now. */
struct counts_source counts_page_source(const struct counters *counters, enum resolution r);

/* As counts_page_make, from any source, at time now_us (wall clock). If the reader fails at the
 * beginning, the status is 503 and the caller must fill page->why; if it fails later, the answer
 * breaks off. */
void counts_page_answer(struct MHD_Connection *connection, enum resolution r,
                        const struct counts_source *source, int64_t now_us, struct page *page);

/* Makes the page as the request's arguments ask (last, from, to, partial, format, which
 * pages_arguments_fit has checked), or the sentence that says which of them is wrong. By the
 * worker's thread; the caller owns the response. */
void counts_page_make(const struct worker *worker, struct MHD_Connection *connection,
                      enum resolution r, struct page *page);

#endif
