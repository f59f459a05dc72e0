#include "server/http/live_round.h"

#include "counters/counters.h"
#include "server/http/counts_page.h"
#include "server/http/nodes_page.h"
#include "server/http/query_arguments.h"
#include "view/text.h"

#include <inttypes.h>
#include <stdio.h>

#define WINDOWS_MAX QUERY_BLOCK /* of one resolution: one call of a reader */
#define QUESTIONS_MOST 120      /* a second, to a worker that counts: those of 30 pages */

/* ---- the question ---- */

static bool read_question(struct MHD_Connection *connection, struct live_question *question,
                          char *why) {
    bool any = false;
    *question = (struct live_question){0};
    for (int r = 0; r < RESOLUTIONS; r++) {
        if (!query_arguments_number(connection, resolution_table[r].name, WINDOWS_MAX,
                                    &question->windows[r], why, PAGES_WHY_MAX)) {
            return false;
        }
        any = any || question->windows[r] > 0;
    }
    if (!query_arguments_yes(connection, "nodes", &question->nodes, why, PAGES_WHY_MAX)) {
        return false;
    }
    if (!any && !question->nodes) {
        snprintf(why, PAGES_WHY_MAX,
                 "nothing is asked for: 10ms=N, 1s=N or 1min=N windows, nodes=1");
        return false;
    }
    return true;
}

/* ---- the answer ---- */

static void add_number(struct text *text, const char *before, int64_t number) {
    char digits[24];
    text_add_string(text, before);
    text_add(text, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
}

/* Adds windows [first, end); those that the source cannot hold count 0. */
static bool add_counts(const struct query_reader *reader, enum resolution r, int64_t first,
                       int64_t end, struct text *text) {
    uint64_t count[WINDOWS_MAX];
    const int64_t low = first > reader->oldest ? first : reader->oldest;
    const int64_t high = end <= reader->newest ? end : reader->newest + 1;
    if (low < high && !reader->read(reader->cls, r, low, (uint32_t)(high - low), count)) {
        return false;
    }
    add_number(text, "{\"from\":", window_start_us(r, first) / US_PER_MS);
    text_add_string(text, ",\"counts\":[");
    for (int64_t window = first; window < end; window++) {
        const bool held = low <= window && window < high;
        add_number(text, window == first ? "" : ",", held ? (int64_t)count[window - low] : 0);
    }
    text_add_string(text, "]}");
    return true;
}

/* Writes the answer. False with page->why filled. */
static bool write_answer(const struct live_source *source, const struct live_question *question,
                         int64_t now_us, struct text *text, struct page *page) {
    for (int i = 0; i < RESOLUTIONS; i++) {
        const enum resolution r = (enum resolution)i;
        const int64_t end = window_at(r, now_us) + 1, n = question->windows[r];
        if (n == 0) {
            continue;
        }
        const struct query_reader reader = source->find_reader(source->cls, r, now_us);
        text_add_string(text, ",\n\"");
        text_add_string(text, resolution_table[r].name);
        text_add_string(text, "\":");
        if (!add_counts(&reader, r, end > n ? end - n : 0, end, text)) {
            source->explain(source->cls, page->why);
            return false;
        }
    }
    if (question->nodes) {
        text_add_string(text, ",\n\"nodes\":");
        if (!source->add_nodes(source->cls, now_us, text, page->why)) {
            return false;
        }
    }
    text_add_string(text, "}\n");
    return true;
}

/* The response is shared, so its type is added here, once. */
static void take_answer(struct worker *worker, const struct live_question *question,
                        const struct text *text, struct page *page) {
    page->response = text->failed ? NULL
                                  : MHD_create_response_from_buffer(text->len, text->bytes,
                                                                    MHD_RESPMEM_MUST_COPY);
    page->shared = page->response && text->len <= LIVE_KEPT_MAX && !answers_end_connection(worker);
    if (page->shared) {
        MHD_add_response_header(page->response, MHD_HTTP_HEADER_CONTENT_TYPE, ANSWERS_TYPE_JSON);
        live_answers_keep(&worker->live, question, worker_woke_us(worker), page->response);
    }
}

void live_round_answer(struct worker *worker, struct MHD_Connection *connection,
                       const struct live_source *source, struct page *page) {
    struct live_question question;
    struct text text = {0};
    const int64_t next_ms =
        live_pace_note(&worker->live_pace, source->most, worker_woke_us(worker));
    page->type = ANSWERS_TYPE_JSON;
    if (!read_question(connection, &question, page->why)) {
        page->status = MHD_HTTP_BAD_REQUEST;
        return;
    }
    page->status = MHD_HTTP_OK;
    if (!answers_end_connection(worker)) {
        page->response = live_answers_find(&worker->live, &question, worker_woke_us(worker));
        page->shared = page->response != NULL;
    }
    if (page->response) {
        return;
    }
    add_number(&text, "{\"time_ms\":", worker->now_us / US_PER_MS);
    add_number(&text, ",\"next_ms\":", next_ms);
    if (write_answer(source, &question, worker->now_us, &text, page)) {
        take_answer(worker, &question, &text, page);
    } else {
        page->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    text_free(&text);
}

/* ---- of this server ---- */

static struct query_reader find_reader(void *cls, enum resolution r, int64_t now_us) {
    (void)now_us;
    const struct worker *worker = cls;
    return counts_page_source(worker->server->counters, r).reader;
}

static bool add_nodes(void *cls, int64_t now_us, struct text *text, char *why) {
    (void)now_us;
    (void)why;
    nodes_page_add(cls, text);
    return true;
}

static void explain(void *cls, char *why) {
    (void)cls;
    snprintf(why, PAGES_WHY_MAX, "the counts cannot be read");
}

void live_round_make(struct worker *worker, struct MHD_Connection *connection, struct page *page) {
    const struct live_source source = {find_reader, add_nodes, explain, worker, QUESTIONS_MOST};
    live_round_answer(worker, connection, &source, page);
}
