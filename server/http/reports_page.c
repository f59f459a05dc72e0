#include "server/http/reports_page.h"

#include "counters/counters.h"
#include "server/http/query_arguments.h"
#include "server/reports/report_sets.h"
#include "view/report_answer.h"
#include "view/report_list.h"
#include "view/report_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORTS_BLOCK (16 * 1024) /* bytes sent at a time */
/* Rows examined before the worker turns to its other connections: some 2 ms. */
#define REPORTS_PACE 10000

_Static_assert(PAGES_WHY_MAX >= REPORT_WHY_MAX, "its sentences fit");

/* An answer under way. It has its own copy of the definitions, since those in force may be reloaded
 * meanwhile. The table lives as long as the server. */
struct reports_answer {
    struct definitions *definitions;
    struct report_table source;
    struct report_answer answer;
    struct text text; /* written so far; [0, sent) of it is sent */
    size_t sent;
    bool ended;
};

static void free_answer(void *cls) {
    struct reports_answer *made = cls;
    report_answer_free(&made->answer);
    text_free(&made->text);
    if (made->definitions) {
        definitions_free(made->definitions);
    }
    free(made);
}

/* MHD_ContentReaderCallback: the next part of the answer. */
static ssize_t write_rows(void *cls, uint64_t position, char *buf, size_t max) {
    (void)position;
    struct reports_answer *made = cls;
    if (made->sent == made->text.len) {
        made->sent = made->text.len = 0;
        if (made->ended) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        const enum report_answer_outcome outcome =
            report_answer_write(&made->answer, REPORTS_BLOCK, &made->text);
        made->ended = outcome == REPORT_ANSWER_ENDED;
        if (outcome == REPORT_ANSWER_FAILED) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    const size_t left = made->text.len - made->sent, n = left < max ? left : max;
    if (n > 0) {
        memcpy(buf, made->text.bytes + made->sent, n);
    }
    made->sent += n;
    /* If there is nothing to send, the library calls again in the worker's next turn. */
    return n > 0 || !made->ended ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

/* ---- what is asked ---- */

/* The arguments `where` of a request. */
struct wheres {
    struct report_query *query;
    char *why;
    bool fit;
};

static enum MHD_Result take_where(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    (void)kind;
    struct wheres *wheres = cls;
    wheres->fit =
        strcmp(name, "where") != 0 || report_query_add_where(wheres->query, value, wheres->why);
    return wheres->fit ? MHD_YES : MHD_NO;
}

static bool read_top(struct MHD_Connection *connection, struct report_query *query, char *why) {
    const char *by = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "by");
    if (!query_arguments_number(connection, "top", REPORT_TOP_MAX, &query->top, why,
                                PAGES_WHY_MAX)) {
        return false;
    }
    if (by && query->top == 0) {
        snprintf(why, PAGES_WHY_MAX, "by: goes with top, which says how many rows");
        return false;
    }
    return query->top == 0 || report_query_set_by(query, by, why);
}

/* Reads the arguments into *question; false with `why` filled. */
static bool read_question(struct MHD_Connection *connection, struct report_question *question,
                          char *why) {
    struct query_arguments arguments;
    if (!query_arguments_read(connection, &arguments, why, PAGES_WHY_MAX)) {
        return false;
    }
    struct report_query *query = &question->query;
    query->from_us = arguments.from_us;
    query->to_us = arguments.to_us;
    query->last = arguments.last;
    query->partial = arguments.partial;
    question->format = arguments.format;
    struct wheres wheres = {query, why, true};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_where, &wheres);
    return wheres.fit && read_top(connection, query, why);
}

/* ---- rows ---- */

/* "billing/1min" -> "billing" in `name`, and "1min"; NULL when no window is named. */
static const char *split_path(const char *path, char name[PAGES_WHY_MAX]) {
    const size_t len = strcspn(path, "/"), kept = len < PAGES_WHY_MAX ? len : PAGES_WHY_MAX - 1;
    memcpy(name, path, kept);
    name[kept] = '\0';
    return path[len] ? path + len + 1 : NULL;
}

/* Reads the definition of one report of a set from its table. */
static struct definitions *copy_definitions(const struct report *report) {
    char why[DEFINITIONS_WHY_MAX];
    const struct definitions_for purpose = {.file = report->table.name}; /* for reading only */
    return definitions_read(report->definition, strlen(report->definition), &purpose, why);
}

/* Whether a report of that name is set aside; if so, `why` says it. */
static bool find_aside(const struct definitions *definitions, const char *name, char *why) {
    char sentence[OWN_WHY_MAX];
    for (unsigned i = 0; i < definitions->asides; i++) {
        if (strcmp(definitions->aside[i].name, name) == 0) {
            own_explain_aside(definitions->aside[i].measure, sentence);
            snprintf(why, PAGES_WHY_MAX, "report %.60s is set aside: %.400s", name, sentence);
            return true;
        }
    }
    return false;
}

