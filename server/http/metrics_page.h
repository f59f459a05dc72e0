/* GET /metrics: how this server is doing, for Prometheus or OpenMetrics; the numbers are those of
 * metrics.def and refusals.def. */
#ifndef AFORO_SERVER_HTTP_METRICS_PAGE_H
#define AFORO_SERVER_HTTP_METRICS_PAGE_H

#include "server/http/pages.h"

/* Makes the page in the format that the request's Accept header asks for. By the thread of the
 * worker that is asked; the caller owns the response. */
void metrics_page_make(const struct worker *worker, struct MHD_Connection *connection,
                       struct page *page);

#endif
