#include "server/http/counts_page.h"

#include "counters/counters.h"
#include "counters/query.h"
#include "server/http/query_arguments.h"
#include "server/process/clock.h"
#include "view/windows.h"

#include <stdlib.h>
#include <string.h>

/* bytes made at a time, so that a long answer does not hold up the worker's other requests */
#define COUNTS_BLOCK (16 * 1024)
#define COUNTS_ROWS (COUNTS_BLOCK / ROWS_ROW_MAX)

/* An answer under way: rows [next, end) must still be written. */
struct counts {
    struct counts_source source;
    struct query query;
    struct rows_form form;
    int64_t now_us;
    int64_t first, next, end;
    bool begun, ended;
};

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    counters_read(cls, r, first, n, out);
    return true;
}

/* MHD_ContentReaderCallback: the next part of the answer. */
static ssize_t write_rows(void *cls, uint64_t position, char *buf, size_t max) {
    (void)position;
    struct counts *counts = cls;
    const enum resolution r = counts->query.resolution;
    size_t len = 0;
    if (max < 2 * ROWS_ROW_MAX) {
        return 0; /* called again with more room */
    }
    if (counts->ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (!counts->begun) {
        len += rows_begin(&counts->form, buf);
        counts->begun = true;
    }
    uint64_t count[COUNTS_ROWS];
    size_t n = (max - len) / ROWS_ROW_MAX - 1; /* leaves room for the end */
    n = n < COUNTS_ROWS ? n : COUNTS_ROWS;
    n = (int64_t)n < counts->end - counts->next ? n : (size_t)(counts->end - counts->next);
    if (n > 0 && !counts->source.reader.read(counts->source.reader.cls, r, counts->next,
                                             (uint32_t)n, count)) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    for (size_t i = 0; i < n; i++) {
        const int64_t window = counts->next++;
        const struct row row = {
            window, count[i],
            window_state_at(r, window, counts->now_us, counts->source.horizon_us)};
        len += rows_row(&counts->form, &row, window == counts->first, buf + len);
    }
    if (counts->next == counts->end) {
        len += rows_end(&counts->form, buf + len);
        counts->ended = true;
    }
    return len ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

/* False: the source failed. */
static bool find_rows(struct counts *counts) {
    int64_t n = 0;
    const enum query_outcome found =
        query_find(&counts->query, &counts->source.reader, counts->now_us, &counts->first, &n);
    counts->next = counts->first;
    counts->end = counts->first + (found == QUERY_ROWS ? n : 0);
    return found != QUERY_FAILED;
}

void counts_page_answer(struct MHD_Connection *connection, enum resolution r,
                        const struct counts_source *source, int64_t now_us, struct page *page) {
    struct counts *counts = calloc(1, sizeof *counts);
    page->response = NULL;
    if (!counts) {
        return;
    }
    counts->source = *source;
    counts->now_us = now_us;
    struct query_arguments arguments;
    if (!query_arguments_read(connection, &arguments, page->why, sizeof page->why)) {
        free(counts);
        page->status = MHD_HTTP_BAD_REQUEST;
        return;
    }
    counts->query = (struct query){.resolution = r,
                                   .from_us = arguments.from_us,
                                   .to_us = arguments.to_us,
                                   .last = arguments.last,
                                   .partial = arguments.partial};
    counts->form = (struct rows_form){.format = arguments.format, .resolution = r};
    if (!find_rows(counts)) {
        free(counts);
        page->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        return;
    }
    page->status = MHD_HTTP_OK;
    page->type = query_arguments_type(arguments.format);
    page->response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, COUNTS_BLOCK, write_rows, counts, free);
    if (!page->response) {
        free(counts);
    }
}

struct counts_source counts_page_source(const struct counters *counters, enum resolution r) {
    struct counts_source source = {.horizon_us = counters_horizon_us(counters),
                                   .reader = {.read = read_windows,
                                              .cls = (void *)(uintptr_t)counters,
                                              .oldest = 1}}; /* oldest > newest: it has no rows */
    int64_t oldest, newest;
    if (counters_span_ahead(counters, r, &oldest, &newest)) {
        source.reader.oldest = chunk_first_window(r, oldest);
        source.reader.newest = chunk_first_window(r, newest + 1) - 1;
        source.reader.kept = chunk_first_window(r, counters_oldest_kept(counters, r));
    }
    return source;
}

void counts_page_make(const struct worker *worker, struct MHD_Connection *connection,
                      enum resolution r, struct page *page) {
    const struct counts_source source = counts_page_source(worker->server->counters, r);
    counts_page_answer(connection, r, &source, worker->now_us, page);
}
