/* Windows of a reader -> rows: in blocks, without a gap, with their states. Of source.c. */
#include "tools/console/source.h"

#include "tests/unit/check_main.h"

#define FIRST 1000 /* windows with events: of 1 s, and each window's count is its number */

struct made_up {
    int64_t last;
    unsigned reads, fails_at;
    uint32_t most; /* windows that a read asked for */
};

struct taken {
    int64_t n, most; /* rows taken, and after how many no more are wanted */
    struct row first, last;
};

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    struct made_up *from = cls;
    ck_assert_int_eq(r, RESOLUTION_1S);
    ck_assert_uint_le(n, QUERY_BLOCK);
    from->most = n > from->most ? n : from->most;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t window = first + i;
        out[i] = window >= FIRST && window <= from->last ? (uint64_t)window : 0;
    }
    return ++from->reads != from->fails_at;
}

static bool take(void *cls, const struct row *row) {
    struct taken *taken = cls;
    if (taken->n == 0)
        taken->first = *row;
    else
        DEMAND(row->window == taken->last.window + 1, "a gap before %lld", (long long)row->window);
    DEMAND(row->count == (uint64_t)row->window, "%lld", (long long)row->window);
    taken->last = *row;
    return ++taken->n < taken->most;
}

static enum source_outcome ask(struct made_up *from, struct query query, int64_t now_us,
                               struct taken *taken) {
    const struct source source = {.horizon_us = 10 * US_PER_S};
    const struct query_reader reader = {read_windows, from, 0, from->last, 0};
    const struct row_taker taker = {take, taken};
    from->reads = 0;
    return source_rows_from_reader(&source, &reader, &query, now_us, &taker);
}

static const struct query all = {RESOLUTION_1S, 0, QUERY_TO_NONE, 0, false};

START_TEST(all_rows_of_several_blocks) {
    static const int64_t sizes[] = {1, QUERY_BLOCK, QUERY_BLOCK + 1, 2 * QUERY_BLOCK + 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct made_up from = {.last = FIRST + sizes[i] - 1};
        struct taken taken = {.most = INT64_MAX};
        ck_assert_int_eq(ask(&from, all, 100000 * US_PER_S, &taken), SOURCE_DONE);
        ck_assert_int_eq(taken.n, sizes[i]);
        ck_assert_int_eq(taken.first.window, FIRST);
        ck_assert_int_eq(taken.last.window, from.last);
    }
}
END_TEST

START_TEST(states_by_the_horizon) {
    struct made_up from = {.last = FIRST + 30};
    struct taken taken = {.most = INT64_MAX};
    struct query query = all;
    query.partial = true;
    ck_assert_int_eq(ask(&from, query, (FIRST + 30) * US_PER_S, &taken), SOURCE_DONE);
    ck_assert_int_eq(taken.first.state, WINDOW_FINAL);
    ck_assert_int_eq(taken.last.state, WINDOW_OPEN);
    query.from_us = (FIRST + 25) * US_PER_S;
    taken = (struct taken){.most = 1};
    ck_assert_int_eq(ask(&from, query, (FIRST + 30) * US_PER_S, &taken), SOURCE_STOPPED);
    ck_assert_int_eq(taken.first.window, FIRST + 25);
    ck_assert_int_eq(taken.first.state, WINDOW_CLOSED);
}
END_TEST

START_TEST(a_taker_that_has_enough) {
    struct made_up from = {.last = FIRST + 9};
    struct taken taken = {.most = 3};
    ck_assert_int_eq(ask(&from, all, 100000 * US_PER_S, &taken), SOURCE_STOPPED);
    ck_assert_int_eq(taken.n, 3);
}
END_TEST

START_TEST(nothing_is_no_failure) {
    struct made_up from = {.last = FIRST - 1};
    struct taken taken = {.most = INT64_MAX};
    ck_assert_int_eq(ask(&from, all, 100000 * US_PER_S, &taken), SOURCE_DONE);
    ck_assert_int_eq(taken.n, 0);
}
END_TEST

/* Whichever read it is that fails. */
START_TEST(a_reader_that_fails) {
    struct made_up from = {.last = FIRST + 2 * QUERY_BLOCK};
    struct taken taken = {.most = INT64_MAX};
    ck_assert_int_eq(ask(&from, all, 100000 * US_PER_S, &taken), SOURCE_DONE);
    const unsigned reads = from.reads;
    ck_assert_uint_gt(reads, 3);
    for (from.fails_at = 1; from.fails_at <= reads; from.fails_at++) {
        taken = (struct taken){.most = INT64_MAX};
        ck_assert_int_eq(ask(&from, all, 100000 * US_PER_S, &taken), SOURCE_AWAY);
        ck_assert_int_lt(taken.n, 2 * QUERY_BLOCK + 1);
    }
}
END_TEST

CHECK_MAIN("source", all_rows_of_several_blocks, states_by_the_horizon, a_taker_that_has_enough,
           nothing_is_no_failure, a_reader_that_fails)
