/* The list of numbers: each once, with a sentence; objects of /stats in one piece; one writer. */
#include "server/metrics.h"
#include "tests/unit/check_main.h"

#include <string.h>

static void check_table(const struct metric_info *table, int n) {
    for (int m = 0; m < n; m++) {
        ck_assert_msg(strlen(table[m].sentence) > 5, "%s says nothing", table[m].name);
        ck_assert(table[m].kind == METRIC_COUNTER || table[m].kind == METRIC_GAUGE);
        for (int other = 0; other < m; other++) {
            ck_assert_msg(strcmp(table[m].name, table[other].name) != 0, "%s twice", table[m].name);
        }
    }
}

START_TEST(each_is_there_once_and_explained) {
    check_table(node_metric_table, NODE_METRICS);
    check_table(store_metric_table, STORE_METRICS);
    check_table(worker_metric_table, METRICS);
    check_table(report_metric_table, REPORT_METRICS);
    ck_assert_str_eq(node_metric_table[NODE_METRIC_uptime_ms].name, "uptime_ms");
    ck_assert_str_eq(store_metric_table[STORE_METRIC_lag_ms].name, "lag_ms");
    ck_assert_str_eq(worker_metric_table[METRIC_requests].name, "requests");
}
END_TEST

/* One that is left and entered again would be there twice. */
START_TEST(objects_are_in_one_piece) {
    for (int m = 1; m < NODE_METRICS; m++) {
        const char *object = node_metric_table[m].object;
        if (!*object || strcmp(object, node_metric_table[m - 1].object) == 0) {
            continue;
        }
        for (int before = 0; before < m; before++) {
            ck_assert_str_ne(object, node_metric_table[before].object);
        }
    }
}
END_TEST

START_TEST(one_writer) {
    static struct metrics metrics;
    metric_add_owner(&metrics, METRIC_requests, 2);
    metric_add_owner(&metrics, METRIC_requests, 3);
    ck_assert_uint_eq(metric_read(&metrics, METRIC_requests), 5);
    metric_max_owner(&metrics, METRIC_lag_us_max, 7);
    metric_max_owner(&metrics, METRIC_lag_us_max, 6);
    ck_assert_uint_eq(metric_read(&metrics, METRIC_lag_us_max), 7);
    ck_assert_uint_eq(metric_read(&metrics, METRIC_wakeups), 0);
}
END_TEST

CHECK_MAIN("metrics", each_is_there_once_and_explained, objects_are_in_one_piece, one_writer)
