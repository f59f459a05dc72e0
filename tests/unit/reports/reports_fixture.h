/* What the tests of reports share: a state directory, definitions in force in it, and workers that
 * count events. */
#ifndef AFORO_TESTS_UNIT_REPORTS_FIXTURE_H
#define AFORO_TESTS_UNIT_REPORTS_FIXTURE_H

#include "reports/add.h"
#include "reports/read.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>

#define LAB_WORKERS 2
#define LAB_HORIZON_US (60 * US_PER_S)
#define LAB_FUTURE_US (2 * US_PER_S)

static const struct check_fixture in_state_dir = {100, state_dir_make, state_dir_remove};

struct lab {
    struct counters *counters;
    struct tables *tables;
    struct definitions *definitions;
    struct reports reports;
    struct adder *adder[LAB_WORKERS];
    struct shard *shard[LAB_WORKERS];
};

static inline void lab_set_now(const struct lab *lab, int64_t now_us) {
    for (unsigned i = 0; i < LAB_WORKERS; i++) {
        shard_set_now_owner(lab->shard[i], now_us);
        adder_set_now_owner(lab->adder[i], now_us);
    }
}

static inline struct lab *lab_open(const char *text) {
    struct counters_config config = tiny_config(LAB_WORKERS);
    const struct definitions_for purpose = {.span = {LAB_WORKERS, LAB_HORIZON_US, LAB_FUTURE_US},
                                            .file = "lab.yaml"};
    char why[DEFINITIONS_WHY_MAX > COUNTERS_WHY_MAX ? DEFINITIONS_WHY_MAX : COUNTERS_WHY_MAX] = "";
    config.horizon_us = LAB_HORIZON_US;
    config.future_us = LAB_FUTURE_US;
    for (int r = 0; r < RESOLUTIONS; r++)
        config.keep_us[r] = LAB_HORIZON_US;
    struct lab *lab = calloc(1, sizeof *lab);
    ck_assert_ptr_nonnull(lab);
    lab->counters = open_or_fail(&config);
    lab->definitions = definitions_read(text, strlen(text), &purpose, why);
    ck_assert_msg(lab->definitions != NULL, "%s", why);
    lab->tables = tables_open(lab->counters, LAB_WORKERS, true, NULL, NULL, why);
    ck_assert_msg(lab->tables != NULL, "%s", why);
    ck_assert_msg(reports_bind(&lab->reports, lab->definitions, lab->tables, why), "%s", why);
    for (unsigned i = 0; i < LAB_WORKERS; i++) {
        lab->adder[i] = adder_new(&lab->reports, i + 1);
        ck_assert_ptr_nonnull(lab->adder[i]);
        lab->shard[i] = counters_worker_shard(lab->counters, i);
    }
    lab_set_now(lab, T0);
    return lab;
}

static inline void lab_close(struct lab *lab) {
    char why[COUNTERS_WHY_MAX] = "";
    must_verify(lab->counters);
    for (unsigned i = 0; i < lab->definitions->reports; i++)
        ck_assert_msg(table_verify(lab->reports.table[i], why), "%s", why);
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        adder_free(lab->adder[i]);
    tables_close(lab->tables);
    counters_close(lab->counters);
    definitions_free(lab->definitions);
    free(lab);
}

/* An event with the values of fields 0, 1, ... as text; NULL: it has no such field. */
struct lab_event {
    int64_t us;
    const char *text[8];
};

static inline struct record lab_record(const struct lab *lab, const struct lab_event *event) {
    struct record record = {.timed = true, .us = event->us};
    record_begin(&record);
    for (unsigned i = 0; i < fields_count(lab->definitions->compiled); i++) {
        if (event->text[i] != NULL)
            record_take(&record, lab->definitions->compiled, i, 0, event->text[i],
                        strlen(event->text[i]));
    }
    return record;
}

static inline enum shard_verdict lab_add(const struct lab *lab, unsigned worker,
                                         const struct lab_event *event, uint64_t *unfit) {
    const struct record record = lab_record(lab, event);
    *unfit = 0;
    return adder_add_owner(lab->adder[worker], lab->shard[worker], &record, unfit);
}

static inline struct report_rows lab_read(const struct lab *lab, unsigned report, unsigned width,
                                          int64_t us) {
    struct report_rows rows;
    const struct report *its = &lab->definitions->report[report];
    ck_assert(report_read(its, lab->reports.table[report], width,
                          table_window(its->table.width_us[width], us), &rows));
    return rows;
}

/* The figure of a row as text; a time as its microseconds. */
static inline const char *lab_figure(const struct lab *lab, unsigned report, unsigned width,
                                     const struct report_row *row, unsigned figure) {
    static struct figure_value value;
    const struct report *its = &lab->definitions->report[report];
    figure_value(&its->figure[figure], its->measure, row->state, its->table.width_us[width],
                 &value);
    if (value.type == FIGURE_TIME)
        snprintf(value.text, sizeof value.text, "%lld", (long long)value.us);
    return value.type == FIGURE_NONE ? "none" : value.text;
}

#endif
