/* GET /reports: which reports there are. GET /reports/NAME[/WINDOW]: the rows of one, written as
 * they are sent. By the worker's thread, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_REPORTS_PAGE_H
#define AFORO_SERVER_HTTP_REPORTS_PAGE_H

#include "server/http/pages.h"

#define REPORTS_PATH "/reports"

/* Makes the page at `url`, which begins with REPORTS_PATH, as the request's arguments ask
 * (pages_arguments_fit has checked them), or the sentence that says why there is none: 404 with
 * what there is, or 400 with the argument that is wrong. The caller owns the response. */
void reports_page_make(struct worker *worker, struct MHD_Connection *connection, const char *url,
                       struct page *page);

#endif
