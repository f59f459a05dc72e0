#include "counters/query.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

#define WINDOWS 20000
#define BASE 1000000 /* the number of the first window in the fake source */

/* A source with counts for windows BASE .. BASE + WINDOWS. */
struct fake {
    uint64_t count[WINDOWS];
    unsigned reads;
    unsigned fail_at; /* this read fails; 0: none */
};

static bool fake_read(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    struct fake *fake = cls;
    (void)r;
    ck_assert_uint_ge(n, 1);
    ck_assert_uint_le(n, QUERY_BLOCK);
    ck_assert_int_ge(first, BASE);
    ck_assert_int_le(first + n, BASE + WINDOWS);
    if (++fake->reads == fake->fail_at)
        return false;
    memcpy(out, fake->count + (first - BASE), n * sizeof *out);
    return true;
}

static struct fake fake;

static struct query_reader reader_of_all(void) {
    memset(&fake, 0, sizeof fake);
    return (struct query_reader){fake_read, &fake, BASE, BASE + WINDOWS - 1, BASE};
}

static int64_t start_of(int64_t offset) {
    return window_start_us(RESOLUTION_1S, BASE + offset);
}

static struct query query_all(void) {
    return (struct query){.resolution = RESOLUTION_1S, .to_us = QUERY_TO_NONE};
}

/* The rows found, as offsets from BASE. */
static void expect(const struct query *query, const struct query_reader *reader, int64_t now_us,
                   int64_t first, int64_t last) {
    int64_t got_first = -1, n = -1;
    ck_assert_int_eq(query_find(query, reader, now_us, &got_first, &n), QUERY_ROWS);
    ck_assert_int_eq(got_first - BASE, first);
    ck_assert_int_eq(got_first + n - 1 - BASE, last);
}

static void expect_nothing(const struct query *query, const struct query_reader *reader,
                           int64_t now_us) {
    int64_t first, n;
    ck_assert_int_eq(query_find(query, reader, now_us, &first, &n), QUERY_NOTHING);
}

START_TEST(nothing_counted_is_no_rows) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    expect_nothing(&query, &reader, start_of(WINDOWS));
    reader.oldest = 0;
    reader.newest = -1;
    fake.reads = 0;
    expect_nothing(&query, &reader, start_of(WINDOWS));
    ck_assert_uint_eq(fake.reads, 0);
}
END_TEST

START_TEST(rows_run_from_first_to_last_with_events) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    fake.count[7] = 1;
    expect(&query, &reader, start_of(WINDOWS), 7, 7);
    fake.count[WINDOWS - 2] = 1;
    expect(&query, &reader, start_of(WINDOWS), 7, WINDOWS - 2);
    fake.count[0] = 1;
    fake.count[WINDOWS - 1] = 1;
    expect(&query, &reader, start_of(WINDOWS), 0, WINDOWS - 1);
}
END_TEST

START_TEST(last_counts_back_from_the_newest_with_events) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    fake.count[10] = fake.count[50] = fake.count[69] = 1;
    query.last = 60;
    expect(&query, &reader, start_of(WINDOWS), 10, 69); /* 10..69 are exactly sixty */
    query.last = 59;
    /* with those before the first that holds events */
    expect(&query, &reader, start_of(WINDOWS), 11, 69);
    query.last = 1;
    expect(&query, &reader, start_of(WINDOWS), 69, 69);
    query.last = 65;
    expect(&query, &reader, start_of(WINDOWS), 5, 69);
    query.last = INT64_MAX;
    expect(&query, &reader, start_of(WINDOWS), 0, 69); /* never further back than what is kept */
    query.from_us = start_of(8) - 1;
    expect(&query, &reader, start_of(WINDOWS), 8, 69); /* nor than --from */
}
END_TEST

/* The first chunk with events is no bound: what came before it is known to have been nothing. */
START_TEST(last_reaches_back_to_what_is_kept) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    fake.count[1000] = 1;
    reader.oldest = BASE + 960;
    reader.kept = BASE + 300;
    query.last = 60;
    expect(&query, &reader, start_of(WINDOWS), 941, 1000);
    query.last = 5000;
    expect(&query, &reader, start_of(WINDOWS), 300, 1000);
    reader.kept = 0;
    query.last = INT64_MAX;
    expect(&query, &reader, start_of(WINDOWS), -BASE, 1000); /* 1970 at the earliest */
    reader.kept = BASE + 990;
    expect(&query, &reader, start_of(WINDOWS), 990, 1000);
    fake.count[970] = 1; /* kept for longer than promised: shown, and nothing before it is */
    expect(&query, &reader, start_of(WINDOWS), 970, 1000);
    query.last = 20;
    expect(&query, &reader, start_of(WINDOWS), 990, 1000);
    reader.kept = BASE + 1200;
    expect(&query, &reader, start_of(WINDOWS), 1000, 1000);
}
END_TEST

