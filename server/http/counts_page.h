/* GET /counts/<resolution>: rows of windows, written while they are sent. */
#ifndef AFORO_SERVER_HTTP_COUNTS_PAGE_H
#define AFORO_SERVER_HTTP_COUNTS_PAGE_H

#include "counters/time/window.h"
#include "server/http/pages.h"

/* Makes it, as the arguments of the request ask (last, from, to, partial, format, which
 * pages_arguments_fit has looked at), or the sentence that says which of them is wrong. By the
 * worker thread; the caller owns the response. */
void counts_page_make(const struct worker *worker, struct MHD_Connection *connection,
                      enum resolution r, struct page *page);

#endif