/* Finds report and window. NULL with page->status and page->why set, or when out of memory. */
static struct reports_answer *find_report(const struct worker *worker, const char *path,
                                          struct report_query *query, struct page *page) {
    char name[PAGES_WHY_MAX];
    const struct report_set *set = worker->report_view.set;
    const char *window = split_path(path, name);
    const struct report *report = report_find(set->reports.definitions, name, page->why);
    if (!report) {
        page->status = find_aside(set->reports.definitions, name, page->why)
                           ? MHD_HTTP_SERVICE_UNAVAILABLE
                           : MHD_HTTP_NOT_FOUND;
        return NULL;
    }
    struct reports_answer *made = calloc(1, sizeof *made);
    if (!made) {
        return NULL;
    }
    made->definitions = copy_definitions(report);
    if (!made->definitions) {
        free_answer(made);
        return NULL;
    }
    *query = (struct report_query){.fields = &made->definitions->fields,
                                   .report = &made->definitions->report[0]};
    if (!report_query_set_width(query, window, page->why)) {
        free_answer(made);
        return NULL;
    }
    made->source = (struct report_table){
        query->report, set->reports.table[report - set->reports.definitions->report], query->width};
    return made;
}

/* For an answer without rows: names an earlier definition of the report that still has rows. */
static void name_earlier(const struct report_set *set, struct report_question *question) {
    const struct table_config *its = &question->query.report->table;
    for (size_t i = 0; i < tables_count(set->reports.tables) && !*question->earlier; i++) {
        const struct table *table = tables_at(set->reports.tables, i);
        const struct table_config *config = table_config(table);
        bool any = false;
        if (strcmp(config->name, its->name) != 0 || strcmp(config->digest, its->digest) == 0 ||
            table_is_removed(table)) {
            continue;
        }
        for (unsigned k = 0; k < config->widths && !any; k++) {
            int64_t oldest, newest;
            any = table_span_windows(table, k, &oldest, &newest);
        }
        if (any) {
            snprintf(question->earlier, sizeof question->earlier, "%s.%s", config->name,
                     config->digest);
        }
    }
}

static void make_rows(struct worker *worker, struct MHD_Connection *connection, const char *path,
                      struct page *page) {
    struct report_question question = {.now_us = worker->now_us,
                                       .horizon_us = counters_horizon_us(worker->server->counters),
                                       .pace = REPORTS_PACE};
    page->status = MHD_HTTP_NOT_FOUND;
    struct reports_answer *made = find_report(worker, path, &question.query, page);
    if (!made) {
        return;
    }
    if (!read_question(connection, &question, page->why)) {
        page->status = MHD_HTTP_BAD_REQUEST;
        free_answer(made);
        return;
    }
    question.reader = report_table_reader(&made->source);
    name_earlier(worker->report_view.set, &question);
    page->status = MHD_HTTP_OK;
    page->type = query_arguments_type(question.format);
    if (report_answer_begin(&made->answer, &question)) {
        page->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, REPORTS_BLOCK,
                                                           write_rows, made, free_answer);
    }
    if (!page->response) {
        free_answer(made);
    }
}

/* ---- the list ---- */

static void add_list(const struct report_set *set, enum rows_format format, struct text *text) {
    const struct definitions *definitions = set->reports.definitions;
    struct report_listing listing[REPORTS_MAX];
    struct table_status status[REPORTS_MAX];
    uint64_t gone[REPORTS_MAX];
    static _Thread_local uint64_t unfit[REPORTS_MAX][FIELDS_MAX];
    for (unsigned r = 0; r < definitions->reports; r++) {
        table_status(set->reports.table[r], &status[r]);
        for (unsigned f = 0; f < definitions->fields.n; f++) {
            unfit[r][f] = report_set_unfit(set, r, f);
        }
        gone[r] = report_set_gone(set, r);
        listing[r] = (struct report_listing){&definitions->fields, &definitions->report[r],
                                             &status[r], unfit[r], &gone[r]};
    }
    const struct report_list list = {listing, definitions->reports, definitions->aside,
                                     definitions->asides};
    report_list_add(format, &list, text);
}

static void make_list(const struct worker *worker, struct MHD_Connection *connection,
                      struct page *page) {
    const char *said = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
    enum rows_format format = ROWS_JSON;
    if (said && (!rows_format_by_name(said, &format) || format == ROWS_CSV)) {
        page->status = MHD_HTTP_BAD_REQUEST;
        snprintf(page->why, sizeof page->why, "format: must be text or json");
        return;
    }
    struct text text = {0};
    add_list(worker->report_view.set, format, &text);
    page->status = MHD_HTTP_OK;
    page->type = query_arguments_type(format);
    if (!text.failed) {
        page->response =
            MHD_create_response_from_buffer(text.len, text.bytes, MHD_RESPMEM_MUST_COPY);
    }
    text_free(&text);
}

void reports_page_make(struct worker *worker, struct MHD_Connection *connection, const char *url,
                       struct page *page) {
    const char *path = url + sizeof REPORTS_PATH - 1;
    if (!worker->report_view.set) {
        page->status = MHD_HTTP_NOT_FOUND;
        snprintf(page->why, sizeof page->why,
                 "this server has no reports; start it with --reports FILE");
    } else if (path[0] == '/' && path[1]) {
        make_rows(worker, connection, path + 1, page);
    } else {
        make_list(worker, connection, page);
    }
}