START_TEST(windows_not_over_yet_only_with_partial) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    fake.count[10] = fake.count[11] = fake.count[12] = 1;
    expect(&query, &reader, start_of(12) - 1, 10, 10); /* the last microsecond of window 11 */
    expect(&query, &reader, start_of(12), 10, 11);
    query.partial = true;
    expect(&query, &reader, start_of(12), 10, 12);
    expect(&query, &reader, start_of(11), 10, 12); /* ahead of now */
}
END_TEST

START_TEST(spans_are_by_start_and_exclude_their_end) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    for (int i = 0; i < 100; i++)
        fake.count[i] = 1;
    query.from_us = start_of(20);
    query.to_us = start_of(30);
    expect(&query, &reader, start_of(WINDOWS), 20, 29);
    query.from_us = start_of(20) + 1;
    query.to_us = start_of(30) + 1;
    expect(&query, &reader, start_of(WINDOWS), 21, 30);
    query.to_us = query.from_us;
    expect_nothing(&query, &reader, start_of(WINDOWS));
    query.from_us = start_of(20);
    query.to_us = QUERY_TO_NONE;
    query.last = 5;
    expect(&query, &reader, start_of(WINDOWS), 95, 99);
    query.from_us = start_of(97);
    expect(&query, &reader, start_of(WINDOWS), 97, 99);
    query.from_us = -5;
    query.last = 0;
    expect(&query, &reader, start_of(WINDOWS), 0, 99);
    query.to_us = -5;
    expect_nothing(&query, &reader, start_of(WINDOWS));
}
END_TEST

START_TEST(a_failing_source_is_said_whichever_read_fails) {
    struct query_reader reader = reader_of_all();
    struct query query = query_all();
    fake.count[0] = fake.count[10000] = 1;
    int64_t first, n;
    unsigned failures = 0;
    for (unsigned at = 1; at < 100; at++) {
        fake.reads = 0;
        fake.fail_at = at;
        if (query_find(&query, &reader, start_of(WINDOWS), &first, &n) == QUERY_ROWS)
            break;
        failures++;
    }
    /* three blocks back from the newest, one forth from the oldest */
    ck_assert_uint_eq(failures, 4);
}
END_TEST

/* Random counts and queries against the plain reading of the rule. */
START_TEST(agrees_with_a_naive_search) {
    srand(4711);
    for (int round = 0; round < 3000; round++) {
        struct query_reader reader = reader_of_all();
        for (int i = rand() % 4; i > 0; i--)
            fake.count[rand() % WINDOWS] = 1;
        struct query query = query_all();
        query.partial = rand() % 2;
        query.last = rand() % 2 ? rand() % WINDOWS : 0;
        if (rand() % 2)
            query.from_us = start_of(rand() % WINDOWS) + rand() % 3 - 1;
        if (rand() % 2)
            query.to_us = start_of(rand() % WINDOWS) + rand() % 3 - 1;
        const int64_t now_us = start_of(rand() % WINDOWS) + rand() % 3 - 1;
        int64_t want_first = -1, want_last = -1, known = 0;
        for (int64_t w = WINDOWS - 1; w >= 0; w--) {
            const bool inside = start_of(w) >= query.from_us && start_of(w) < query.to_us &&
                                (query.partial || start_of(w + 1) <= now_us);
            if (start_of(w) >= query.from_us)
                known = w;
            if (!inside || fake.count[w] == 0)
                continue;
            want_first = w;
            if (want_last < 0)
                want_last = w;
        }
        if (query.last > 0)
            want_first = want_last - query.last + 1 > known ? want_last - query.last + 1 : known;
        if (want_last < 0)
            expect_nothing(&query, &reader, now_us);
        else
            expect(&query, &reader, now_us, want_first, want_last);
    }
}
END_TEST

CHECK_MAIN("query", nothing_counted_is_no_rows, rows_run_from_first_to_last_with_events,
           last_counts_back_from_the_newest_with_events, last_reaches_back_to_what_is_kept,
           windows_not_over_yet_only_with_partial, spans_are_by_start_and_exclude_their_end,
           a_failing_source_is_said_whichever_read_fails, agrees_with_a_naive_search)
