/* Totals of spans against plain sums, from a made-up source that keeps finer windows for less long.
 */
#include "tools/console/total.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

#define BASE_S 60000
#define SECONDS 600
#define WINDOWS (SECONDS * 100)

static struct world {
    struct source source;         /* first: the source is the world */
    uint64_t count[WINDOWS];      /* of 10 ms */
    int64_t kept_us[RESOLUTIONS]; /* from here on */
    unsigned reads, fail_at;
} world;

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    (void)cls;
    const int64_t per = resolution_table[r].width_us / (10 * US_PER_MS);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int64_t w = 0; w < per && window_start_us(r, first + i) >= world.kept_us[r]; w++)
            out[i] += world.count[(first + i) * per + w - BASE_S * 100];
    }
    return true;
}

static enum source_outcome rows(struct source *source, const struct query *query, int64_t now_us,
                                const struct row_taker *taker, char why[SOURCE_WHY_MAX]) {
    ck_assert(query->partial);
    if (++world.reads == world.fail_at) {
        strcpy(why, "away");
        return SOURCE_AWAY;
    }
    const int64_t first = window_at(query->resolution, BASE_S * US_PER_S);
    const struct query_reader reader = {
        read_windows, NULL, first, window_at(query->resolution, (BASE_S + SECONDS) * US_PER_S) - 1,
        first};
    return source_rows_from_reader(source, &reader, query, now_us, taker);
}

static const struct source_ops ops = {.rows = rows};

static uint64_t plain(int64_t from_us, int64_t to_us) {
    uint64_t sum = 0;
    for (int64_t w = 0; w < WINDOWS; w++) {
        const int64_t start_us = BASE_S * US_PER_S + w * 10 * US_PER_MS;
        sum += start_us >= from_us && start_us < to_us ? world.count[w] : 0;
    }
    return sum;
}

static void setup(void) {
    memset(&world, 0, sizeof world);
    world.source.ops = &ops;
    srand(4711);
    for (int i = 0; i < 500; i++)
        world.count[rand() % WINDOWS] += (uint64_t)(rand() % 5);
}

static enum source_outcome try_total(int64_t from_us, int64_t to_us, uint64_t *sum, char *why) {
    const struct query query = {.from_us = from_us, .to_us = to_us};
    return total_span(&world.source, &query, BASE_S * US_PER_S, sum, why);
}

static uint64_t total(int64_t from_us, int64_t to_us) {
    char why[SOURCE_WHY_MAX];
    uint64_t sum;
    ck_assert_int_eq(try_total(from_us, to_us, &sum, why), SOURCE_DONE);
    return sum;
}

START_TEST(any_span_is_exact) {
    ck_assert_uint_eq(total(0, QUERY_TO_NONE), plain(0, INT64_MAX));
    ck_assert_uint_eq(total(-5, INT64_MAX - 1), plain(0, INT64_MAX));
    for (int i = 0; i < CHECK_TURNS(3000); i++) {
        const int64_t unit[] = {1, 10000, US_PER_S, 60 * US_PER_S};
        int64_t from_us = (BASE_S - 5 + rand() % (SECONDS + 10)) * US_PER_S + rand() % 1000000;
        int64_t to_us = from_us + rand() % (int)(i % 2 ? 3 * US_PER_S : 400 * US_PER_S);
        if (rand() % 8 == 0)
            to_us = QUERY_TO_NONE;
        from_us -= from_us % unit[rand() % 4];
        to_us -= to_us == QUERY_TO_NONE ? 0 : to_us % unit[rand() % 4];
        if (from_us <= to_us)
            ck_assert_uint_eq(total(from_us, to_us), plain(from_us, to_us));
    }
    ck_assert_uint_eq(total(BASE_S * US_PER_S, BASE_S * US_PER_S), 0);
}
END_TEST

START_TEST(a_part_is_never_given_for_the_whole) {
    char why[SOURCE_WHY_MAX];
    uint64_t sum;
    const int64_t begin_us = BASE_S * US_PER_S;
    world.count[100] = 1; /* in second 1 */
    world.kept_us[RESOLUTION_10MS] = begin_us + 120 * US_PER_S;
    ck_assert_int_eq(try_total(begin_us + 1500000, QUERY_TO_NONE, &sum, why), SOURCE_AWAY);
    ck_assert_msg(strstr(why, "10ms windows of 1970-01-01 16:40:01.000") != NULL, "%s", why);
    ck_assert_uint_eq(total(begin_us + 2 * US_PER_S, QUERY_TO_NONE),
                      plain(begin_us + 2 * US_PER_S, INT64_MAX));
    ck_assert_uint_eq(total(begin_us + 130500000, QUERY_TO_NONE),
                      plain(begin_us + 130500000, INT64_MAX));
    world.kept_us[RESOLUTION_1S] = begin_us + 120 * US_PER_S;
    ck_assert_int_eq(try_total(0, begin_us + 2 * US_PER_S, &sum, why), SOURCE_AWAY);
    ck_assert_msg(strstr(why, "cut that minute") != NULL, "%s", why);
    ck_assert_uint_eq(total(begin_us, begin_us + 60 * US_PER_S),
                      plain(begin_us, begin_us + 60 * US_PER_S));
    memset(world.count, 0, 6000 * sizeof *world.count); /* where nothing was, nothing is missing */
    ck_assert_uint_eq(total(begin_us + 1500000, begin_us + 50 * US_PER_S), 0);
}
END_TEST

START_TEST(a_source_that_fails_is_said) {
    char why[SOURCE_WHY_MAX];
    uint64_t sum;
    const int64_t begin_us = BASE_S * US_PER_S;
    unsigned failures = 0;
    for (unsigned at = 1; at < 100; at++) {
        world.reads = 0;
        world.fail_at = at;
        if (try_total(begin_us + 1005000, begin_us + 200005000, &sum, why) == SOURCE_DONE)
            break;
        ck_assert_str_eq(why, "away");
        failures++;
    }
    ck_assert_uint_ge(failures, 8);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, setup, NULL}), "total", any_span_is_exact,
                a_part_is_never_given_for_the_whole, a_source_that_fails_is_said)
