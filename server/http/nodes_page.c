#include "server/http/nodes_page.h"

#include "common/version.h"
#include "counters/counters.h"
#include "server/process/clock.h"
#include "server/refusals.h"
#include "view/nodes.h"

#include <inttypes.h>
#include <stdio.h>

_Static_assert(REFUSALS <= NODES_REASONS_MAX, "room for all reasons");
_Static_assert(NODES_NAME_MAX >= COUNTERS_NODE_MAX, "room for a node's name");

/* Rounds up to whole milliseconds; a value beyond every bound of the histogram is unknown. */
static int64_t visible_ms(uint64_t us) {
    return us < durations_bound_us[DURATIONS_BOUNDS] ? (int64_t)(us + 999) / US_PER_MS : 0;
}

/* Reads this node's present state. */
static void read_node(const struct server *server, struct node_view *node) {
    struct shard_tally tally;
    counters_tally(server->counters, &tally);
    *node = (struct node_view){.started_us = server->started_wall_us,
                               .received = tally.received,
                               .counted = tally.counted,
                               .reasons = REFUSALS};
    snprintf(node->node, sizeof node->node, "%s", counters_node_id(server->counters));
    snprintf(node->version, sizeof node->version, "%s", version_text());
    for (unsigned i = 0; i < REFUSALS; i++) {
        snprintf(node->refused[i].name, NODES_REASON_MAX, "%s", refusal_table[i].name);
        node->refused[i].events = tally.refused[i];
    }
}

void nodes_page_describe(void *cls, const struct flush_told *told, char words[FLUSH_WORDS_MAX]) {
    struct node_view node;
    read_node(cls, &node);
    node.lag_ms = told->lag_us / US_PER_MS;
    node.complete_through_us = told->complete_through_us;
    node.visible_p99_ms = visible_ms(told->visible_p99_us);
    node.ended = told->ends;
    nodes_write(&node, words, FLUSH_WORDS_MAX);
}

void nodes_page_answer(struct text *text, int64_t now_us, struct page *page) {
    char now[24];
    page->status = MHD_HTTP_OK;
    page->type = ANSWERS_TYPE_JSON;
    page->response = text->failed ? NULL
                                  : MHD_create_response_from_buffer(text->len, text->bytes,
                                                                    MHD_RESPMEM_MUST_COPY);
    text_free(text);
    if (page->response) {
        snprintf(now, sizeof now, "%" PRId64, now_us / US_PER_MS);
        MHD_add_response_header(page->response, "Aforo-Time", now);
    }
}

void nodes_page_add(const struct worker *worker, struct text *text) {
    const struct server *server = worker->server;
    struct node_view node;
    read_node(server, &node);
    node.last_seen_us = worker->now_us;
    if (server->flush) {
        struct flush_status status;
        flush_status(server->flush, &status);
        node.lag_ms = status.lag_us / US_PER_MS;
        node.complete_through_us = status.complete_through_us;
        node.visible_p99_ms = visible_ms(status.visible_p99_us);
    }
    text_add_string(text, "[\n");
    nodes_add_json(&node, text);
    text_add_string(text, "\n]\n");
}

void nodes_page_make(const struct worker *worker, struct page *page) {
    struct text text = {0};
    nodes_page_add(worker, &text);
    nodes_page_answer(&text, worker->now_us, page);
}
