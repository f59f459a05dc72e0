/* A small program's flags: each type, in each way; what is said of those that are wrong; help. */
#include "common/options.h"
#include "common/version.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 80

struct settings {
    option_TEXT state;
    option_COUNT threads;
    option_SIZE max_body;
    option_DURATION horizon;
    option_RATE limit;
    option_CHOICE clock;
    option_SWITCH partial;
    option_LIST places;
    option_COUNT last;
};

enum { STATE, THREADS, MAX_BODY, HORIZON, LIMIT, CLOCK, PARTIAL, TITLE, PLACE, SERVER, LAST, ROWS };

#define AT(field) offsetof(struct settings, field)
/* The variables are those of aforod and aforo: others are refused. */
static const struct option_row rows[ROWS] = {
    [STATE] = {OPTION_TEXT, "state", "state", "DIR", "./here", 0, 0, "where it is", AT(state)},
    [THREADS] = {OPTION_COUNT, "threads", "threads", "N", "2", 0, 256, "how many", AT(threads)},
    [MAX_BODY] = {OPTION_SIZE, "max-body", "max-body", "SIZE", "1KiB", 64, 4096, "how large",
                  AT(max_body)},
    [HORIZON] = {OPTION_DURATION, "horizon", "horizon", "DUR", "1h", 1000000, 7200000000,
                 "how far back,\nand no farther", AT(horizon)},
    [LIMIT] = {OPTION_RATE, "limit", "", "N/s", "0", 0, 10, "how often", AT(limit)},
    [CLOCK] = {OPTION_CHOICE, "clock", "clock", "event|arrival|none", "event", 0, 0, "which time",
               AT(clock)},
    [PARTIAL] = {OPTION_SWITCH, "partial", "", "", "", 0, 0, "also those", AT(partial)},
    [TITLE] = {OPTION_HEADING, "", "", "", "", 0, 0, "From where", 0},
    [PLACE] = {OPTION_LIST, "redis", "redis", "URL", "", 7, 0, "a Redis", AT(places)},
    [SERVER] = {OPTION_LIST, "server", "server", "URL", "", 8, 0, "a server", AT(places)},
    [LAST] = {OPTION_COUNT, "last", "", "N", "", 1, 9, "how many at last", AT(last)},
};

static const struct options_program program = {.name = "tried",
                                               .row = rows,
                                               .rows = ROWS,
                                               .usage = "Usage: tried\n",
                                               .ends = "That is all.\n",
                                               .more = "",
                                               .column = 12};

static struct settings settings;
static struct options_said said;

/* Splits a command line at blanks ('_' stands for nothing) and parses it. */
static enum options_outcome parse(const char *line) {
    static char copy[4096];
    char *words[WORDS_MAX + 1];
    int n = 0;
    ck_assert_uint_lt(strlen(line), sizeof copy);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        ck_assert_int_lt(n, WORDS_MAX);
        words[n++] = strcmp(word, "_") == 0 ? word + 1 : word;
    }
    words[n] = NULL;
    memset(&settings, 0, sizeof settings);
    return options_parse(&program, n, words, &settings, &said);
}

START_TEST(defaults) {
    ck_assert_int_eq(parse("tried"), OPTIONS_RUN);
    ck_assert_str_eq(settings.state, "./here");
    ck_assert_int_eq(settings.threads, 2);
    ck_assert_int_eq(settings.max_body, 1024);
    ck_assert_int_eq(settings.horizon, INT64_C(3600000000));
    ck_assert_int_eq(settings.limit, 0);
    ck_assert_uint_eq(settings.clock, 0);
    ck_assert(!settings.partial);
    ck_assert_uint_eq(settings.places.n, 0);
    ck_assert_int_eq(settings.last, 0);
    ck_assert_uint_eq(said.given, 0);
    ck_assert_str_eq(said.why, "");
}
END_TEST

START_TEST(each_type_is_read) {
    ck_assert_int_eq(parse("tried --state a --threads=256 --max-body 64 --horizon 2h --limit 10/s "
                           "--clock none --partial --last 9 word"),
                     OPTIONS_RUN);
    ck_assert_str_eq(settings.state, "a");
    ck_assert_int_eq(settings.threads, 256);
    ck_assert_int_eq(settings.max_body, 64);
    ck_assert_int_eq(settings.horizon, INT64_C(7200000000));
    ck_assert_int_eq(settings.limit, 10);
    ck_assert_uint_eq(settings.clock, 2);
    ck_assert(settings.partial);
    ck_assert_int_eq(settings.last, 9);
    ck_assert_uint_eq(said.given, 1 << STATE | 1 << THREADS | 1 << MAX_BODY | 1 << HORIZON |
                                      1 << LIMIT | 1 << CLOCK | 1 << PARTIAL | 1 << LAST);
    ck_assert_int_eq(optind, 11 + 4); /* where the word is that is no flag */
}
END_TEST

