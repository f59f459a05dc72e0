/* GET /healthz and GET /stats: how this server is doing, in JSON; the numbers are those of
 * metrics.def. */
#ifndef AFORO_SERVER_HTTP_STATUS_PAGE_H
#define AFORO_SERVER_HTTP_STATUS_PAGE_H

#include "server/http/pages.h"

/* Each makes its page from the viewpoint of the worker that is asked. By that worker's thread; the
 * caller owns the response. */
void status_page_make_health(const struct worker *worker, struct page *page);
void status_page_make_stats(const struct worker *worker, struct page *page);

#endif
