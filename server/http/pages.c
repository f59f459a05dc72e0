#include "server/http/pages.h"

#include "counters/counters.h"
#include "counters/query.h"
#include "counters/rows.h"
#include "ingest/timestamp.h"
#include "server/flush/flush.h"
#include "server/http/json.h"
#include "server/metrics.h"
#include "server/process/clock.h"
#include "server/refusals.h"

#include <inttypes.h>
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Missing where a sanitizer brings its own allocator. */
extern __typeof__(mallctl) mallctl __attribute__((weak));

#define COUNTS_PREFIX "/counts/"
/* bytes made at a time: a long answer does not hold up the worker's other requests */
#define COUNTS_BLOCK (16 * 1024)
#define COUNTS_ROWS (COUNTS_BLOCK / ROWS_ROW_MAX)
#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"

static bool counts_resolution(const char *url, enum resolution *r) {
    return strncmp(url, COUNTS_PREFIX, sizeof COUNTS_PREFIX - 1) == 0 &&
           resolution_by_name(url + sizeof COUNTS_PREFIX - 1, r);
}

bool pages_has(const char *url) {
    enum resolution r;
    return strcmp(url, "/healthz") == 0 || strcmp(url, "/stats") == 0 || counts_resolution(url, &r);
}

static struct MHD_Response *copy_of(const char *text) {
    return MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                           MHD_RESPMEM_MUST_COPY);
}

/* ---- /healthz ---- */

static void store_json(const struct server *server, struct json *json) {
    struct flush_status status = {0};
    if (server->flush) {
        flush_status(server->flush, &status);
    }
    const int64_t age_ms =
        status.last_flush_us ? (clock_steady_us() - status.last_flush_us) / US_PER_MS : -1;
    json_format(
        json,
        "{\"configured\":%s,\"connected\":%s,\"state\":\"%s\",\"last_flush_age_ms\":%" PRId64
        ",\"lag_ms\":%" PRId64 ",\"errors\":%" PRIu64 ",\"passes\":%" PRIu64
        ",\"chunks_sent\":%" PRIu64 ",\"losses\":%" PRIu64 ",\"resends\":%" PRIu64
        ",\"too_late\":%" PRIu64 ",\"last_error\":",
        server->flush ? "true" : "false", status.connected ? "true" : "false",
        server->flush ? flush_state_name(status.state) : "none", age_ms, status.lag_us / US_PER_MS,
        status.errors, status.passes, status.chunks_sent, status.losses, status.resends,
        status.too_late);
    json_string(json, status.last_error);
    if (*status.holder) {
        json_format(json, ",\"lease_holder\":");
        json_string(json, status.holder);
    }
    if (*status.copy_of) {
        json_format(json, ",\"copy_of\":");
        json_string(json, status.copy_of);
    }
    json_format(json, "}");
}

static void make_healthz(const struct worker *worker, struct page *page) {
    char text[2048];
    struct json json = json_begin(text, sizeof text);
    const bool stopping = atomic_load_explicit(&worker->server->stopping, memory_order_relaxed);
    /* this worker's answers close their connections: so does this one */
    const bool draining = worker->draining;
    const bool lost = atomic_load_explicit(&worker->server->state_is_lost, memory_order_relaxed);
    json_format(&json, "{\"status\":\"%s\",\"node\":",
                stopping   ? "stopping"
                : draining ? "draining"
                : lost     ? "state file gone"
                           : "ok");
    json_string(&json, counters_node_id(worker->server->counters));
    json_format(&json, ",\"store\":");
    store_json(worker->server, &json);
    json_format(&json, "}\n");
    page->status = stopping || draining || lost ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
    page->type = TYPE_JSON;
    page->response = copy_of(text);
}

/* ---- /stats ---- */

static void tally_json(const struct server *server, struct json *json) {
    struct shard_tally tally;
    counters_tally(server->counters, &tally);
    json_format(json, "\"received\":%" PRIu64 ",\"counted\":%" PRIu64 ",\"refused\":{",
                tally.received, tally.counted);
    for (int i = 0; i < REFUSALS; i++) {
        json_format(json, "%s\"%s\":%" PRIu64, i ? "," : "", refusal_table[i].name,
                    tally.refused[i]);
    }
    json_format(json, "}");
}

/* The worker's connections that are open. */
static uint64_t worker_json(const struct worker *worker, struct json *json) {
    const uint64_t open = atomic_load_explicit(&worker->connections, memory_order_relaxed);
    json_format(json, "{\"connections\":%" PRIu64, open);
    for (int m = 0; m < METRICS; m++) {
        json_format(json, ",\"%s\":%" PRIu64, metric_names[m],
                    metric_read(&worker->metrics, (enum metric)m));
    }
    json_format(json, "}");
    return open;
}

static void metrics_json(const struct server *server, struct json *json) {
    uint64_t connections = 0;
    json_format(json, "\"workers\":[");
    for (unsigned i = 0; i < server->workers; i++) {
        json_format(json, i ? "," : "");
        connections += worker_json(&server->worker[i], json);
    }
    json_format(json, "],");
    if (server->admin) {
        json_format(json, "\"admin\":");
        worker_json(server->admin, json);
        json_format(json, ",");
    }
    json_format(json, "\"connections\":%" PRIu64, connections);
}

