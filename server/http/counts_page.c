#include "server/http/counts_page.h"

#include "counters/counters.h"
#include "counters/query.h"
#include "ingest/timestamp.h"
#include "server/process/clock.h"
#include "view/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bytes made at a time: a long answer does not hold up the worker's other requests */
#define COUNTS_BLOCK (16 * 1024)
#define COUNTS_ROWS (COUNTS_BLOCK / ROWS_ROW_MAX)

/* An answer under way: rows [next, end) are still to be written. */
struct counts {
    const struct counters *counters;
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
    size_t n = (max - len) / ROWS_ROW_MAX - 1; /* room for the end is kept */
    n = n < COUNTS_ROWS ? n : COUNTS_ROWS;
    n = (int64_t)n < counts->end - counts->next ? n : (size_t)(counts->end - counts->next);
    counters_read(counts->counters, r, counts->next, (uint32_t)n, count);
    for (size_t i = 0; i < n; i++) {
        const int64_t window = counts->next++;
        const struct row row = {
            window, count[i],
            window_state_at(r, window, counts->now_us, counters_horizon_us(counts->counters))};
        len += rows_row(&counts->form, &row, window == counts->first, buf + len);
    }
    if (counts->next == counts->end) {
        len += rows_end(&counts->form, buf + len);
        counts->ended = true;
    }
    return len ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

static bool has_argument(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name) != NULL;
}

static bool argument_time(struct MHD_Connection *connection, const char *name, int64_t *us,
                          char *why, size_t cap) {
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    struct timestamp_error error;
    if (!text || timestamp_parse(text, strlen(text), us, &error)) {
        return true;
    }
    char sentence[128];
    timestamp_explain(&error, sentence, sizeof sentence);
    const bool plus = error.found == ' ' && error.at >= sizeof "2016-05-28T11:11:11" - 1 &&
                      text[error.at + 1] >= '0' && text[error.at + 1] <= '9';
    snprintf(why, cap, "%s: %s%s", name, sentence,
             plus ? "; send %2B for the '+' of an offset" : "");
    return false;
}

static bool argument_last(struct MHD_Connection *connection, int64_t *last, char *why, size_t cap) {
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "last");
    if (!text) {
        return true;
    }
    char *end;
    const long long n = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n < 1 || n > 1000000000) {
        snprintf(why, cap, "last: must be a whole number from 1 to 1000000000");
        return false;
    }
    *last = n;
    return true;
}

/* The query string -> *counts; false with `why` filled. */
static bool read_arguments(struct MHD_Connection *connection, struct counts *counts, char *why,
                           size_t cap) {
    struct query *query = &counts->query;
    query->from_us = 0;
    query->to_us = QUERY_TO_NONE;
    if (!argument_time(connection, "from", &query->from_us, why, cap) ||
        !argument_time(connection, "to", &query->to_us, why, cap)) {
        return false;
    }
    /* Whether a bound was given, not which: one at or before 1970 bounds nothing, and is one all
     * the same. */
    const bool from = has_argument(connection, "from");
    query->last = from || has_argument(connection, "to") ? 0 : QUERY_LAST_DEFAULT;
    if (!argument_last(connection, &query->last, why, cap)) {
        return false;
    }
    if (from && query->to_us < query->from_us) {
        snprintf(why, cap, "to: is before from");
        return false;
    }
    const char *partial = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "partial");
    query->partial = partial && strcmp(partial, "0") != 0;
    const char *format = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
    counts->form = (struct rows_form){.format = ROWS_TEXT, .resolution = query->resolution};
    if (format && !rows_format_by_name(format, &counts->form.format)) {
        snprintf(why, cap, "format: must be text, csv or json");
        return false;
    }
    return true;
}

static void find_rows(struct counts *counts) {
    const enum resolution r = counts->query.resolution;
    int64_t oldest, newest, n = 0;
    if (counters_span_ahead(counts->counters, r, &oldest, &newest)) {
        const struct query_reader reader = {
            .read = read_windows,
            .cls = (void *)(uintptr_t)counts->counters,
            .oldest = chunk_first_window(r, oldest),
            .newest = chunk_first_window(r, newest + 1) - 1,
            .kept = chunk_first_window(r, counters_oldest_kept(counts->counters, r))};
        if (query_find(&counts->query, &reader, counts->now_us, &counts->first, &n) != QUERY_ROWS) {
            n = 0;
        }
    }
    counts->next = counts->first;
    counts->end = counts->first + n;
}

void counts_page_make(const struct worker *worker, struct MHD_Connection *connection,
                      enum resolution r, struct page *page) {
    static const char *const types[] = {"text/plain; charset=utf-8", "text/csv",
                                        "application/json"};
    struct counts *counts = calloc(1, sizeof *counts);
    page->response = NULL;
    if (!counts) {
        return;
    }
    counts->counters = worker->server->counters;
    counts->query.resolution = r;
    counts->now_us = worker->now_us;
    if (!read_arguments(connection, counts, page->why, sizeof page->why)) {
        free(counts);
        page->status = MHD_HTTP_BAD_REQUEST;
        return;
    }
    find_rows(counts);
    page->status = MHD_HTTP_OK;
    page->type = types[counts->form.format];
    page->response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, COUNTS_BLOCK, write_rows, counts, free);
    if (!page->response) {
        free(counts);
    }
}
