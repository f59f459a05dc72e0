/* The list of numbers: each once, with a sentence; objects of /stats in one piece; one writer. */
#include "server/metrics.h"
#include "tests/unit/check_main.h"

#include <stdbool.h>
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

/* As Prometheus' guide to names has it: a prefix, base units, _total on what grows and on nothing
 * else. */
static void check_family(const char *family, enum metric_kind kind, enum metric_unit unit) {
    static const char total[] = "_total";
    const size_t len = strlen(family), end = sizeof total - 1;
    const bool grows = len > end && strcmp(family + len - end, total) == 0;
    if (!*family) {
        return;
    }
    ck_assert_msg(strncmp(family, "aforo_", 6) == 0 || strncmp(family, "process_", 8) == 0, "%s",
                  family);
    ck_assert_msg(len == strspn(family, "abcdefghijklmnopqrstuvwxyz_"), "%s", family);
    ck_assert_msg(grows == (kind == METRIC_COUNTER), "%s", family);
    ck_assert_msg((strstr(family, "_seconds") != NULL) == (unit != UNIT_ONE), "%s", family);
}

static void check_families(const struct metric_info *table, int n) {
    for (int m = 0; m < n; m++) {
        check_family(table[m].family, table[m].kind, table[m].unit);
        ck_assert_msg(strpbrk(table[m].sentence, "\\\n") == NULL, "%s", table[m].name);
        ck_assert_int_eq(*table[m].label != '\0', *table[m].value != '\0');
        for (int before = 0; before < m; before++) { /* in one piece, told apart by one label */
            if (*table[m].family && strcmp(table[before].family, table[m].family) == 0) {
                ck_assert_str_eq(table[m - 1].family, table[m].family);
                ck_assert_str_eq(table[before].label, table[m].label);
                ck_assert_str_ne(table[before].value, table[m].value);
            }
        }
    }
}

START_TEST(families_have_names_as_prometheus_wants_them) {
    check_families(node_metric_table, NODE_METRICS);
    check_families(store_metric_table, STORE_METRICS);
    check_families(worker_metric_table, METRICS);
    check_families(report_metric_table, REPORT_METRICS);
    check_families(state_metric_table, STATE_METRICS);
    check_families(process_metric_table, PROCESS_METRICS);
    for (int h = 0; h < HISTOGRAMS; h++) {
        check_family(histogram_table[h].family, METRIC_GAUGE, UNIT_US);
        ck_assert_uint_lt(histogram_table[h].first_us, histogram_table[h].last_us);
    }
}
END_TEST

CHECK_MAIN("metrics", families_have_names_as_prometheus_wants_them,
           each_is_there_once_and_explained, objects_are_in_one_piece, one_writer)
