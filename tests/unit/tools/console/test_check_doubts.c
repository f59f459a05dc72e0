/* What seemed to disagree, looked at again: what settles, what is reported, how it is summed up. */
#include "tools/console/check_internal.h"

#include "tests/unit/check_main.h"

#include <inttypes.h>
#include <string.h>

#define MINUTE INT64_C(24407231) /* 2016-05-28T11:11 */
#define SECOND (MINUTE * 60)
#define SOURCES 3
#define LOOKS 6

/* A source whose windows all hold the same; it may grow by one each time that it is read. */
struct made_up {
    struct source source; /* first: the source is one of these */
    uint64_t count[RESOLUTIONS];
    bool grows;
    unsigned reads, fails_at;
};

static struct made_up sources[SOURCES];
static struct check check;
static struct check_source parts[SOURCES];
static char printed[8192], why[SOURCE_WHY_MAX];
static unsigned pauses;
static bool again;

static enum source_outcome read_rows(struct source *source, const struct query *query,
                                     int64_t now_us, const struct row_taker *taker, char *said) {
    struct made_up *from = (struct made_up *)source;
    const int64_t width_us = resolution_table[query->resolution].width_us;
    ck_assert_int_eq(now_us, check.now_us);
    ck_assert(query->partial && query->last == 0);
    if (++from->reads == from->fails_at) {
        strcpy(said, "away");
        return SOURCE_AWAY;
    }
    for (int64_t at_us = query->from_us; at_us < query->to_us; at_us += width_us) {
        const struct row row = {at_us / width_us, from->count[query->resolution], WINDOW_FINAL};
        ck_assert(taker->take(taker->cls, &row));
    }
    for (int r = 0; r < RESOLUTIONS && from->grows; r++)
        from->count[r]++;
    return SOURCE_DONE;
}

static const struct source_ops ops = {.rows = read_rows};

static void pause_for(void *cls, int64_t us) {
    ck_assert_ptr_eq(cls, &pauses);
    ck_assert_int_eq(us, CHECK_PAUSE_US);
    pauses++;
}

/* Two servers and Redis. */
static void begin(void) {
    static const enum check_group groups[SOURCES] = {CHECK_SERVERS, CHECK_SERVERS, CHECK_REDIS};
    static const char *const places[SOURCES] = {"first", "second\x1b", "redis"};
    memset(&check, 0, sizeof check);
    memset(sources, 0, sizeof sources);
    for (int i = 0; i < SOURCES; i++) {
        sources[i].source = (struct source){.ops = &ops};
        parts[i] = (struct check_source){&sources[i].source, groups[i], places[i]};
    }
    check.source = parts;
    check.sources = SOURCES;
    check.now_us = 4711;
    check.why = why;
    pauses = 0;
}

static void doubt_across(enum resolution r, int64_t window) {
    check.doubt[check.doubts++] =
        (struct doubt){.one = CHECK_SERVERS, .other = CHECK_REDIS, .r = r, .window = window};
}

static void doubt_within(unsigned source, enum resolution r, int64_t window) {
    check.doubt[check.doubts++] =
        (struct doubt){.within = true, .source = source, .r = r, .window = window};
}

static bool settle(void) {
    const struct check_world world = {NULL, pause_for, &pauses};
    memset(printed, 0, sizeof printed);
    why[0] = '\0';
    again = true;
    FILE *out = fmemopen(printed, sizeof printed, "w");
    ck_assert_ptr_nonnull(out);
    const bool well = check_settle(&check, &world, out, &again);
    fclose(out);
    return well;
}

START_TEST(without_doubts_nothing_is_read) {
    ck_assert(settle());
    ck_assert(!again && pauses == 0 && sources[0].reads == 0);
}
END_TEST

START_TEST(what_agrees_now_is_settled_by_one_look) {
    sources[0].count[RESOLUTION_1S] = 3;
    sources[1].count[RESOLUTION_1S] = 4;
    sources[2].count[RESOLUTION_1S] = 7;
    sources[2].count[RESOLUTION_10MS] = 1; /* of a hundred */
    sources[2].count[RESOLUTION_1MIN] = 7 * 60;
    doubt_across(RESOLUTION_1S, SECOND);
    doubt_within(2, RESOLUTION_1MIN, MINUTE);
    ck_assert_msg(settle(), "%s", why);
    ck_assert(!again && pauses == 1 && *printed == '\0' && *why == '\0');
    ck_assert_uint_eq(sources[0].reads, 2);
    ck_assert_uint_eq(sources[2].reads, 1 + 3);
    ck_assert(check.doubt[0].settled && check.doubt[1].settled);
}
END_TEST

/* It was between two looks at what it is compared with. */
START_TEST(what_grows_meanwhile_agrees) {
    sources[0].count[RESOLUTION_1S] = 6;
    sources[0].grows = true;
    sources[2].count[RESOLUTION_1S] = 7;
    doubt_across(RESOLUTION_1S, SECOND);
    ck_assert_msg(settle(), "%s", why);
    ck_assert_uint_eq(check.doubt[0].before, 6);
    ck_assert_uint_eq(check.doubt[0].value, 7);
    ck_assert_uint_eq(check.doubt[0].after, 7);
    /* and at the lower end of it */
    sources[0].count[RESOLUTION_1S] = 7;
    check.doubt[0].settled = false;
    ck_assert_msg(settle(), "%s", why);
    ck_assert_uint_eq(check.doubt[0].before, 7);
    ck_assert_uint_eq(check.doubt[0].after, 8);
}
END_TEST

