/* --follow against a made-up world: its clock jumps to whenever follow waits for, and its source
 * counts, falls silent and comes back by that clock. */
#include "tools/console/follow.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

#define BASE 1000 /* the window of one second in which the world begins */
#define WINDOWS 200
#define SETTLE_US 100000

struct world {
    struct source source; /* first: the source is the world */
    int64_t now_us, end_us;
    int64_t away_from_us, away_to_us;
    uint64_t count[WINDOWS];
    int64_t known_from_us[WINDOWS]; /* the source shows a window's count from then on */
    unsigned complaints, waits;
    bool wild;             /* the source adds a row far ahead of what was asked */
    bool half;             /* each query fails after its first row */
    int64_t last, from_us; /* of the query */
};

static struct world world;
static char *printed;
static size_t printed_len;
static struct writer writer;

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    (void)cls;
    (void)r;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t w = first + i - BASE;
        out[i] = world.known_from_us[w] <= world.now_us ? world.count[w] : 0;
    }
    return true;
}

static bool ready(struct source *source, char why[SOURCE_WHY_MAX]) {
    (void)source;
    strcpy(why, "away");
    return world.now_us < world.away_from_us || world.now_us >= world.away_to_us;
}

struct first_row_only {
    const struct row_taker *taker;
    bool one;
};

static bool first_row(void *cls, const struct row *row) {
    struct first_row_only *only = cls;
    return !only->one && (only->one = only->taker->take(only->taker->cls, row));
}

static enum source_outcome add_wild_row(enum source_outcome outcome,
                                        const struct row_taker *taker) {
    static const struct row year_9999 = {INT64_C(253402300799), 7, WINDOW_OPEN};
    return outcome == SOURCE_DONE && world.wild && !taker->take(taker->cls, &year_9999)
               ? SOURCE_STOPPED
               : outcome;
}

static enum source_outcome rows(struct source *source, const struct query *query, int64_t now_us,
                                const struct row_taker *taker, char why[SOURCE_WHY_MAX]) {
    ck_assert_int_le(query->from_us, query->to_us); /* a server refuses it */
    if (!ready(source, why))
        return SOURCE_AWAY;
    const struct query_reader reader = {read_windows, NULL, BASE, BASE + WINDOWS - 1, BASE};
    if (!world.half)
        return add_wild_row(source_rows_from_reader(source, &reader, query, now_us, taker), taker);
    struct first_row_only only = {taker, false};
    const struct row_taker first = {first_row, &only};
    const enum source_outcome outcome =
        source_rows_from_reader(source, &reader, query, now_us, &first);
    return outcome == SOURCE_STOPPED ? SOURCE_AWAY : outcome;
}

static const struct source_ops ops = {.ready = ready, .rows = rows};

static int64_t now_us(void *cls) {
    (void)cls;
    return world.now_us;
}

static bool wait_until(void *cls, int64_t t_us) {
    (void)cls;
    ck_assert_int_gt(t_us, world.now_us); /* it never spins */
    world.now_us = t_us;
    return world.now_us < world.end_us;
}

static void complain(void *cls, const char *why) {
    (void)cls;
    ck_assert_str_eq(why, "away");
    world.complaints++;
}

static void waiting(void *cls) {
    (void)cls;
    world.waits++;
}

static int64_t second(int64_t offset) {
    return (BASE + offset) * US_PER_S;
}

static void setup(void) {
    memset(&world, 0, sizeof world);
    world.source =
        (struct source){.ops = &ops, .horizon_us = 3600 * US_PER_S, .settle_us = SETTLE_US};
    world.now_us = second(10);
    writer = (struct writer){.out = open_memstream(&printed, &printed_len),
                             .form = {.resolution = RESOLUTION_1S}};
}

static void teardown(void) {
    fclose(writer.out);
    free(printed);
}

/* Follows until `until_us`; what was printed, with times as seconds since the world's base: "3=1
 * 4=0 ". */
static const char *follow(int64_t until_us) {
    static char out[8192];
    const struct query query = {.resolution = RESOLUTION_1S,
                                .from_us = world.from_us,
                                .to_us = QUERY_TO_NONE,
                                .last = world.last};
    const struct follow_world around = {now_us, wait_until, complain, waiting, NULL};
    world.end_us = until_us;
    ck_assert(follow_run(&world.source, &query, &writer, &around));
    ck_assert(writer_end(&writer));
    size_t used = 0;
    out[0] = '\0';
    for (const char *line = printed; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        int hour, minute, s;
        unsigned long count;
        ck_assert_int_eq(sscanf(line, "1970-01-01 %d:%d:%d.000, %lu", &hour, &minute, &s, &count),
                         4);
        used += (size_t)snprintf(out + used, sizeof out - used, "%d=%lu ",
                                 hour * 3600 + minute * 60 + s - BASE, count);
    }
    return out;
}

