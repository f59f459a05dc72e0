/* The live page, for browsers: at / when HTML is asked for, and its parts below /page/. They hold
 * nothing of what is counted, and are given without a token; the page asks for one. By the worker
 * thread, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_LIVE_PAGE_H
#define AFORO_SERVER_HTTP_LIVE_PAGE_H

#include "server/http/pages.h"

#include <stdbool.h>

/* Whether there is a part of that path. Pure. */
bool live_page_has(const char *path);

/* Whether GET / wants the page rather than the text: HTML, compressed. */
bool live_page_is_wanted(struct MHD_Connection *connection);

/* "/" or a path that live_page_has. */
void live_page_make(struct MHD_Connection *connection, const char *path, struct page *page);

#endif
