/* The words of aforod's choices are read as what the program calls them, and each default is one
 * that the flag itself takes. */
#include "server/options.h"
#include "server/process/banner.h"
#include "server/process/log.h"
#include "tests/unit/check_main.h"

#include <string.h>

static struct options options;
static struct options_said said;

static void read_one(const char *word) {
    char copy[64];
    ck_assert_uint_lt(strlen(word), sizeof copy);
    char *words[] = {(char[]){"aforod"}, strcpy(copy, word), NULL};
    ck_assert_msg(options_read(2, words, &options, &said) == OPTIONS_RUN, "%s: %s", word, said.why);
}

START_TEST(choices) {
    const struct {
        const char *word;
        const option_CHOICE *field;
        unsigned is;
    } rows[] = {{"--clock=event", &options.clock, CLOCK_EVENT},
                {"--clock=arrival", &options.clock, CLOCK_ARRIVAL},
                {"--sandbox=on", &options.sandbox, SANDBOX_ON},
                {"--sandbox=off", &options.sandbox, SANDBOX_OFF},
                {"--log-level=error", &options.log_level, LOG_ERROR},
                {"--log-level=warn", &options.log_level, LOG_WARN},
                {"--log-level=info", &options.log_level, LOG_INFO},
                {"--log-level=debug", &options.log_level, LOG_DEBUG},
                {"--banner=auto", &options.banner, BANNER_AUTO},
                {"--banner=on", &options.banner, BANNER_ON},
                {"--banner=off", &options.banner, BANNER_OFF}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        read_one(rows[i].word);
        ck_assert_msg(*rows[i].field == rows[i].is, "%s is %u", rows[i].word, *rows[i].field);
    }
}
END_TEST

START_TEST(defaults_of_choices) {
    read_one("--threads=1");
    ck_assert_uint_eq(options.clock, CLOCK_EVENT);
    ck_assert_uint_eq(options.sandbox, SANDBOX_ON);
    ck_assert_uint_eq(options.log_level, LOG_INFO);
    ck_assert_uint_eq(options.banner, BANNER_AUTO);
}
END_TEST

/* set_defaults asserts it of each. */
START_TEST(every_default_is_one_that_the_flag_takes) {
    read_one("--grace=1s");
    ck_assert_int_eq(options.grace, 1000000);
    ck_assert_int_eq(options.horizon, INT64_C(3600000000));
    ck_assert_str_eq(options.redis, "");
}
END_TEST

START_TEST(a_word_that_is_no_flag) {
    char *words[] = {(char[]){"aforod"}, (char[]){"extra"}, NULL};
    ck_assert_int_eq(options_read(2, words, &options, &said), OPTIONS_WRONG);
    ck_assert_str_eq(said.why, "extra: unexpected argument; see --help");
}
END_TEST

CHECK_MAIN("server_options", choices, defaults_of_choices, every_default_is_one_that_the_flag_takes,
           a_word_that_is_no_flag)
