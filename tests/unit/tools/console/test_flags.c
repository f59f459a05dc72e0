#include "tools/console/flags.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 20
#define NOW_US INT64_C(1464433871123456) /* 2016-05-28 11:11:11.123456 */

/* Splits a command line at blanks ('_' stands for a blank inside a word) and reads it. */
static enum options_outcome read_line(const char *line, struct flags *flags, char *why) {
    static char copy[512]; /* flags->place points into it */
    char *words[WORDS_MAX + 1];
    int n = 0;
    ck_assert_uint_lt(strlen(line), sizeof copy);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        ck_assert_int_lt(n, WORDS_MAX);
        for (char *c = word; *c != '\0'; c++)
            *c = *c == '_' ? ' ' : *c;
        words[n++] = word;
    }
    words[n] = NULL;
    return flags_read(n, words, NOW_US, flags, why);
}

static struct flags good(const char *line) {
    struct flags flags;
    char why[FLAGS_WHY_MAX] = "";
    ck_assert_msg(read_line(line, &flags, why) == OPTIONS_RUN, "%s: %s", line, why);
    return flags;
}

START_TEST(defaults) {
    const struct flags flags = good("aforo 1s");
    ck_assert_int_eq(flags.query.resolution, RESOLUTION_1S);
    ck_assert_int_eq(flags.query.last, 60);
    ck_assert_int_le(flags.query.from_us, 0);
    ck_assert(flags.query.to_us == QUERY_TO_NONE);
    ck_assert(!flags.query.partial && !flags.follow);
    ck_assert_int_eq(flags.format, ROWS_TEXT);
    ck_assert_int_eq(flags.source, SOURCE_BY_DEFAULT);
    ck_assert_int_eq(flags.horizon_us, INT64_C(3600000000));
    ck_assert_int_eq(flags.timeout_us, INT64_C(2000000));
}
END_TEST

START_TEST(every_flag_is_taken) {
    struct flags flags =
        good("aforo --last=7 --from 2016-05-28_11:11:11.5 --to=2016-05-28T11:11:12Z --partial "
             "--format json --server http://h:1 --timeout 250ms --horizon 2h 10ms");
    ck_assert_int_eq(flags.query.resolution, RESOLUTION_10MS);
    ck_assert_int_eq(flags.query.last, 7);
    ck_assert_int_eq(flags.query.from_us, INT64_C(1464433871500000));
    ck_assert_int_eq(flags.query.to_us, INT64_C(1464433872000000));
    ck_assert(flags.query.partial);
    ck_assert_int_eq(flags.format, ROWS_JSON);
    ck_assert_int_eq(flags.source, SOURCE_SERVER);
    ck_assert_str_eq(flags.place[0], "http://h:1");
    ck_assert_int_eq(flags.timeout_us, 250000);
    ck_assert_int_eq(flags.horizon_us, INT64_C(7200000000));
    flags = good("aforo 1min --follow --redis redis://r");
    ck_assert(flags.follow);
    ck_assert_int_eq(flags.source, SOURCE_REDIS);
    flags = good("aforo --state d 1min --from 2016-05-28_11:11:11");
    ck_assert_int_eq(flags.source, SOURCE_STATE);
    ck_assert_int_eq(flags.query.last, 0); /* a beginning is given: the span is the limit */
    ck_assert_int_eq(good("aforo 1s --to 2016-05-28_11:11:11").query.last, 0);
    ck_assert_int_eq(good("aforo 1s --to 2016-05-28_11:11:11 --last 60").query.last, 60);
    flags = good("aforo report a --follow"); /* its first window */
    ck_assert(flags.follow && !flags.report.window);
}
END_TEST

