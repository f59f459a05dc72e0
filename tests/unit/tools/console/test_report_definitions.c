/* Which of several definitions of a name is read, with rows that the test says there are. */
#include "tools/console/report_definitions.h"

#include "reports/definitions.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

#define T0 INT64_C(1464433860000000) /* 2016-05-28 11:11:00 */
#define MINUTE_US (60 * US_PER_S)
#define NONE (-1)
#define MANY 700

static const char by_flight[] = "by: [flight], windows: [1min], show: [count]";
static const char by_both[] =
    "by: [flight, client], windows: [1min, 5min], show: [count, sum(seconds)]";
static const char by_client[] = "by: [client], windows: [1min], show: [count]";
static const char by_hour[] = "by: [flight], windows: [1h], show: [count]";

static struct held_reports reports;
static struct kept {
    char name[REPORT_FULL_NAME_MAX];
    int64_t newest_us; /* of its only event; NONE: there is none */
    int64_t width_us;
} kept[MANY];
static size_t n;
static const struct kept *opened; /* the last one; it is the one that was read */
static char why[SOURCE_WHY_MAX];
static struct report_words words;

static void set_up(void) {
    n = 0;
    reports = (struct held_reports){0};
    words = (struct report_words){
        .name = "billing", .to_us = QUERY_TO_NONE, .now_us = T0 + 10 * MINUTE_US};
}

static void tear_down(void) {
    held_reports_free(&reports);
}

static const struct kept *add_named(const char *name, const char *rest, int64_t newest_us) {
    char text[512];
    const struct definitions_for purpose = {.file = "test"};
    snprintf(text, sizeof text,
             "fields: {flight: , client: {type: int}, seconds: {type: int}}\n"
             "reports: [{name: %s, %s}]\n",
             name, rest);
    struct definitions *definitions = definitions_read(text, strlen(text), &purpose, why);
    ck_assert_msg(definitions != NULL, "%s", why);
    const struct table_config *table = &definitions->report[0].table;
    struct kept *its = &kept[n++];
    snprintf(its->name, sizeof its->name, "%s.%s", table->name, table->digest);
    its->newest_us = newest_us;
    ck_assert(
        held_reports_add(&reports, its->name, table->definition, table->definition_len, NULL));
    definitions_free(definitions);
    return its;
}

static const struct kept *add(const char *rest, int64_t newest_us) {
    return add_named("billing", rest, newest_us);
}

static bool holds(void *cls, int64_t window, bool *any) {
    const struct kept *its = cls;
    *any = its->newest_us != NONE && window == its->newest_us / its->width_us;
    return true;
}

static bool read_none(void *cls, int64_t window, struct report_rows *rows) {
    (void)cls;
    (void)window;
    *rows = (struct report_rows){0};
    return true;
}

static bool open_kept(void *cls, const struct held_report *held, unsigned width,
                      struct report_reader *reader) {
    (void)cls;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(kept[i].name, held->name) != 0)
            continue;
        const int64_t width_us = held->definitions->report[0].table.width_us[width];
        kept[i].width_us = width_us;
        opened = &kept[i];
        *reader = (struct report_reader){.holds = holds,
                                         .read = read_none,
                                         .cls = &kept[i],
                                         .oldest = (T0 - 60 * MINUTE_US) / width_us,
                                         .newest = (T0 + 10 * MINUTE_US) / width_us};
    }
    return true;
}

static bool take(void *cls, const char *bytes, size_t len) {
    (void)cls;
    (void)bytes;
    (void)len;
    return true;
}

static enum report_outcome ask(void) {
    const struct report_opener opener = {open_kept, NULL, MINUTE_US, why};
    const struct text_taker taker = {take, NULL};
    opened = NULL;
    return held_reports_rows(&reports, &words, &opener, &taker);
}

static void must_read(const struct kept *expected) {
    const enum report_outcome outcome = ask();
    ck_assert_msg(outcome == REPORT_DONE, "%d: %s", (int)outcome, why);
    ck_assert_str_eq(opened->name, expected->name);
}

