#include "tools/serve/serve_pages.h"

#include "common/json.h"
#include "common/version.h"
#include "server/http/counts_page.h"
#include "server/http/live_page.h"
#include "server/http/live_round.h"
#include "server/http/nodes_page.h"
#include "server/http/query_arguments.h"
#include "server/http/reports_page.h"
#include "tools/serve/fleet.h"
#include "tools/serve/fleet_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT                                                                                       \
    "aforo serve shows what all aforod count that flush to one Redis.\n"                           \
    "\n"                                                                                           \
    "GET  /                 this text; in a browser the live page\n"                               \
    "GET  /counts/10ms      counts a window; also /counts/1s and /counts/1min\n"                   \
    "                       ?last=60 &from=TIME &to=TIME &partial=1 &format=text|csv|json\n"       \
    "GET  /reports          which reports there are (JSON)\n"                                      \
    "GET  /reports/NAME/1min  its rows; &where=FIELD=VALUE &top=20 &by=FIGURE, and as above\n"     \
    "GET  /live             several of these in one answer, as the live page asks (JSON)\n"        \
    "GET  /nodes            the nodes, and whether they are here (JSON)\n"                         \
    "GET  /metrics          the nodes, for Prometheus\n"                                           \
    "GET  /healthz          can Redis be read (JSON)\n"

#define WHERES_MAX 64

static enum route find_route(const char *path) {
    enum resolution r;
    return strcmp(path, "/") == 0          ? ROUTE_ROOT
           : strcmp(path, "/healthz") == 0 ? ROUTE_HEALTH
           : strcmp(path, "/nodes") == 0 || strcmp(path, "/metrics") == 0 ||
                   strcmp(path, PAGES_LIVE) == 0 || pages_is_of_reports(path) ||
                   pages_find_resolution(path, &r)
               ? ROUTE_PAGE
           : live_page_has(path) ? ROUTE_LIVE
                                 : ROUTE_NONE;
}

static struct fleet *fleet_of(const struct worker *worker) {
    return worker->server->pages_cls;
}

/* Copies the fleet's sentence to the page's, cut to its room. */
static void copy_why(char why[PAGES_WHY_MAX], const char *sentence) {
    snprintf(why, PAGES_WHY_MAX, "%.*s", PAGES_WHY_MAX - 1, sentence);
}

static void refuse(struct page *page, unsigned status) {
    page->status = status;
    page->response = NULL;
}

/* ---- reports ---- */

/* The arguments of a question about a report; the words point into the request. */
struct asked {
    char name[PAGES_WHY_MAX];
    const char *where[WHERES_MAX];
    struct report_words words;
    bool overfull;
};

static enum MHD_Result take_where(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    (void)kind;
    struct asked *asked = cls;
    if (strcmp(name, "where") == 0) {
        asked->overfull = asked->words.wheres == WHERES_MAX;
        if (asked->overfull) {
            return MHD_NO;
        }
        asked->where[asked->words.wheres++] = value;
    }
    return MHD_YES;
}

/* False with page->why filled. */
static bool read_words(const struct worker *worker, struct MHD_Connection *connection,
                       const char *path, struct asked *asked, struct page *page) {
    struct query_arguments arguments;
    struct report_words *words = &asked->words;
    const size_t len = strcspn(path, "/");
    snprintf(asked->name, sizeof asked->name, "%.*s", (int)len, path);
    if (!query_arguments_read(connection, &arguments, page->why, PAGES_WHY_MAX) ||
        !query_arguments_number(connection, "top", REPORT_TOP_MAX, &words->top, page->why,
                                PAGES_WHY_MAX)) {
        return false;
    }
    words->name = asked->name;
    words->window = path[len] ? path + len + 1 : NULL;
    words->from_us = arguments.from_us;
    words->to_us = arguments.to_us;
    words->last = arguments.last;
    words->partial = arguments.partial;
    words->format = arguments.format;
    words->where = asked->where;
    words->now_us = worker->now_us;
    words->by = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "by");
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_where, asked);
    if (asked->overfull) {
        snprintf(page->why, PAGES_WHY_MAX, "where: %d at the most", WHERES_MAX);
    } else if (words->by && words->top == 0) {
        snprintf(page->why, PAGES_WHY_MAX, "by: goes with top, which says how many rows");
    }
    return !page->why[0];
}