static const struct {
    const char *line, *named; /* the sentence must name this */
} wrong[] = {
    {"aforo", "10ms, 1s or 1min"},
    {"aforo 5s", "'5s'"},
    {"aforo 1s 1min", "'1min'"},
    {"aforo 1s --from 2016-05-28 08:31", "quotes"}, /* as a shell splits it */
    {"aforo 1s --from -1", "-30s"},
    {"aforo 1s --from 2016-05-28T", "--from"},
    {"aforo 1s --to tomorrow", "--to: 'tomorrow'"},
    {"aforo 1s --from -1h --to -2h", "--to"},
    {"aforo 1s --total --follow", "--total and --follow"},
    {"aforo 1s --total --format csv", "--total and --format"},
    {"aforo totals", "'totals'"},
    {"aforo totl", "; did you mean total?"},
    {"aforo bakcup a b", "; did you mean backup?"},
    {"aforo --last 3 backup", "backup:"},
    {"aforo 1s --format jsn", "; did you mean json?"},
    {"aforo 1s --redis=", "--redis: is empty"},
    {"aforo total --last 3", "total:"},
    {"aforo total --follow", "total:"},
    {"aforo total --partial", "total:"},
    {"aforo total --from -1h --to -2h", "--to"},
    {"aforo status --last 3", "status:"},
    {"aforo status --from -1h", "status:"},
    {"aforo status --local", "status:"},
    {"aforo status --redis redis://r", "--server"},
    {"aforo 1s --server http://a --server http://b", "'http://a' and 'http://b'"},
    {"aforo total --redis redis://a --redis redis://b", "one source"},
    {"aforo total --redis redis://a --state b", "--redis and --state"},
    {"aforo check --last 3", "check:"},
    {"aforo check --redis redis://a --redis redis://b", "--redis"},
    {"aforo report", "aforo reports lists them"},
    {"aforo report a b", "'a' and 'b'"},
    {"aforo repots", "; did you mean reports?"},
    {"aforo 1s --top 3", "aforo report NAME"},
    {"aforo total --where a=b", "aforo report NAME"},
    {"aforo reports --where a=b", "reports:"},
    {"aforo reports --follow", "reports:"},
    {"aforo reports --format csv", "text or json"},
    {"aforo report a --total", "--total"},
    {"aforo report a --by count", "--top N"},
    {"aforo report a --top 0", "--top"},
    {"aforo report a --window 7s", "'7s' is no window"},
    {"aforo report a --follow --window 1min --partial", "--follow and --partial"},
    {"aforo report a --server http://a --server http://b", "--redis URL"},
    {"aforo reports --server http://a --server http://b", "one source"},
    {"aforo 1s --last", "--last"},
    {"aforo 1s --last 0", "--last"},
    {"aforo 1s --last -1", "--last"},
    {"aforo 1s --last 80abc", "--last"},
    {"aforo 1s --last 1000000001", "--last"},
    {"aforo 1s --last 99999999999999999999", "--last"},
    {"aforo 1s --from yesterday", "--from"},
    {"aforo 1s --to 2016-13-01_00:00:00", "--to"},
    {"aforo 1s --from 2016-05-28_11:11:11 --to 2016-05-28_11:11:10", "--to"},
    {"aforo 1s --format xml", "--format"},
    {"aforo 1s --timeout 5", "--timeout"},
    {"aforo 1s --timeout 0s", "--timeout"},
    {"aforo 1s --timeout 9999999999999999999s", "--timeout"},
    {"aforo 1s --horizon 25h", "--horizon"},
    {"aforo 1s --redis a --server b", "--server"},
    {"aforo 1s --state=", "--state"},
    {"aforo 1s --token-file=", "--token-file"},
    {"aforo 1s --ca-file=", "--ca-file"},
    {"aforo 1s --colour", "--colour"},
    {"aforo 1s -x", "-x"},
    {"aforo 1s --partial=1", "--partial"},
    {"aforo 1s --follow --partial", "--follow and --partial"},
    {"aforo 1s --follow --to 2016-05-28_11:11:11", "--follow and --to"},
};

