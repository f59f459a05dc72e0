/* GET /nodes of one server: its description of itself, for whoever asks and, through the flush, in
 * Redis. */
#ifndef AFORO_SERVER_HTTP_NODES_PAGE_H
#define AFORO_SERVER_HTTP_NODES_PAGE_H

#include "server/flush/flush.h"
#include "server/http/pages.h"

struct text;

/* Makes the page. By the worker's thread, inside MHD_run; the caller owns the response. */
void nodes_page_make(const struct worker *worker, struct page *page);

/* Adds the page's content to `text`. By the worker's thread. */
void nodes_page_add(const struct worker *worker, struct text *text);

/* Makes a page of `text`, which it frees: JSON, with the server's clock (now_us) in a header. */
void nodes_page_answer(struct text *text, int64_t now_us, struct page *page);

/* The `describe` of struct flush_config; cls is the struct server. Any thread. */
void nodes_page_describe(void *cls, const struct flush_told *told, char words[FLUSH_WORDS_MAX]);

#endif
