/* What an event costs in reports, from its JSON to its rows: read alone, and read and counted, over
 * the same bytes, as a worker does it with a batch. Keys that find no room stand beside the same
 * events where all of them do. CPU time of this thread, the best of several rounds in turn. Every
 * run checks that all events are in all reports that are about them. Usage: bench-adding [--only
 * NAME] [--once] [directory for the files, default /tmp]
 * --once: one pass, for a profiler that counts instructions. */
#include "ingest/json_lines.h"
#include "reports/add.h"
#include "reports/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 16384 /* of 120 bytes */
#define EVENT_MAX 256
#define REPEATS 3
#define ROUNDS 25
#define T0 (INT64_C(1464433860) * US_PER_S)
#define T0_TEXT "2016-05-28T11:11:"
#define FIELDS                                                                                     \
    "fields:\n  route: json.route\n  status: {from: json.status, type: int}\n"                     \
    "  ms: {from: json.ms, type: int}\n  bytes: {from: json.bytes, type: int}\n"                   \
    "  user: json.user\nreports:\n"
/* the three of bench/web.yaml */
#define WEB                                                                                        \
    FIELDS "  - {name: routes, by: [route, status], windows: [1s, 1min],\n"                        \
           "     show: [count, rate, sum(bytes), avg(ms), p50(ms), p99(ms), max(ms)],\n"           \
           "     keys: {max: 2000, per_field: {route: 200}}, memory: 256MiB}\n"                    \
           "  - {name: slow, when: ms > 1000 or status >= 500, by: [route], windows: [1min],\n"    \
           "     show: [count, max(ms), last], keys: {max: 500}}\n"                                \
           "  - {name: visitors, windows: [1min, 1h], show: [distinct(user), top20(route)]}\n"
#define KEYED(by, more)                                                                            \
    FIELDS "  - {name: keyed, by: [" by "], windows: [1min], show: [count, sum(bytes)]" more "}\n"

struct load {
    const char *name, *definitions;
    unsigned routes, users;
    bool full; /* with room for some hundred rows */
};

static const struct load loads[] = {
    {"web, 5 routes", WEB, 5, 50000, false},
    {"web, 100 routes", WEB, 100, 50000, false},
    {"keyed, 5 routes", KEYED("route", ""), 5, 1, false},
    {"keyed, 100 routes", KEYED("route", ""), 100, 1, false},
    {"keyed, 2,000 users", KEYED("user", ""), 5, 2000, false},
    {"the same, max 20", KEYED("user", ", keys: {max: 20}"), 5, 2000, false},
    {"the same, per_field 20", KEYED("user", ", keys: {per_field: {user: 20}}"), 5, 2000, false},
    {"the same, full", KEYED("user", ", keys: {max: 100}"), 5, 2000, true},
    {"keyed, 14,000 users", KEYED("user", ", keys: {max: 50000}"), 5, 50000, false},
    {"the same, max 20", KEYED("user", ", keys: {max: 20}"), 5, 50000, false},
    {"the same, per_field 20", KEYED("user", ", keys: {per_field: {user: 20}}"), 5, 50000, false},
    {"route and user, 2,000 users", KEYED("route, user", ""), 5, 2000, false},
    {"the same, per_field 20", KEYED("route, user", ", keys: {per_field: {route: 2, user: 20}}"), 5,
     2000, false},
};

struct lab {
    char dir[256];
    struct counters *counters;
    struct tables *tables;
    struct definitions *definitions;
    struct reports reports;
    struct adder *adder;
    struct shard *shard;
};

static char body[EVENTS * EVENT_MAX], room[EVENT_MAX];
static size_t body_len;
static int64_t seen; /* only keeps the compiler from leaving the work out */

static void fail(const char *what) {
    fprintf(stderr, "bench-adding: %s\n", what);
    exit(EXIT_FAILURE);
}

static unsigned draw(unsigned i) {
    i = (i ^ i >> 16) * 0x45d9f3bu;
    i = (i ^ i >> 16) * 0x45d9f3bu;
    return i ^ i >> 16;
}

/* In order, within two seconds. */
static void make_body(const struct load *load) {
    static const char *const names[] = {"/index", "/pay", "/flights/search", "/a", "/basket/items"};
    body_len = 0;
    for (unsigned i = 0; i < EVENTS; i++) {
        char route[64];
        const unsigned r = draw(4 * i) % load->routes, us = i * 122;
        snprintf(route, sizeof route, r < 5 ? "%s" : "%s/%u", names[r % 5], r);
        body_len += (size_t)sprintf(
            body + body_len,
            "{\"time\":\"" T0_TEXT "%02u.%06uZ\",\"route\":\"%s\",\"status\":%u,\"ms\":%u,"
            "\"user\":\"user-%u\",\"bytes\":%u}\n",
            us / 1000000, us % 1000000, route, draw(4 * i + 1) % 50 ? 200 : 404,
            draw(4 * i + 1) % 2000, draw(4 * i + 2) % load->users, draw(4 * i + 3) % 100000);
    }
}

