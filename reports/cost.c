/* See cost.h. */
#define _GNU_SOURCE /* nftw */
#include "reports/cost.h"

#include "reports/add.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3     /* the fastest counts: other load on the machine only slows one down */
#define RECORDS 1000 /* different events, and so as many keys */
#define SPAN_US (10 * US_PER_S)
#define MEMORY (INT64_C(32) << 20) /* for rows, beyond what the table needs anyway */
#define TEXT_MAX 24

/* A temporary state directory, and what counts in it. */
struct trial {
    char dir[64];
    struct counters *counters;
    struct tables *tables;
    struct definitions *one;   /* a copy with one report; it points to the original's data */
    struct record *record;     /* holds each event in turn, as in a server */
    struct aforo_value *value; /* [RECORDS][fields] */
    char (*text)[TEXT_MAX];    /* the same */
    unsigned keys;             /* how many of the records are used */
    int64_t now_us;
};

static const struct table_span trial_span = {
    .workers = 1, .horizon_us = SPAN_US, .future_us = SPAN_US};

/* ---- the directory ---- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static bool open_state(struct trial *trial, char *why) {
    snprintf(trial->dir, sizeof trial->dir, "%s/aforo-cost-%d-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    if (mkdtemp(trial->dir) == NULL) {
        snprintf(why, COUNTERS_WHY_MAX, "%s: %s", trial->dir, strerror(errno));
        return false;
    }
    const struct counters_config config = {.dir = trial->dir,
                                           .workers = 1,
                                           .horizon_us = SPAN_US,
                                           .future_us = SPAN_US,
                                           .keep_us = {SPAN_US, SPAN_US, SPAN_US}};
    trial->counters = counters_open(&config, NULL, why);
    trial->tables =
        trial->counters != NULL ? tables_open(trial->counters, 1, true, NULL, NULL, why) : NULL;
    return trial->tables != NULL;
}

static void close_state(struct trial *trial) {
    tables_close(trial->tables);
    counters_close(trial->counters);
    nftw(trial->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the events ---- */

/* Event number i has the value i in all of its fields, so each event has its own key. */
static bool make_events(struct trial *trial, const struct definitions *definitions) {
    const unsigned fields = definitions->fields.n;
    trial->record = calloc(1, sizeof *trial->record);
    trial->value = calloc((size_t)RECORDS * (fields + 1), sizeof *trial->value);
    trial->text = calloc((size_t)RECORDS * (fields + 1), TEXT_MAX);
    if (trial->record == NULL || trial->value == NULL || trial->text == NULL)
        return false;
    for (unsigned i = 0; i < RECORDS; i++) {
        record_begin(trial->record);
        for (unsigned j = 0; j < fields; j++) {
            char *text = trial->text[i * fields + j];
            snprintf(text, TEXT_MAX, definitions->fields.field[j].type == FIELD_TEXT ? "v%u" : "%u",
                     i);
            record_take(trial->record, definitions->compiled, j, 0, text, strlen(text));
            trial->value[i * fields + j] = trial->record->value[j];
        }
    }
    return true;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Nanoseconds per event in the reports of the copy; `when` is evaluated, whatever the result. */
static bool time_events(struct trial *trial, const struct condition *when, double *event_ns,
                        char *why) {
    struct reports reports;
    struct adder *adder =
        reports_bind(&reports, trial->one, trial->tables, why) ? adder_new(&reports, 1) : NULL;
    struct shard *shard = counters_worker_shard(trial->counters, 0);
    struct record *record = trial->record;
    const unsigned fields = trial->one->fields.n;
    uint64_t unfit = 0;
    if (adder == NULL)
        return false;
    shard_set_now_owner(shard, trial->now_us);
    adder_set_now_owner(adder, trial->now_us);
    const int64_t begin_ns = now_ns();
    for (unsigned i = 0; i < COST_EVENTS; i++) {
        const uint64_t number = i * UINT64_C(7919) % trial->keys;
        memcpy(record->value, &trial->value[number * fields], fields * sizeof *record->value);
        unfit |= when != NULL && condition_holds(when, record); /* so that it is evaluated */
        record->us = trial->now_us - i % US_PER_S;
        adder_add_owner(adder, shard, record, &unfit);
    }
    *event_ns = (double)(now_ns() - begin_ns) / COST_EVENTS;
    adder_free(adder);
    return true;
}

/* ---- the reports ---- */

/* Puts the report alone into the copy, with its table as small as possible and only keys that
 * fit. */
static void take_report(struct trial *trial, const struct report *report) {
    struct report *its = &trial->one->report[0];
    const uint64_t room =
        MEMORY / 4 / report->table.widths / table_row_bytes(&report->table, COST_KEY_LEN);
    *its = *report;
    its->when = NULL;
    its->table.memory = table_bytes_min(&its->table, &trial_span) + MEMORY;
    trial->one->reports = 1;
    trial->keys = room < RECORDS ? (unsigned)room : RECORDS;
}

/* The fastest of several rounds, in a state of their own. report NULL: without reports. */
static bool time_report(struct trial *trial, const struct report *report, double *event_ns,
                        char *why) {
    trial->one->reports = 0;
    trial->keys = RECORDS;
    if (report != NULL)
        take_report(trial, report);
    bool well = open_state(trial, why);
    for (int i = 0; well && i < ROUNDS; i++) {
        double ns = 0;
        well = time_events(trial, report != NULL ? report->when : NULL, &ns, why);
        *event_ns = i == 0 || ns < *event_ns ? ns : *event_ns;
    }
    close_state(trial);
    return well;
}

static bool time_reports(struct trial *trial, const struct definitions *definitions,
                         struct report_cost *cost, char *why) {
    double none_ns, ns;
    bool well = time_report(trial, NULL, &none_ns, why);
    for (unsigned i = 0; well && i < definitions->reports; i++) {
        well = time_report(trial, &definitions->report[i], &ns, why);
        cost[i].event_ns = well && ns > none_ns ? ns - none_ns : 0;
    }
    return well;
}

bool reports_cost(const struct definitions *definitions, const struct table_span *span,
                  struct report_cost *cost, char *why) {
    struct trial trial = {.one = malloc(sizeof *trial.one),
                          .now_us = (int64_t)time(NULL) * US_PER_S};
    bool well = trial.one != NULL && make_events(&trial, definitions);
    if (well)
        *trial.one = *definitions;
    else
        snprintf(why, COUNTERS_WHY_MAX, "out of memory");
    well = well && time_reports(&trial, definitions, cost, why);
    free(trial.one);
    free(trial.record);
    free(trial.value);
    free(trial.text);
    for (unsigned i = 0; well && i < definitions->reports; i++) {
        const struct table_config *table = &definitions->report[i].table;
        const size_t key_len = table->keyed ? COST_KEY_LEN : 0;
        cost[i].row_bytes = table_row_bytes(table, key_len);
        cost[i].rows = table_rows(table, span, key_len);
        for (unsigned j = 0; j < table->widths; j++)
            cost[i].window_rows[j] = table_window_rows(table, span, j, key_len);
        cost[i].bytes = table->memory;
    }
    return well;
}