static void answer_report(enum report_outcome outcome, enum rows_format format, struct text *text,
                          const char *why, struct page *page) {
    static const unsigned status[] = {[REPORT_DONE] = MHD_HTTP_OK,
                                      [REPORT_STOPPED] = MHD_HTTP_BAD_REQUEST,
                                      [REPORT_AWAY] = MHD_HTTP_SERVICE_UNAVAILABLE,
                                      [REPORT_UNKNOWN] = MHD_HTTP_NOT_FOUND,
                                      [REPORT_WRONG] = MHD_HTTP_BAD_REQUEST,
                                      [REPORT_UNCLEAR] = MHD_HTTP_NOT_FOUND};
    page->status = status[outcome];
    page->type = query_arguments_type(format);
    if (outcome != REPORT_DONE) {
        copy_why(page->why, why);
    } else if (!text->failed) {
        page->response =
            MHD_create_response_from_buffer(text->len, text->bytes, MHD_RESPMEM_MUST_COPY);
    }
    text_free(text);
}

static void make_report(const struct worker *worker, struct MHD_Connection *connection,
                        const char *path, struct page *page) {
    struct asked asked = {0};
    struct text text = {0};
    char why[FLEET_WHY_MAX];
    if (!read_words(worker, connection, path, &asked, page)) {
        refuse(page, MHD_HTTP_BAD_REQUEST);
        return;
    }
    const enum report_outcome outcome = fleet_report(fleet_of(worker), &asked.words, &text, why);
    answer_report(outcome, asked.words.format, &text, why, page);
}

static void make_report_list(const struct worker *worker, struct MHD_Connection *connection,
                             struct page *page) {
    const char *said = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
    enum rows_format format = ROWS_JSON;
    struct text text = {0};
    char why[FLEET_WHY_MAX];
    if (said && (!rows_format_by_name(said, &format) || format == ROWS_CSV)) {
        snprintf(page->why, sizeof page->why, "format: must be text or json");
        refuse(page, MHD_HTTP_BAD_REQUEST);
        return;
    }
    const enum report_outcome outcome = fleet_report_list(fleet_of(worker), format, &text, why);
    answer_report(outcome, format, &text, why, page);
}

/* ---- the others ---- */

static void make_counts(const struct worker *worker, struct MHD_Connection *connection,
                        enum resolution r, struct page *page) {
    struct fleet *fleet = fleet_of(worker);
    char why[FLEET_WHY_MAX] = "";
    if (fleet_is_here(fleet, why)) {
        const struct counts_source source = {.reader = fleet_reader(fleet, r, worker->now_us),
                                             .horizon_us = fleet_horizon_us(fleet)};
        counts_page_answer(connection, r, &source, worker->now_us, page);
        if (page->status == MHD_HTTP_SERVICE_UNAVAILABLE) {
            fleet_why(fleet, why);
        }
    }
    if (*why) {
        copy_why(page->why, why);
        refuse(page, MHD_HTTP_SERVICE_UNAVAILABLE);
    }
}

static bool add_nodes(void *cls, int64_t now_us, struct text *text, char *why) {
    const struct node_view *node;
    size_t n;
    char sentence[FLEET_WHY_MAX];
    if (!fleet_nodes(cls, now_us, &node, &n, sentence)) {
        copy_why(why, sentence);
        return false;
    }
    text_add_string(text, "[\n");
    for (size_t i = 0; i < n; i++) {
        text_add_string(text, i ? ",\n" : "");
        nodes_add_json(&node[i], text);
    }
    text_add_string(text, n ? "\n]\n" : "]\n");
    return true;
}

static void make_nodes(const struct worker *worker, struct page *page) {
    struct text text = {0};
    if (add_nodes(fleet_of(worker), worker->now_us, &text, page->why)) {
        nodes_page_answer(&text, worker->now_us, page);
    } else {
        text_free(&text);
        refuse(page, MHD_HTTP_SERVICE_UNAVAILABLE);
    }
}