static void open_lab(struct lab *lab, const char *parent, const struct load *load) {
    const struct table_span span = {1, 60 * US_PER_S, 10 * US_PER_S};
    const struct definitions_for purpose = {.span = span, .file = load->name};
    char why[DEFINITIONS_WHY_MAX + COUNTERS_WHY_MAX] = "";
    snprintf(lab->dir, sizeof lab->dir, "%s/aforo-bench-XXXXXX", parent);
    if (!mkdtemp(lab->dir)) {
        fail("cannot make a directory");
    }
    const struct counters_config config = {
        .dir = lab->dir, .workers = 1, .horizon_us = span.horizon_us, .future_us = span.future_us};
    lab->counters = counters_open(&config, NULL, why);
    lab->tables = lab->counters ? tables_open(lab->counters, 1, true, NULL, NULL, why) : NULL;
    lab->definitions =
        lab->tables ? definitions_read(load->definitions, strlen(load->definitions), &purpose, why)
                    : NULL;
    if (lab->definitions && load->full) {
        struct table_config *table = &lab->definitions->report[0].table;
        table->memory = table_bytes_min(table, &span);
        table->keys_max = EVENTS; /* more than there is room for */
    }
    if (!lab->definitions || !reports_bind(&lab->reports, lab->definitions, lab->tables, why)) {
        fail(why);
    }
    lab->adder = adder_new(&lab->reports, 1);
    lab->shard = counters_worker_shard(lab->counters, 0);
    if (!lab->adder) {
        fail("out of memory");
    }
    shard_set_now_owner(lab->shard, T0);
    adder_set_now_owner(lab->adder, T0);
}

static void close_lab(struct lab *lab) {
    char command[300];
    adder_free(lab->adder);
    tables_close(lab->tables);
    counters_close(lab->counters);
    definitions_free(lab->definitions);
    snprintf(command, sizeof command, "rm -rf '%s'", lab->dir);
    if (system(command) != 0) {
        fail("cannot remove the directory");
    }
}

/* Every event of the body; adder NULL: read, and no more. */
static void count_body(const struct lab *lab, struct adder *adder) {
    static struct record record = {.room = room, .room_len = sizeof room};
    struct json_lines lines;
    uint64_t unfit = 0;
    json_lines_begin(&lines, body, body_len);
    for (const char *at = body; at < body + body_len; at++) {
        record_begin(&record);
        at = json_lines_read(&lines, &record, lab->definitions->compiled, at);
        if (!at) {
            fail("an event was not read");
        }
        if (adder && adder_add_owner(adder, lab->shard, &record, &unfit) != SHARD_COUNTED) {
            fail("an event was not counted");
        }
        seen += record.us + record.value[1].number;
    }
    if (unfit) {
        fail("an event is unfit");
    }
}

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_body(const struct lab *lab, struct adder *adder) {
    const double start_ns = cpu_ns();
    for (int i = 0; i < REPEATS; i++) {
        count_body(lab, adder);
    }
    return (cpu_ns() - start_ns) / REPEATS / EVENTS;
}

/* The events of a report without a condition in the window of all of them. */
static void check(const struct lab *lab, uint64_t events) {
    for (unsigned r = 0; r < lab->definitions->reports; r++) {
        const struct report *report = &lab->definitions->report[r];
        const unsigned width = report->table.widths - 1;
        struct report_rows rows;
        uint64_t sum = 0;
        if (!report_read(report, lab->reports.table[r], width,
                         table_window(report->table.width_us[width], T0), &rows)) {
            fail("out of memory");
        }
        for (size_t i = 0; i < rows.n; i++) {
            sum += rows.row[i].state[0];
        }
        report_rows_free(&rows);
        if (report->when ? sum == 0 || sum > events : sum != events) {
            fail("events were lost");
        }
    }
}

static void run(const char *dir, const struct load *load, bool once) {
    struct lab lab;
    double read_ns = 1e18, all_ns = 1e18;
    make_body(load);
    open_lab(&lab, dir, load);
    count_body(&lab, lab.adder);
    for (int i = 0; i < ROUNDS && !once; i++) {
        const double read = time_body(&lab, NULL), all = time_body(&lab, lab.adder);
        read_ns = read < read_ns ? read : read_ns;
        all_ns = all < all_ns ? all : all_ns;
    }
    check(&lab, EVENTS * (once ? 1 : 1 + ROUNDS * REPEATS));
    struct table_status status;
    table_status(lab.reports.table[0], &status);
    if (!once) {
        printf("| %-27s | %5.0f | %8.1f | %9.1f | %13.2f | %6llu |\n", load->name,
               (double)body_len / EVENTS, read_ns, all_ns - read_ns, 1e3 / all_ns,
               (unsigned long long)status.rows);
        fflush(stdout);
    }
    close_lab(&lab);
}

int main(int argc, char **argv) {
    const char *only = "", *dir = "/tmp";
    bool once = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0) {
            once = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else {
            dir = argv[i];
        }
    }
    if (!once) {
        printf("| %-27s | bytes | ns: read | and added | M event/CPU s | rows   |\n"
               "|---|---|---|---|---|---|\n",
               "event");
    }
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        if (strstr(loads[i].name, only)) {
            run(dir, &loads[i], once);
        }
    }
    return seen == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