START_TEST(starts_with_what_was_and_goes_on_with_zeros) {
    world.count[5] = 1;
    world.count[7] = 2;
    world.count[11] = 3;
    world.known_from_us[11] = second(11);
    ck_assert_str_eq(follow(second(13) + SETTLE_US + 1), "5=1 6=0 7=2 8=0 9=0 10=0 11=3 12=0 ");
}
END_TEST

START_TEST(last_begins_before_the_first_event) {
    world.count[5] = 1;
    world.last = 4;
    ck_assert_str_eq(follow(second(11) + SETTLE_US + 1), "2=0 3=0 4=0 5=1 6=0 7=0 8=0 9=0 10=0 ");
}
END_TEST

START_TEST(waits_for_the_first_event) {
    ck_assert_str_eq(follow(second(12)), "");
    ck_assert_uint_eq(world.waits, 1);
    world.count[20] = 1;
    world.known_from_us[20] = second(20);
    ck_assert_str_eq(follow(second(22) + SETTLE_US + 1), "20=1 21=0 ");
}
END_TEST

START_TEST(nothing_before_it_has_settled) {
    world.count[9] = world.count[10] = 1;
    world.known_from_us[10] = second(11) + SETTLE_US; /* shown that long after its end */
    ck_assert_str_eq(follow(second(11) + SETTLE_US), "9=1 ");
    ck_assert_str_eq(follow(second(11) + SETTLE_US + 1), "9=1 9=1 10=1 ");
}
END_TEST

START_TEST(a_late_event_is_not_printed_again) {
    world.count[9] = world.count[10] = 1;
    world.known_from_us[9] = second(15); /* late: window 9 has been printed as 0 by then */
    world.count[8] = 1;
    ck_assert_str_eq(follow(second(17) + SETTLE_US + 1),
                     "8=1 9=0 10=1 11=0 12=0 13=0 14=0 15=0 16=0 ");
}
END_TEST

START_TEST(away_is_said_once_and_made_up_for) {
    for (int i = 9; i < 40; i++)
        world.count[i] = (uint64_t)i;
    world.away_from_us = second(12) + SETTLE_US;
    world.away_to_us = second(30);
    for (int i = 12; i < 30; i++)
        /* the nodes need a second to send again what was missed */
        world.known_from_us[i] = second(31);
    const char *all = follow(second(36) + SETTLE_US);
    const char *expected =
        "9=9 10=10 11=11 12=12 13=13 14=14 15=15 16=16 17=17 18=18 19=19 20=20 21=21 22=22 23=23 "
        "24=24 25=25 26=26 27=27 28=28 29=29 30=30 31=31 32=32 33=33 34=34 ";
    ck_assert_msg(strncmp(all, expected, strlen(expected)) == 0, "%s", all);
    ck_assert_uint_eq(world.complaints, 1);
}
END_TEST

START_TEST(a_query_that_breaks_off_loses_and_repeats_nothing) {
    world.count[5] = world.count[6] = world.count[7] = world.count[8] = 4;
    world.half = true;
    const char *all = follow(second(60));
    ck_assert_msg(strncmp(all, "5=4 6=4 7=4 8=4 9=0 ", 20) == 0, "%s", all);
    ck_assert_uint_eq(world.complaints, 1); /* though it said that it was ready each time */
}
END_TEST

START_TEST(rows_from_the_future_are_not_counted_up_to) {
    world.count[8] = 4;
    world.wild = true;
    ck_assert_str_eq(follow(second(11) + SETTLE_US + 1), "8=4 9=0 10=0 ");
}
END_TEST

START_TEST(a_beginning_that_is_to_come_is_waited_for) {
    world.from_us = second(13);
    for (int i = 9; i < 20; i++)
        world.count[i] = 1;
    ck_assert_str_eq(follow(second(15) + SETTLE_US + 1), "13=1 14=1 ");
    ck_assert_uint_eq(world.complaints, 0);
}
END_TEST

START_TEST(a_full_disk_ends_it) {
    fclose(writer.out);
    free(printed);
    printed = NULL;
    writer.out = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(writer.out);
    world.count[5] = 1;
    world.end_us = INT64_MAX;
    const struct query query = {.resolution = RESOLUTION_1S, .to_us = QUERY_TO_NONE, .last = 60};
    const struct follow_world around = {now_us, wait_until, complain, waiting, NULL};
    ck_assert(!follow_run(&world.source, &query, &writer, &around));
    ck_assert_int_ne(writer.error, 0);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){4, setup, teardown}), "follow",
                starts_with_what_was_and_goes_on_with_zeros, last_begins_before_the_first_event,
                waits_for_the_first_event, nothing_before_it_has_settled,
                a_late_event_is_not_printed_again, away_is_said_once_and_made_up_for,
                a_query_that_breaks_off_loses_and_repeats_nothing,
                rows_from_the_future_are_not_counted_up_to,
                a_beginning_that_is_to_come_is_waited_for, a_full_disk_ends_it)
