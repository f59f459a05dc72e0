/* What `aforo check` finds in made-up sources: of one that agrees, that does not, that changes
 * while it is read, that holds nothing, that fails. */
#include "tools/console/check.h"

#include "tests/unit/check_main.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BASE_S 60000
#define SECONDS 180
#define WINDOWS (SECONDS * 100)
#define NOW_US ((BASE_S + SECONDS + 60) * US_PER_S)

struct made_up {
    struct source source;                /* first: the source is one of these */
    uint64_t count[WINDOWS];             /* of 10 ms */
    uint64_t more[RESOLUTIONS][SECONDS]; /* what a window of that number holds beyond their sum */
    unsigned fails_at, reads;
    int changes;    /* reads after which what is too much is gone */
    int64_t from_s; /* what is before, from BASE_S on, is not kept */
    const char *finding;
};

static struct made_up sources[3];
static unsigned pauses;

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    const struct made_up *from = cls;
    const int64_t per = resolution_table[r].width_us / (10 * US_PER_MS);
    for (uint32_t i = 0; i < n; i++) {
        const int64_t number = first + i - window_at(r, BASE_S * US_PER_S);
        out[i] = number < SECONDS ? from->more[r][number] : 0;
        for (int64_t w = 0; w < per; w++)
            out[i] += from->count[number * per + w];
    }
    return true;
}

static enum source_outcome read_rows(struct source *source, const struct query *query,
                                     int64_t now_us, const struct row_taker *taker,
                                     char why[SOURCE_WHY_MAX]) {
    struct made_up *from = (struct made_up *)source;
    const enum resolution r = query->resolution;
    const int64_t first = window_at(r, (BASE_S + from->from_s) * US_PER_S);
    if (++from->reads == from->fails_at) {
        strcpy(why, "away");
        return SOURCE_AWAY;
    }
    if (from->changes && (int)from->reads > from->changes)
        memset(from->more, 0, sizeof from->more);
    const struct query_reader reader = {read_windows, from, first,
                                        window_at(r, (BASE_S + SECONDS) * US_PER_S) - 1, first};
    return source_rows_from_reader(source, &reader, query, now_us, taker);
}

static bool audit(struct source *source, const struct query *query, int64_t now_us,
                  const struct finding_taker *taker, char why[SOURCE_WHY_MAX]) {
    (void)query;
    (void)now_us;
    (void)why;
    const struct made_up *from = (struct made_up *)source;
    if (from->finding != NULL)
        taker->take(taker->cls, from->finding);
    return true;
}

static const struct source_ops ops = {.rows = read_rows, .audit = audit};

static int64_t now_us(void *cls) {
    (void)cls;
    return NOW_US;
}

static void pause_for(void *cls, int64_t us) {
    (void)cls;
    (void)us;
    pauses++;
}

static void setup(void) {
    memset(sources, 0, sizeof sources);
    pauses = 0;
    srand(4711);
    for (int i = 0; i < WINDOWS; i += 7) {
        const uint64_t n = (uint64_t)(rand() % 5);
        sources[0].count[i] = n / 2;
        sources[1].count[i] = n - n / 2;
        sources[2].count[i] = n; /* Redis holds what the two servers do */
    }
    sources[0].count[0] = sources[2].count[0] = 1;
    sources[1].count[0] = 0;
    for (int i = 0; i < 3; i++)
        sources[i].source = (struct source){.ops = &ops, .horizon_us = US_PER_S};
}

static char printed[8192], why[SOURCE_WHY_MAX];

/* Checks the first n of them. */
static bool check(unsigned n) {
    const struct check_source parts[] = {{&sources[0].source, CHECK_SERVERS, "first"},
                                         {&sources[1].source, CHECK_SERVERS, "second"},
                                         {&sources[2].source, CHECK_REDIS, "redis"}};
    const struct check_request request = {
        .source = parts, .sources = n, .query = {.to_us = QUERY_TO_NONE}};
    const struct check_world world = {now_us, pause_for, NULL};
    memset(printed, 0, sizeof printed);
    why[0] = '\0';
    FILE *out = fmemopen(printed, sizeof printed, "w");
    ck_assert_ptr_nonnull(out);
    const bool well = check_sources(&request, &world, out, why);
    fclose(out);
    return well;
}

START_TEST(what_agrees) {
    ck_assert_msg(check(1), "%s", why);
    ck_assert_msg(strstr(printed, " windows compared, all agree\n") != NULL, "%s", printed);
    ck_assert_msg(check(3), "%s", why);
    ck_assert_uint_ge(strtoull(printed, NULL, 10), WINDOWS + SECONDS);
}
END_TEST

START_TEST(a_second_that_is_not_the_sum_of_its_windows) {
    sources[0].more[RESOLUTION_1S][70] = 1;
    ck_assert(!check(1));
    ck_assert_ptr_nonnull(strstr(printed, "first: the 1s window 1970-01-01 16:41:10.000 is "));
    ck_assert_ptr_nonnull(strstr(printed, "its 10ms windows sum to "));
    ck_assert_str_eq(why, "2 windows disagree"); /* the minute with its seconds, too */
}
END_TEST

START_TEST(servers_and_redis_that_differ_by_one) {
    sources[2].count[WINDOWS / 2]++;
    ck_assert(!check(3));
    ck_assert_str_eq(why, "3 windows disagree");
    ck_assert_ptr_nonnull(strstr(printed, "the 1min window 1970-01-01 16:41:00.000: the servers "));
    ck_assert_ptr_nonnull(strstr(printed, "the 10ms window 1970-01-01 16:41:30.000: the servers "));
}
END_TEST

START_TEST(what_one_of_them_no_longer_keeps_is_not_compared) {
    sources[2].from_s = 60;
    sources[2].count[0] = 99;
    ck_assert_msg(check(3), "%s\n%s", why, printed);
}
END_TEST

START_TEST(what_is_settled_by_another_look_agrees) {
    sources[0].more[RESOLUTION_1S][70] = 1;
    sources[0].changes = 6; /* the two readings of three resolutions */
    ck_assert_msg(check(1), "%s", why);
    ck_assert_uint_ge(pauses, 2);
}
END_TEST

START_TEST(a_source_that_fails_ends_it) {
    for (unsigned at = 1; at <= 6; at++) {
        sources[0].reads = 0;
        sources[0].fails_at = at;
        ck_assert(!check(1));
        ck_assert_str_eq(why, "away");
        ck_assert_str_eq(printed, "");
    }
}
END_TEST

START_TEST(what_lies_wrong_is_told_and_made_safe) {
    sources[2].finding = "the key \x1b[31m is wrong";
    ck_assert(!check(3));
    ck_assert_ptr_nonnull(strstr(printed, "redis: the key \\x1b[31m is wrong\n"));
    ck_assert_str_eq(why, "1 thing is wrong where it lies");
}
END_TEST

START_TEST(nothing_to_compare_is_no_agreement) {
    memset(sources[0].count, 0, sizeof sources[0].count);
    ck_assert(!check(1));
    ck_assert_msg(strlen(why) > 0, "nothing is said");
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, setup, NULL}), "check", what_agrees,
                a_second_that_is_not_the_sum_of_its_windows, servers_and_redis_that_differ_by_one,
                what_one_of_them_no_longer_keeps_is_not_compared,
                what_is_settled_by_another_look_agrees, a_source_that_fails_ends_it,
                what_lies_wrong_is_told_and_made_safe, nothing_to_compare_is_no_agreement)
