#include "reports/cost.h"

#include "tests/unit/check_main.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char text[] =
    "fields: {a: , b: {type: int}, c: {type: decimal3}}\n"
    "reports:\n"
    "  - {name: keyed, by: [a, b], windows: [1s, 1d], show: [count, sum(b)], memory: 32MiB}\n"
    "  - {name: never, when: a == \"\", by: c, windows: 1s, show: [p50(c), distinct(a)]}\n"
    "  - {name: bare, windows: 10min, show: [count, digest]}\n";

static const struct table_span span = {3, 600 * US_PER_S, 10 * US_PER_S};

static struct definitions *read_all(void) {
    const struct definitions_for purpose = {.span = span, .file = "r.yaml"};
    char why[DEFINITIONS_WHY_MAX] = "";
    struct definitions *definitions = definitions_read(text, strlen(text), &purpose, why);
    ck_assert_msg(definitions != NULL, "%s", why);
    return definitions;
}

/* Directories that this process has made, in a place where such are made. */
static unsigned count_left(const char *place) {
    char mine[64];
    unsigned n = 0;
    DIR *dir = opendir(place);
    snprintf(mine, sizeof mine, "aforo-cost-%d-", (int)getpid());
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        n += strncmp(entry->d_name, mine, strlen(mine)) == 0;
    if (dir != NULL)
        closedir(dir);
    return n;
}

START_TEST(each_report_has_its_cost) {
    struct definitions *definitions = read_all();
    struct report_cost cost[3];
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert_msg(reports_cost(definitions, &span, cost, why), "%s", why);
    for (unsigned i = 0; i < 3; i++) {
        const struct table_config *table = &definitions->report[i].table;
        ck_assert_uint_gt(cost[i].row_bytes, table->state_words * sizeof(uint64_t));
        ck_assert_int_gt(cost[i].rows, 0);
        ck_assert_int_eq(cost[i].bytes, table->memory);
        ck_assert(cost[i].event_ns >= 0);
    }
    ck_assert_int_eq(cost[0].bytes, 32 << 20);
    ck_assert_int_lt(cost[0].rows * (int64_t)cost[0].row_bytes, 2 * cost[0].bytes);
    ck_assert_int_gt(cost[0].rows * (int64_t)cost[0].row_bytes, cost[0].bytes / 2);
    ck_assert_uint_gt(cost[1].row_bytes, 8192);
    ck_assert_int_gt(cost[0].window_rows[0], 0);
    ck_assert_int_gt(cost[0].window_rows[1], cost[0].window_rows[0]);
    ck_assert_int_eq(cost[1].window_rows[0], 0); /* quantiles in each second */
    ck_assert_uint_eq(count_left("/dev/shm") + count_left("/tmp"), 0);
    definitions_free(definitions);
}
END_TEST

START_TEST(the_definitions_stay_as_they_were) {
    struct definitions *definitions = read_all();
    struct report_cost cost[3];
    char why[COUNTERS_WHY_MAX];
    struct definitions *before = malloc(sizeof *before);
    ck_assert_ptr_nonnull(before);
    memcpy(before, definitions, sizeof *before);
    ck_assert(reports_cost(definitions, &span, cost, why));
    ck_assert_mem_eq(before, definitions, sizeof *before);
    free(before);
    definitions_free(definitions);
}
END_TEST

CHECK_MAIN("cost", each_report_has_its_cost, the_definitions_stay_as_they_were)