static struct query_reader find_reader(void *cls, enum resolution r, int64_t now_us) {
    return fleet_reader(cls, r, now_us);
}

static void explain(void *cls, char *why) {
    char sentence[FLEET_WHY_MAX];
    fleet_why(cls, sentence);
    copy_why(why, sentence);
}

/* While Redis is away, nobody gets what was read before. */
static void make_live(struct worker *worker, struct MHD_Connection *connection, struct page *page) {
    struct fleet *fleet = fleet_of(worker);
    const struct live_source source = {find_reader, add_nodes, explain, fleet, 0};
    char why[FLEET_WHY_MAX];
    if (fleet_is_here(fleet, why)) {
        live_round_answer(worker, connection, &source, page);
    } else {
        copy_why(page->why, why);
        refuse(page, MHD_HTTP_SERVICE_UNAVAILABLE);
    }
}

static void make_metrics(const struct worker *worker, struct MHD_Connection *connection,
                         struct page *page) {
    static const struct node_view nobody;
    const struct node_view *node = NULL;
    size_t n = 0;
    char why[FLEET_WHY_MAX];
    struct exposition out = {.format = exposition_choose(MHD_lookup_connection_value(
                                 connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT))};
    const bool here = fleet_nodes(fleet_of(worker), worker->now_us, &node, &n, why);
    fleet_metrics_write(&out, !here ? NULL : node ? node : &nobody, n);
    page->status = MHD_HTTP_OK;
    page->type = exposition_type(out.format);
    if (!out.text.failed) {
        page->response =
            MHD_create_response_from_buffer(out.text.len, out.text.bytes, MHD_RESPMEM_MUST_COPY);
    }
    text_free(&out.text);
}

static void make_health(const struct worker *worker, struct page *page) {
    char why[FLEET_WHY_MAX] = "", text[JSON_TEXT_MAX(16, FLEET_WHY_MAX) + 256];
    const bool here = fleet_is_here(fleet_of(worker), why);
    const bool well = here && !worker->draining;
    struct json json = json_begin(text, sizeof text);
    json_object(&json, NULL);
    json_text(&json, "status", worker->draining ? "stopping" : here ? "ok" : "redis away");
    json_text(&json, "version", version_text());
    json_object(&json, "redis");
    json_boolean(&json, "connected", here);
    json_text(&json, "last_error", why);
    json_object_end(&json);
    json_object_end(&json);
    json_end(&json);
    page->status = well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    page->type = ANSWERS_TYPE_JSON;
    page->response = MHD_create_response_from_buffer(json.len, text, MHD_RESPMEM_MUST_COPY);
}

static void make_page(struct worker *worker, struct MHD_Connection *connection, const char *path,
                      struct page *page) {
    enum resolution r;
    const char *rest = path + sizeof REPORTS_PATH - 1;
    if (pages_find_resolution(path, &r)) {
        make_counts(worker, connection, r, page);
    } else if (pages_is_of_reports(path) && rest[0] == '/' && rest[1]) {
        make_report(worker, connection, rest + 1, page);
    } else if (pages_is_of_reports(path)) {
        make_report_list(worker, connection, page);
    } else if (strcmp(path, PAGES_LIVE) == 0) {
        make_live(worker, connection, page);
    } else if (strcmp(path, "/nodes") == 0) {
        make_nodes(worker, page);
    } else if (strcmp(path, "/metrics") == 0) {
        make_metrics(worker, connection, page);
    } else if (strcmp(path, "/healthz") == 0) {
        make_health(worker, page);
    } else {
        page->status = MHD_HTTP_OK;
        page->type = ANSWERS_TYPE_TEXT;
        page->response = MHD_create_response_from_buffer(sizeof ROOT - 1, (void *)(uintptr_t)ROOT,
                                                         MHD_RESPMEM_PERSISTENT);
    }
}

const struct pages serve_pages = {
    .find = find_route, .arguments = pages_find_arguments, .make = make_page};
