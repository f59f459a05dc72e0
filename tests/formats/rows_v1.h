/* What rows_v1.aforo and undo_v1.aforo hold: the folder reports/ of a state directory, format
 * version 1, closed in order, of one worker, horizon 1 s, no future. One table, rows_v1_config: two
 * widths, two fields of which the second may have two values, a state of three words: count, sum,
 * and the event's time. Made by make_rows. Files of every format that was ever released are kept
 * here, and opened by tests/unit/counters/rows/test_rows_format.c. */
#ifndef AFORO_TESTS_FORMATS_ROWS_V1_H
#define AFORO_TESTS_FORMATS_ROWS_V1_H

#include "counters/rows/tables.h"

#define ROWS_V1_US INT64_C(1464433871000000) /* 2016-05-28 11:11:11 */

static const char rows_v1_definition[] = "name: fixture";

static inline struct table_config rows_v1_config(void) {
    const struct table_span span = {1, US_PER_S, 0};
    struct table_config config = {.name = "fixture",
                                  .digest = "00112233aabbccdd",
                                  .definition = rows_v1_definition,
                                  .definition_len = sizeof rows_v1_definition - 1,
                                  .widths = 2,
                                  .width_us = {US_PER_S, 60 * US_PER_S},
                                  .keyed = true,
                                  .state_words = 3,
                                  .keys_max = 4,
                                  .fields = 2,
                                  .field_max = {0, 2}};
    config.memory = table_bytes_min(&config, &span);
    return config;
}

/* In order; value: what is added to the sum. */
static const struct rows_v1_event {
    int64_t us;
    const char *first, *second;
    uint64_t value;
} rows_v1_events[] = {
    {ROWS_V1_US, "AA1", "x", 5},
    {ROWS_V1_US + 1, "AA1", "x", 6},
    {ROWS_V1_US + 2, "AA1", "y", 7},
    {ROWS_V1_US + 3, "AA1", "z", 8},  /* a third value: AA1 (other) */
    {ROWS_V1_US + 4, "BB2", "", 9},   /* no value is one, too: BB2 (other) */
    {ROWS_V1_US + 5, "CC3", "x", 10}, /* a fifth key: (other) */
    {ROWS_V1_US + 1000000, "AA1", "x", 11},
};

#endif
