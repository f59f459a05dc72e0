/* What is printed of a report, against a source that answers what the test tells it to. */
#include "tools/console/report_command.h"

#include "tools/console/report_empty.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

#define BASE_US INT64_C(1464433860000000) /* 2016-05-28 11:11:00 */
#define MINUTE_US (60 * US_PER_S)

/* ---- a source that has one row in each of its first minutes ---- */

static int64_t now, end;
static int minutes;     /* that have a row */
static bool only_other; /* no row has what --where asks for */
static enum report_outcome refusal;
static int64_t away_from, away_to;
static enum report_outcome away_as;
static unsigned complaints, waits;

static enum report_outcome give(const struct text_taker *taker, const char *bytes) {
    return taker->take(taker->cls, bytes, strlen(bytes)) ? REPORT_DONE : REPORT_STOPPED;
}

static bool is_meant(const struct report_words *words, int minute, int64_t end_us) {
    const int64_t start_us = BASE_US + minute * MINUTE_US;
    return start_us >= words->from_us && start_us < words->to_us && start_us + MINUTE_US <= end_us;
}

static enum report_outcome rows(struct source *source, const struct report_words *words,
                                const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    char row[64];
    (void)source;
    strcpy(why, "refused");
    if (refusal != REPORT_DONE)
        return refusal;
    if (now >= away_from && now < away_to)
        return away_as;
    const int64_t end_us = words->partial ? INT64_MAX : now;
    int shown = 0;
    for (int m = 0; m < minutes; m++)
        shown += is_meant(words, m, end_us);
    for (int m = 0; m < minutes && !(only_other && words->wheres > 0); m++) {
        if (!is_meant(words, m, end_us) || (words->last > 0 && shown-- > words->last))
            continue;
        snprintf(row, sizeof row, "2016-05-28 11:%02d:00.000, count=1\n", 11 + m);
        if (give(taker, row) != REPORT_DONE)
            return REPORT_STOPPED;
    }
    return REPORT_DONE;
}

static enum report_outcome list(struct source *source, enum rows_format format,
                                const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    (void)source;
    strcpy(why, "refused");
    if (refusal != REPORT_DONE)
        return refusal;
    return give(taker, format == ROWS_JSON ? "{\"reports\":[\n]}\n" : "REPORT\n");
}

static bool ready(struct source *source, char why[SOURCE_WHY_MAX]) {
    (void)source;
    strcpy(why, "away");
    return now >= away_to || away_as == REPORT_UNCLEAR;
}

static const struct report_ops report_ops = {rows, list};
static const struct source_ops ops = {.ready = ready};
static struct source source;

static int64_t now_us(void *cls) {
    (void)cls;
    return now;
}

static bool wait_until(void *cls, int64_t t_us) {
    (void)cls;
    ck_assert_int_gt(t_us, now); /* it never spins */
    now = t_us;
    minutes = (int)((now - BASE_US) / MINUTE_US) + 1;
    return now < end;
}

static void complain(void *cls, const char *why) {
    (void)cls;
    ck_assert_str_eq(why, "refused");
    complaints++;
}

static void waiting(void *cls) {
    (void)cls;
    waits++;
}

static const struct follow_world world = {now_us, wait_until, complain, waiting, NULL};

/* ---- what is printed, and said ---- */

static struct flags flags;
static char *printed;
static size_t printed_len;

static void set_up(void) {
    source = (struct source){.ops = &ops, .reports = &report_ops, .settle_us = 100000};
    flags = (struct flags){.command = COMMAND_REPORT,
                           .query = {.to_us = QUERY_TO_NONE, .last = 60},
                           .report = {.name = "billing", .window = "1min"}};
    now = BASE_US + 5 * MINUTE_US / 2;
    minutes = 3;
    refusal = REPORT_DONE;
    away_as = REPORT_AWAY;
}

static void tear_down(void) {
    free(printed);
}

static int print(void) {
    struct report_writer writer = {.out = open_memstream(&printed, &printed_len)};
    const int status = report_print(&source, &flags, NULL, &writer, &world);
    fclose(writer.out);
    return status;
}

START_TEST(rows_once) {
    ck_assert_int_eq(print(), 0);
    ck_assert_str_eq(printed, "2016-05-28 11:11:00.000, count=1\n"
                              "2016-05-28 11:12:00.000, count=1\n");
}
END_TEST

START_TEST(the_list) {
    flags.command = COMMAND_REPORTS;
    ck_assert_int_eq(print(), 0);
    ck_assert_str_eq(printed, "REPORT\n");
    flags.format = ROWS_JSON;
    free(printed);
    ck_assert_int_eq(print(), 0);
    ck_assert_str_eq(printed, "{\"reports\":[\n]}\n");
    refusal = REPORT_AWAY;
    free(printed);
    ck_assert_int_eq(print(), 1);
}
END_TEST