START_TEST(what_comes_later_is_waited_for) {
    sources[0].count[RESOLUTION_1S] = 12;
    sources[2].count[RESOLUTION_1S] = 9;
    sources[2].grows = true; /* once a look */
    doubt_across(RESOLUTION_1S, SECOND);
    ck_assert_msg(settle(), "%s", why);
    ck_assert_uint_eq(pauses, 4);
}
END_TEST

START_TEST(what_goes_on_to_disagree_is_reported) {
    sources[0].count[RESOLUTION_1S] = 3;
    sources[1].count[RESOLUTION_1S] = 4;
    sources[2].count[RESOLUTION_1S] = 8;
    sources[1].count[RESOLUTION_1MIN] = 1;
    doubt_across(RESOLUTION_1S, SECOND + 11);
    ck_assert(!settle());
    ck_assert_uint_eq(pauses, LOOKS);
    ck_assert_str_eq(printed, "the 1s window 2016-05-28 11:11:11.000: the servers hold 7, Redis "
                              "holds 8\n");
    ck_assert_str_eq(why, "1 window disagrees");
    ck_assert(!again);
    doubt_within(1, RESOLUTION_1MIN, MINUTE);
    check.doubt[check.doubts++] = (struct doubt){
        .one = CHECK_SERVERS, .other = CHECK_STATES, .r = RESOLUTION_1S, .window = SECOND};
    ck_assert(!settle());
    ck_assert_str_eq(why, "3 windows disagree");
    ck_assert_ptr_nonnull(strstr(printed, "second\\x1b: the 1min window 2016-05-28 11:11:00.000 is "
                                          "1, its 1s windows sum to 240\n"));
    ck_assert_ptr_nonnull(strstr(printed, "the 1s window 2016-05-28 11:11:00.000: the servers hold "
                                          "7, the state directories hold 0\n"));
}
END_TEST

/* What is settled is not looked at again, nor told. */
START_TEST(some_settle_and_some_do_not) {
    sources[2].count[RESOLUTION_1S] = 1;
    doubt_across(RESOLUTION_1MIN, MINUTE);
    doubt_across(RESOLUTION_1S, SECOND);
    ck_assert(!settle());
    ck_assert_str_eq(why, "1 window disagrees");
    ck_assert(check.doubt[0].settled && !check.doubt[1].settled);
    ck_assert_uint_eq(sources[2].reads, 2 + LOOKS - 1);
    ck_assert_uint_eq(sources[0].reads, 4 + 2 * (LOOKS - 1));
    ck_assert_ptr_null(strstr(printed, "1min"));
}
END_TEST

START_TEST(so_many_are_reported) {
    sources[2].count[RESOLUTION_1S] = 1;
    doubt_across(RESOLUTION_1MIN, MINUTE); /* settles, and takes no place */
    for (int i = 0; i < CHECK_REPORTS_MAX + 5; i++)
        doubt_across(RESOLUTION_1S, SECOND + i);
    ck_assert(!settle());
    ck_assert_str_eq(why, "25 windows disagree");
    unsigned lines = 0;
    for (const char *at = printed; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, CHECK_REPORTS_MAX);
    ck_assert_ptr_nonnull(strstr(printed, "11:11:19.000"));
    ck_assert_ptr_null(strstr(printed, "11:11:20.000"));
}
END_TEST

START_TEST(more_than_are_kept) {
    char expected[SOURCE_WHY_MAX];
    for (int i = 0; i < CHECK_DOUBTS_MAX; i++)
        doubt_across(RESOLUTION_1S, SECOND + i);
    ck_assert(settle());
    check.doubts++;
    for (int i = 0; i < CHECK_DOUBTS_MAX; i++)
        check.doubt[i].settled = false;
    ck_assert(!settle());
    ck_assert(again);
    snprintf(expected, sizeof expected, "%d windows changed while they were read: check again",
             CHECK_DOUBTS_MAX + 1);
    ck_assert_str_eq(why, expected);
    sources[2].count[RESOLUTION_1S] = 1;
    for (int i = 0; i < CHECK_DOUBTS_MAX; i++)
        check.doubt[i].settled = i > 0;
    ck_assert(!settle());
    ck_assert(!again);
    ck_assert_str_eq(why, "1 and perhaps more windows disagree");
}
END_TEST

START_TEST(a_source_that_fails_ends_it) {
    for (unsigned failing = 0; failing < SOURCES; failing++) {
        for (unsigned at = 1; at <= (failing == 2 ? 1 : 2); at++) {
            begin();
            sources[failing].fails_at = at;
            doubt_across(RESOLUTION_1S, SECOND);
            ck_assert(!settle());
            ck_assert_str_eq(why, "away");
            ck_assert_str_eq(printed, "");
        }
    }
    for (unsigned at = 1; at <= 3; at++) {
        begin();
        sources[1].fails_at = at;
        doubt_within(1, RESOLUTION_1S, SECOND);
        ck_assert(!settle());
        ck_assert_str_eq(why, "away");
    }
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, NULL}), "check_doubts",
                without_doubts_nothing_is_read, what_agrees_now_is_settled_by_one_look,
                what_grows_meanwhile_agrees, what_comes_later_is_waited_for,
                what_goes_on_to_disagree_is_reported, some_settle_and_some_do_not,
                so_many_are_reported, more_than_are_kept, a_source_that_fails_ends_it)
