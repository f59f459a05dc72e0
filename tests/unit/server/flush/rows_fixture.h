/* A flush of the reports of a lab (reports_fixture.h), without a thread, to the fake store. */
#ifndef AFORO_TESTS_UNIT_SERVER_FLUSH_ROWS_FIXTURE_H
#define AFORO_TESTS_UNIT_SERVER_FLUSH_ROWS_FIXTURE_H

#include "server/flush/internal.h"
#include "tests/unit/reports/reports_fixture.h"
#include "tests/unit/server/flush/fake_store.h"

#include <stdio.h>

static struct fake_store fake;
static struct lab *lab;
static struct flush *flush;
static char report_name[ROWS_REPORT_MAX]; /* of the first report */

static inline void open_flush(void) {
    char why[COUNTERS_WHY_MAX] = "";
    const struct table_config *config = table_config(lab->reports.table[0]);
    flush = flush_new(&(struct flush_config){.counters = lab->counters,
                                             .store = &fake.store,
                                             .interval_us = 100 * US_PER_MS,
                                             .tables = lab->tables},
                      why);
    ck_assert_msg(flush != NULL, "%s", why);
    snprintf(report_name, sizeof report_name, "%s.%s", config->name, config->digest);
}

static inline void close_all(void) {
    flush_free(flush);
    lab_close(lab);
}

#endif