START_TEST(lists_keep_their_order_and_their_flags) {
    ck_assert_int_eq(parse("tried --redis a --server b --redis c"), OPTIONS_RUN);
    ck_assert_uint_eq(settings.places.n, 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_str_eq(settings.places.text[i], ((const char *[]){"a", "b", "c"})[i]);
        ck_assert_int_eq(settings.places.kind[i], i == 1 ? 8 : 7);
    }
    char line[1024] = "tried";
    for (int i = 0; i < OPTIONS_LIST_MAX; i++) {
        strcat(line, " --redis=r");
    }
    ck_assert_int_eq(parse(line), OPTIONS_RUN);
    ck_assert_int_eq(parse(strcat(line, " --server=s")), OPTIONS_WRONG);
    ck_assert_str_eq(said.why, "--server: 64 of them at the most");
}
END_TEST

START_TEST(flags_beat_variables_and_those_the_defaults) {
    setenv("AFORO_THREADS", "3", 1);
    setenv("AFORO_MAX_BODY", "65", 1);
    setenv("AFORO_STATE", "", 1);
    setenv("AFORO_REDIS", "left to the program", 1);
    ck_assert_int_eq(parse("tried --threads 4"), OPTIONS_RUN);
    ck_assert_int_eq(settings.threads, 4);
    ck_assert_int_eq(settings.max_body, 65);
    ck_assert_str_eq(settings.state, "./here");
    ck_assert_uint_eq(settings.places.n, 0);
    ck_assert_str_eq(options_variable("redis"), "left to the program");
    ck_assert_ptr_null(options_variable("state"));
    setenv("AFORO_MAX_BODY", "63", 1);
    ck_assert_int_eq(parse("tried"), OPTIONS_WRONG);
    ck_assert_str_eq(said.why, "AFORO_MAX_BODY: 63 is out of range (64 B to 4 KiB)");
    ck_assert_int_eq(parse("tried --help"), OPTIONS_HELP); /* it answers all the same */
    setenv("AFORO_MAX_BODY", "64", 1);
    setenv("AFORO_MAX_BODI", "64", 1);
    ck_assert_int_eq(parse("tried"), OPTIONS_WRONG);
    ck_assert_str_eq(said.why, "AFORO_MAX_BODI: no such variable; did you mean AFORO_MAX_BODY?");
}
END_TEST