START_TEST(what_is_wrong_is_named) {
    struct flags flags;
    char why[FLAGS_WHY_MAX] = "";
    ck_assert_msg(read_line(wrong[_i].line, &flags, why) == OPTIONS_WRONG, "%s was taken",
                  wrong[_i].line);
    ck_assert_msg(strstr(why, wrong[_i].named) != NULL, "%s: \"%s\" does not name it",
                  wrong[_i].line, why);
    ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

static int64_t from_us(const char *line) {
    return good(line).query.from_us;
}

START_TEST(times_are_those_of_people) {
    const int64_t day_us = INT64_C(1464393600000000), minute_us = INT64_C(1464433860000000);
    ck_assert_int_eq(from_us("aforo 1s --from now"), NOW_US);
    ck_assert_int_eq(from_us("aforo 1s --from today"), day_us);
    ck_assert_int_eq(from_us("aforo 1s --from 2016-05-28"), day_us);
    ck_assert_int_eq(from_us("aforo 1s --from 2016-05-28_11:11"), minute_us);
    ck_assert_int_eq(from_us("aforo 1s --from 2016-05-28T11:11"), minute_us);
    ck_assert_int_eq(from_us("aforo 1s --from -1h"), minute_us - 3600 * US_PER_S);
    ck_assert_int_eq(from_us("aforo 1s --from=-7d"), minute_us - 7 * 86400 * US_PER_S);
    ck_assert_int_eq(from_us("aforo 1s --from -5m"), NOW_US - NOW_US % US_PER_S - 300 * US_PER_S);
    ck_assert_int_eq(from_us("aforo 1s --from -500ms"), NOW_US - 500000);
    ck_assert_int_eq(from_us("aforo 1s --from 0"), 0);
    ck_assert_int_lt(from_us("aforo 1s --from -40000d"), 0);
    ck_assert_int_eq(good("aforo 1s --from -1h --to now").query.to_us, NOW_US);
    /* a beginning was given, though it bounds nothing */
    ck_assert_int_eq(good("aforo 1s --from 0").query.last, 0);
    ck_assert_int_eq(good("aforo 1s --from 1969-12-31").query.last, 0);
}
END_TEST

START_TEST(local_times_are_of_this_machines_zone) {
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    const int64_t utc_us = INT64_C(1464433871000000);
    ck_assert_int_eq(from_us("aforo 1s --local --from 2016-05-28_13:11:11"), utc_us);
    /* in either order */
    ck_assert_int_eq(from_us("aforo 1s --from 2016-05-28_13:11:11 --local"), utc_us);
    ck_assert_int_eq(from_us("aforo 1s --local --from 2016-05-28T11:11:11Z"), utc_us);
    ck_assert_int_eq(from_us("aforo 1s --local --from 2016-05-28T11:11:11.000+00:00"), utc_us);
    ck_assert_int_eq(from_us("aforo 1s --local --from 1464433871"), utc_us);
    ck_assert_int_eq(from_us("aforo 1s --from 2016-05-28_11:11:11"), utc_us);
    /* winter */
    ck_assert_int_eq(from_us("aforo 1s --local --from 2016-01-28_12:11:11.25"),
                     INT64_C(1453979471250000));
    ck_assert_int_eq(from_us("aforo 1s --local --from 2016-05-28"), INT64_C(1464386400000000));
    ck_assert_int_eq(from_us("aforo 1s --local --from today"), INT64_C(1464386400000000));
    unsetenv("TZ");
}
END_TEST

START_TEST(commands_are_taken) {
    ck_assert_int_eq(good("aforo 1s").command, COMMAND_ROWS);
    ck_assert(good("aforo 1s --total").total);
    struct flags flags = good("aforo total --from -1h --redis redis://r");
    ck_assert_int_eq(flags.command, COMMAND_TOTAL);
    ck_assert_int_eq(good("aforo total").query.last, QUERY_LAST_DEFAULT); /* not looked at */
    flags = good("aforo status --server http://a --server http://b --timeout 1s");
    ck_assert_int_eq(flags.command, COMMAND_STATUS);
    ck_assert_uint_eq(flags.places, 2);
    ck_assert_str_eq(flags.place[1], "http://b");
    ck_assert_uint_eq(good("aforo status").places, 0);
    flags = good(
        "aforo check --server http://a --state s --server http://b --redis redis://r --from -1h");
    ck_assert_int_eq(flags.command, COMMAND_CHECK);
    ck_assert_uint_eq(flags.places, 4);
    ck_assert_int_eq(flags.kind[1], SOURCE_STATE);
    ck_assert_int_eq(flags.kind[3], SOURCE_REDIS);
}
END_TEST

START_TEST(reports_are_asked_in_words) {
    struct flags flags = good("aforo report billing --window 1min --where flight=A_B --top 20 --by "
                              "sum(seconds) --where client=7 --last 3 --redis redis://r");
    ck_assert_int_eq(flags.command, COMMAND_REPORT);
    ck_assert_str_eq(flags.report.name, "billing");
    ck_assert_str_eq(flags.report.window, "1min");
    ck_assert_uint_eq(flags.report.wheres, 2);
    ck_assert_str_eq(flags.report.where[0], "flight=A B");
    ck_assert_str_eq(flags.report.where[1], "client=7");
    ck_assert_int_eq(flags.report.top, 20);
    ck_assert_str_eq(flags.report.by, "sum(seconds)");
    ck_assert_int_eq(flags.query.last, 3);
    ck_assert_uint_eq(flags.places, 1);
    flags = good("aforo report billing");
    ck_assert_ptr_null(flags.report.window);
    ck_assert_ptr_null(flags.report.by);
    ck_assert_int_eq(flags.report.top, 0);
    ck_assert_int_eq(flags.query.last, QUERY_LAST_DEFAULT);
    ck_assert_int_eq(good("aforo reports --format json --state d").command, COMMAND_REPORTS);
    ck_assert_ptr_null(good("aforo 1s").report.name);
}
END_TEST

START_TEST(help_and_version_come_first) {
    struct flags flags;
    char why[FLAGS_WHY_MAX];
    ck_assert_int_eq(read_line("aforo --help", &flags, why), OPTIONS_HELP);
    ck_assert_int_eq(read_line("aforo -h", &flags, why), OPTIONS_HELP);
    ck_assert_int_eq(read_line("aforo --help-all", &flags, why), OPTIONS_HELP_ALL);
    ck_assert_int_eq(read_line("aforo --version", &flags, why), OPTIONS_VERSION);
}
END_TEST

/* What it prints, which the caller frees. */
static char *printed(enum options_outcome outcome) {
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    ck_assert(out != NULL && flags_print(outcome, out));
    fclose(out);
    return text;
}

/* How many lines; none is longer than `most`. */
static int count_lines(const char *text, int most) {
    int lines = 0, column = 0;
    for (; *text != '\0'; text++) {
        column = *text == '\n' ? 0 : column + 1;
        lines += *text == '\n';
        ck_assert_int_le(column, most);
    }
    return lines;
}

START_TEST(help_fits_a_screen) {
    char *help = printed(OPTIONS_HELP), *all = printed(OPTIONS_HELP_ALL);
    ck_assert_int_lt(count_lines(help, 80), 24);
    ck_assert_int_gt(count_lines(all, 90), 24);
    ck_assert_int_eq(strncmp(all, help, strlen(help)), 0);
    free(help);
    free(all);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("flags");
    TCase *tcase = tcase_create("flags");
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, every_flag_is_taken);
    tcase_add_loop_test(tcase, what_is_wrong_is_named, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(tcase, times_are_those_of_people);
    tcase_add_test(tcase, local_times_are_of_this_machines_zone);
    tcase_add_test(tcase, commands_are_taken);
    tcase_add_test(tcase, reports_are_asked_in_words);
    tcase_add_test(tcase, help_and_version_come_first);
    tcase_add_test(tcase, help_fits_a_screen);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