START_TEST(exit_statuses) {
    refusal = REPORT_UNKNOWN;
    ck_assert_int_eq(print(), 1);
    refusal = REPORT_UNCLEAR;
    free(printed);
    ck_assert_int_eq(print(), 1);
    refusal = REPORT_WRONG;
    free(printed);
    ck_assert_int_eq(print(), 2);
    refusal = REPORT_AWAY;
    free(printed);
    ck_assert_int_eq(print(), 1);
    ck_assert_str_eq(printed, "");
}
END_TEST

START_TEST(why_there_are_no_rows) {
    char why[SOURCE_WHY_MAX];
    struct report_words words = {.name = "billing", .to_us = QUERY_TO_NONE, .last = 60};
    minutes = 1;
    now = BASE_US + 1;
    report_empty_explain(&source, &words, why);
    ck_assert_str_eq(why, "nothing to show yet: the window with rows, 2016-05-28 11:11:00.000, is "
                          "not over; --partial shows it now");
    words.partial = true;
    words.to_us = BASE_US;
    report_empty_explain(&source, &words, why);
    ck_assert_str_eq(why,
                     "no rows in that span; the newest are in the window 2016-05-28 11:11:00.000");
    words.to_us = QUERY_TO_NONE;
    words.wheres = 1;
    only_other = true;
    report_empty_explain(&source, &words, why);
    ck_assert_str_eq(why, "no row there is what --where asks for; the newest of the others are in "
                          "the window 2016-05-28 11:11:00.000");
    only_other = false;
    minutes = 0;
    report_empty_explain(&source, &words, why);
    ck_assert_str_eq(why, "report billing has no rows there: no event has matched it; aforo "
                          "reports shows which fields kept events out");
    refusal = REPORT_AWAY;
    report_empty_explain(&source, &words, why);
    ck_assert_str_eq(why, "refused");
}
END_TEST

START_TEST(each_window_as_it_closes) {
    flags.follow = true;
    flags.query.last = 1;
    end = BASE_US + 5 * MINUTE_US + US_PER_S;
    ck_assert_int_eq(print(), 0);
    ck_assert_str_eq(printed, "2016-05-28 11:12:00.000, count=1\n"
                              "2016-05-28 11:13:00.000, count=1\n"
                              "2016-05-28 11:14:00.000, count=1\n"
                              "2016-05-28 11:15:00.000, count=1\n");
    ck_assert_uint_eq(waits, 0);
}
END_TEST

/* Follows a source that is away from the third minute on until the middle of one: it goes on, says
 * so once, and nothing is lost. */
static void must_go_on(int64_t minute, const char *expected) {
    flags.follow = true;
    away_from = BASE_US + 3 * MINUTE_US;
    away_to = BASE_US + minute * MINUTE_US + 30 * US_PER_S;
    end = BASE_US + (minute + 1) * MINUTE_US + US_PER_S;
    ck_assert_int_eq(print(), 0);
    ck_assert_str_eq(printed, expected);
    ck_assert_uint_eq(complaints, 1);
}

START_TEST(a_source_that_goes_away_and_returns) {
    must_go_on(5, "2016-05-28 11:11:00.000, count=1\n"
                  "2016-05-28 11:12:00.000, count=1\n"
                  "2016-05-28 11:13:00.000, count=1\n"
                  "2016-05-28 11:14:00.000, count=1\n"
                  "2016-05-28 11:15:00.000, count=1\n"
                  "2016-05-28 11:16:00.000, count=1\n");
}
END_TEST

/* Two definitions have the newest rows. */
START_TEST(an_edit_that_is_unclear_for_a_minute) {
    away_as = REPORT_UNCLEAR;
    must_go_on(4, "2016-05-28 11:11:00.000, count=1\n"
                  "2016-05-28 11:12:00.000, count=1\n"
                  "2016-05-28 11:13:00.000, count=1\n"
                  "2016-05-28 11:14:00.000, count=1\n"
                  "2016-05-28 11:15:00.000, count=1\n");
}
END_TEST

START_TEST(before_its_beginning_it_waits) {
    flags.follow = true;
    flags.query.from_us = BASE_US + 4 * MINUTE_US;
    flags.query.last = 0;
    end = BASE_US + 5 * MINUTE_US + US_PER_S;
    ck_assert_int_eq(print(), 0);
    ck_assert_str_eq(printed, "2016-05-28 11:15:00.000, count=1\n");
    ck_assert_uint_eq(waits, 1);
}
END_TEST

START_TEST(a_question_that_is_wrong_is_not_repeated) {
    flags.follow = true;
    refusal = REPORT_WRONG;
    ck_assert_int_eq(print(), 2);
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_command", rows_once, the_list, exit_statuses,
                why_there_are_no_rows, each_window_as_it_closes,
                a_source_that_goes_away_and_returns, an_edit_that_is_unclear_for_a_minute,
                before_its_beginning_it_waits, a_question_that_is_wrong_is_not_repeated)