START_TEST(what_is_wrong_is_named) {
    static const char *const wrong[][2] = {
        {"--threads x", "--threads: 'x' is not a whole number"},
        {"--threads 257", "--threads: 257 is out of range (0 to 256)"},
        {"--max-body 63", "--max-body: 63 is out of range (64 B to 4 KiB)"},
        {"--max-body 5k", "--max-body: 5k is out of range (64 B to 4 KiB)"},
        {"--horizon 5", "--horizon: '5' is not a duration such as 100ms, 10s, 5m, 1h, 7d"},
        {"--horizon 999ms", "--horizon: 999ms is out of range (1 s to 2 h)"},
        {"--limit 5", "--limit: '5' is not a rate such as 100/s"},
        {"--limit 11/s", "--limit: 11/s is out of range (0 to 10/s)"},
        {"--clock wall", "--clock: 'wall' is none of event, arrival, none"},
        {"--clock nonne", "--clock: 'nonne' is none of event, arrival, none; did you mean none?"},
        {"--clock even", "--clock: 'even' is none of event, arrival, none; did you mean event?"},
        {"--clock _", "--clock: '' is none of event, arrival, none"},
        {"--state _", "--state: is empty: say which DIR, or leave it out"},
        {"--redis _", "--redis: is empty: say which URL, or leave it out"},
        {"--last 0", "--last: 0 is out of range (1 to 9)"},
        {"--partial=1", "--partial=1: takes no value; see --help"},
        {"--last", "--last: needs a value; see --help"},
        {"--colour", "--colour: no such flag; see --help"},
        {"--stat x --threds 1", "--threds: no such flag; did you mean --threads?"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[128];
        snprintf(line, sizeof line, "tried %s", wrong[i][0]);
        ck_assert_msg(parse(line) == OPTIONS_WRONG, "%s was taken", line);
        ck_assert_str_eq(said.why, wrong[i][1]);
    }
}
END_TEST

/* Of "-hz" nothing is read behind the h: the z is not the next command line's. */
START_TEST(each_command_line_is_read_from_its_start) {
    ck_assert_int_eq(parse("tried -hz"), OPTIONS_HELP);
    ck_assert_int_eq(parse("tried --version"), OPTIONS_VERSION);
    ck_assert_int_eq(parse("tried --threads 4"), OPTIONS_RUN);
    ck_assert_int_eq(settings.threads, 4);
}
END_TEST

START_TEST(a_long_value_is_cut) {
    char line[1024] = "tried --threads ";
    memset(line + strlen(line), '1', 900);
    ck_assert_int_eq(parse(line), OPTIONS_WRONG);
    ck_assert_uint_lt(strlen(said.why), OPTIONS_WHY_MAX);
    ck_assert_ptr_nonnull(strstr(said.why, "is not a whole number"));
}
END_TEST

/* What is printed, as a string that the next call overwrites. */
static const char *printed(const struct options_program *of, enum options_outcome outcome) {
    static char text[8192];
    FILE *out = fmemopen(text, sizeof text, "w");
    ck_assert(out && options_print(of, outcome, out));
    fclose(out);
    return text;
}

START_TEST(help_comes_from_the_list) {
    static const char flags[] = "  --state DIR  where it is [./here]\n"
                                "  --threads N  how many [2]\n"
                                "  --max-body SIZE how large [1KiB]\n"
                                "  --horizon DUR how far back,\n"
                                "               and no farther [1h]\n"
                                "  --limit N/s  how often [0]\n"
                                "  --clock event|arrival|none which time [event]\n"
                                "  --partial    also those\n"
                                "From where\n"
                                "  --redis URL  a Redis\n"
                                "  --server URL a server\n"
                                "  --last N     how many at last\n";
    char whole[2048];
    snprintf(whole, sizeof whole, "Usage: tried\n%sThat is all.\n", flags);
    ck_assert_str_eq(printed(&program, OPTIONS_HELP), whole);
    ck_assert_str_eq(printed(&program, OPTIONS_HELP_ALL), whole);
    snprintf(whole, sizeof whole, "tried %s\n", version_text());
    ck_assert_str_eq(printed(&program, OPTIONS_VERSION), whole);
}
END_TEST

START_TEST(lists_are_for_machines) {
    struct options_program longer = program;
    longer.usage = "Usage: tried\n\nTries.\n";
    longer.more = "More\n  of it\n";
    ck_assert_str_eq(printed(&longer, OPTIONS_LISTS),
                     "U\tUsage: tried\nU\t\nU\tTries.\n"
                     "F\tstate\tDIR\t./here\tAFORO_STATE\twhere it is\n"
                     "F\tthreads\tN\t2\tAFORO_THREADS\thow many\n"
                     "F\tmax-body\tSIZE\t1KiB\tAFORO_MAX_BODY\thow large\n"
                     "F\thorizon\tDUR\t1h\tAFORO_HORIZON\thow far back, and no farther\n"
                     "F\tlimit\tN/s\t0\t\thow often\n"
                     "F\tclock\tevent|arrival|none\tevent\tAFORO_CLOCK\twhich time\n"
                     "F\tpartial\t\t\t\talso those\n"
                     "H\tFrom where\n"
                     "F\tredis\tURL\t\tAFORO_REDIS\ta Redis\n"
                     "F\tserver\tURL\t\tAFORO_SERVER\ta server\n"
                     "F\tlast\tN\t\t\thow many at last\n"
                     "M\tMore\nM\t  of it\n");
    ck_assert_int_eq(parse("tried --help-lists"), OPTIONS_LISTS);
}
END_TEST

/* With less room a row that does not fit is named, and a heading with nothing below it left out. */
START_TEST(help_that_is_too_long_names_the_rest) {
    struct options_program longer = program;
    longer.usage = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
    ck_assert_ptr_nonnull(strstr(printed(&longer, OPTIONS_HELP),
                                 "  --partial    also those\n"
                                 "More: --redis URL  --server URL  --last N\nThat is all.\n"));
    longer.more = "And so on.\n";
    ck_assert_ptr_nonnull(
        strstr(printed(&longer, OPTIONS_HELP_ALL),
               "More: --redis URL  --server URL  --last N\nThat is all.\n\nFrom where\n"
               "  --redis URL  a Redis\n  --server URL a server\n  --last N     how many at last\n"
               "And so on.\n"));
    longer.more = "";
    ck_assert_ptr_null(strstr(printed(&longer, OPTIONS_HELP_ALL), "More:"));
}
END_TEST

/* Of the lines of names each is as full as 80 columns permit. */
START_TEST(names_fill_their_lines) {
    struct options_program longer = program;
    longer.usage = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";
    ck_assert_ptr_nonnull(
        strstr(printed(&longer, OPTIONS_HELP),
               "20\n"
               "More: --state DIR [./here]  --threads N [2]  --max-body SIZE [1KiB]\n"
               "      --horizon DUR [1h]  --limit N/s [0]  --clock event|arrival|none [event]\n"
               "      --partial  --redis URL  --server URL  --last N\nThat is all.\n"));
}
END_TEST

START_TEST(what_cannot_be_printed_is_told) {
    FILE *full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    ck_assert(!options_print(&program, OPTIONS_HELP, full));
    fclose(full);
}
END_TEST

CHECK_MAIN("options", defaults, each_type_is_read, lists_keep_their_order_and_their_flags,
           flags_beat_variables_and_those_the_defaults, what_is_wrong_is_named,
           each_command_line_is_read_from_its_start, a_long_value_is_cut, help_comes_from_the_list,
           lists_are_for_machines, help_that_is_too_long_names_the_rest, names_fill_their_lines,
           what_cannot_be_printed_is_told)