/* Whatever the order of the digests. */
START_TEST(the_newest_of_three_though_the_others_are_as_old) {
    static const char *const rest[] = {by_flight, by_both, by_client};
    static const int64_t stale[] = {T0, NONE};
    for (size_t i = 0; i < 6; i++) {
        const struct kept *newest = NULL;
        for (size_t j = 0; j < 3; j++) {
            const struct kept *its = add(rest[j], j == i % 3 ? T0 + 5 * MINUTE_US : stale[i / 3]);
            newest = j == i % 3 ? its : newest;
        }
        must_read(newest);
        held_reports_free(&reports);
        n = 0;
    }
}
END_TEST

START_TEST(only_the_newest_needs_to_fit_the_words) {
    static const char *const where[] = {"client=7"};
    add(by_flight, T0);
    const struct kept *newest = add(by_both, T0 + MINUTE_US);
    words.window = "5min";
    must_read(newest);
    words.where = where;
    words.wheres = 1;
    must_read(newest);
    words.window = NULL;
    must_read(newest);
    words.top = 1;
    words.by = "sum(seconds)";
    must_read(newest);
    words.by = "max(seconds)";
    ck_assert_int_eq(ask(), REPORT_WRONG);
    words.top = 0;
    words.window = "1h";
    ck_assert_int_eq(ask(), REPORT_UNKNOWN);
    ck_assert_str_eq(why, "report billing has no window 1h; there are: 1min, 5min");
}
END_TEST

/* Its hour is not over yet, and the minute within it is newer or not. */
START_TEST(windows_of_another_width) {
    const struct kept *minutes = add(by_flight, T0 - 30 * MINUTE_US);
    const struct kept *hours = add(by_hour, T0);
    words.window = "1h";
    must_read(hours);
    held_reports_free(&reports);
    n = 0;
    minutes = add(by_flight, T0 + MINUTE_US);
    hours = add(by_hour, T0 - 30 * MINUTE_US);
    words.window = "1min";
    must_read(minutes);
    kept[1].newest_us = T0;
    ck_assert_int_eq(ask(), REPORT_UNCLEAR);
}
END_TEST

START_TEST(two_in_the_newest_window) {
    const struct kept *one = add(by_flight, T0), *two = add(by_client, T0 + US_PER_S);
    add(by_both, T0 - MINUTE_US);
    ck_assert_int_eq(ask(), REPORT_UNCLEAR);
    ck_assert_ptr_nonnull(strstr(why, "two definitions of billing were in force in its newest"));
    ck_assert_ptr_nonnull(strstr(why, one->name));
    ck_assert_ptr_nonnull(strstr(why, two->name));
    words.name = two->name;
    must_read(two);
}
END_TEST

START_TEST(none_has_rows) {
    const struct kept *one = add(by_flight, NONE), *both = add(by_both, NONE);
    words.window = "5min";
    must_read(both);
    words.window = "1min";
    must_read(strcmp(one->name, both->name) < 0 ? one : both);
}
END_TEST

START_TEST(what_cannot_be_read_is_left_out) {
    static const char other_version[] = "billing.0000000000000000";
    ck_assert(held_reports_add(&reports, other_version, "x", 1, NULL));
    ck_assert_int_eq(ask(), REPORT_AWAY);
    const struct kept *one = add(by_flight, T0);
    must_read(one);
    must_read(add(by_both, T0 + MINUTE_US));
    words.name = other_version;
    ck_assert_int_eq(ask(), REPORT_AWAY);
}
END_TEST

START_TEST(any_number_of_reports) {
    char name[32];
    for (int i = 0; i + 1 < MANY; i++) {
        snprintf(name, sizeof name, "a%d", (i * 37) % MANY);
        add_named(name, by_flight, NONE);
    }
    const struct kept *last = add(by_flight, T0);
    ck_assert_uint_eq(reports.n, MANY);
    for (size_t i = 1; i < reports.n; i++)
        ck_assert_int_lt(strcmp(reports.held[i - 1].report->name, reports.held[i].report->name), 0);
    must_read(last);
    words.name = "a5";
    ck_assert_int_eq(ask(), REPORT_DONE);
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_definitions", the_newest_of_three_though_the_others_are_as_old,
                only_the_newest_needs_to_fit_the_words, windows_of_another_width,
                two_in_the_newest_window, none_has_rows, what_cannot_be_read_is_left_out,
                any_number_of_reports)