static uint64_t allocator_says(const char *name) {
    size_t value = 0, size = sizeof value;
    return mallctl && mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

static void memory_json(struct json *json) {
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    if (mallctl) {
        /* jemalloc's figures are of the last epoch: begin a new one */
        mallctl("epoch", &epoch, &size, &epoch, size);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_format(json,
                "\"memory\":{\"allocated_bytes\":%" PRIu64 ",\"active_bytes\":%" PRIu64
                ",\"resident_bytes\":%" PRIu64
                ",\"process_peak_bytes\":%ld},\"cpu_us\":{\"user\":%lld,\"system\":%lld}",
                allocator_says("stats.allocated"), allocator_says("stats.active"),
                allocator_says("stats.resident"), usage.ru_maxrss * 1024L,
                (long long)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
                (long long)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec);
}

#define STATS_BYTES (8192 + COUNTERS_WORKERS_MAX * 896)

static void make_stats(const struct worker *worker, struct page *page) {
    const struct server *server = worker->server;
    page->status = MHD_HTTP_OK;
    page->type = TYPE_JSON;
    page->response = NULL;
    char *text = malloc(STATS_BYTES);
    if (!text) {
        return;
    }
    struct json json = json_begin(text, STATS_BYTES);
    json_format(&json, "{\"node\":");
    json_string(&json, counters_node_id(server->counters));
    json_format(&json,
                ",\"uptime_ms\":%" PRId64 ",\"clock\":{\"counts_ahead_ms\":%" PRId64
                ",\"shards\":%u},",
                (clock_steady_us() - server->started_us) / US_PER_MS,
                counters_ahead_us(server->counters) / US_PER_MS, counters_shards(server->counters));
    tally_json(server, &json);
    json_format(&json, ",\"store\":");
    store_json(server, &json);
    json_format(&json, ",");
    memory_json(&json);
    json_format(&json, ",");
    metrics_json(server, &json);
    json_format(&json, "}\n");
    page->response = MHD_create_response_from_buffer(json.len, text, MHD_RESPMEM_MUST_FREE);
    if (!page->response) {
        free(text);
    }
}

/* ---- /counts ---- */

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

static const char *const counts_arguments[] = {"last", "from", "to", "partial", "format"};
#define COUNTS_ARGUMENTS (sizeof counts_arguments / sizeof *counts_arguments)
#define COUNTS_ARGUMENTS_TEXT "last, from, to, partial, format"
#define NAME_SHOWN 40 /* bytes of a name that is not known */

struct arguments {
    bool none_known;
    unsigned seen[COUNTS_ARGUMENTS];
    char *why;
    bool fit;
};

static bool argument_unfit(struct arguments *arguments, const char *name, const char *what) {
    char shown[NAME_SHOWN + 1];
    size_t n = 0;
    for (; n < NAME_SHOWN && name[n]; n++) {
        shown[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
    }
    shown[n] = '\0';
    snprintf(arguments->why, PAGES_WHY_MAX, "%s: %s", shown, what);
    arguments->fit = false;
    return false;
}

static enum MHD_Result look_at_argument(void *cls, enum MHD_ValueKind kind, const char *name,
                                        const char *value) {
    (void)kind;
    struct arguments *arguments = cls;
    size_t i = 0;
    if (!*name && (!value || !*value)) {
        return MHD_YES; /* between two '&' */
    }
    while (!arguments->none_known && i < COUNTS_ARGUMENTS &&
           strcmp(name, counts_arguments[i]) != 0) {
        i++;
    }
    const bool fits =
        arguments->none_known
            ? argument_unfit(arguments, name, "no such argument, this page takes none")
        : i == COUNTS_ARGUMENTS
            ? argument_unfit(arguments, name, "no such argument; there are " COUNTS_ARGUMENTS_TEXT)
        : arguments->seen[i]++ ? argument_unfit(arguments, name, "given more than once")
        : !value               ? argument_unfit(arguments, name, "needs a value")
                               : true;
    return fits ? MHD_YES : MHD_NO;
}

bool pages_arguments_fit(struct MHD_Connection *connection, const char *url, char *why) {
    enum resolution r;
    struct arguments arguments = {
        .none_known = !counts_resolution(url, &r), .why = why, .fit = true};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, look_at_argument, &arguments);
    return arguments.fit;
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

static void make_counts(const struct worker *worker, struct MHD_Connection *connection,
                        enum resolution r, struct page *page) {
    static const char *const types[] = {TYPE_TEXT, "text/csv", TYPE_JSON};
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

void pages_make(struct worker *worker, struct MHD_Connection *connection, const char *url,
                struct page *page) {
    enum resolution r;
    *page = (struct page){0};
    if (counts_resolution(url, &r)) {
        make_counts(worker, connection, r, page);
    } else if (strcmp(url, "/stats") == 0) {
        make_stats(worker, page);
    } else {
        make_healthz(worker, page);
    }
}
