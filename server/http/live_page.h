/* The live page, for browsers: at / when HTML is asked for, and its parts below /page/. They
 * contain no counts, so they are served without a token; the page asks for one. By the worker's
 * thread, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_LIVE_PAGE_H
#define AFORO_SERVER_HTTP_LIVE_PAGE_H

#include "server/http/pages.h"

#include <stdbool.h>

/* Whether the page has a part of that path. Pure. */
bool live_page_has(const char *path);

/* Whether GET / asks for the page rather than the text: it accepts HTML, compressed. */
bool live_page_is_wanted(struct MHD_Connection *connection);

/* Makes the answer for "/" or for a path that live_page_has. The caller owns the response. */
void live_page_make(struct MHD_Connection *connection, const char *path, struct page *page);

#endif
