/* /nodes of one server: what it says of itself, to whoever asks it and, through the flush, in
 * Redis.
 */
#ifndef AFORO_SERVER_HTTP_NODES_PAGE_H
#define AFORO_SERVER_HTTP_NODES_PAGE_H

#include "server/flush/flush.h"
#include "server/http/pages.h"

struct text;

/* By the worker thread, inside MHD_run. */
void nodes_page_make(const struct worker *worker, struct page *page);

/* Adds what it answers. By the worker thread. */
void nodes_page_add(const struct worker *worker, struct text *text);

/* A page of `text`, which it frees: JSON, and the server's clock in a header. */
void nodes_page_answer(struct text *text, int64_t now_us, struct page *page);

/* struct flush_config: describe; cls is the struct server. Any thread. */
void nodes_page_describe(void *cls, const struct flush_told *told, char words[FLUSH_WORDS_MAX]);

#endif
