#include "ingest/timestamp.h"

#include "ingest/timestamp_fast.h"
#include "tests/unit/check_main.h"

#include <inttypes.h>
#include <stdio.h>

#define WHY_MAX 128

static const struct {
    const char *text;
    int64_t us;
} must_parse[] = {
    /* clang-format off */
    {"2016-05-28 11:11:11.123456", INT64_C(1464433871123456)},
    {"2016-05-28T11:11:11.123456", INT64_C(1464433871123456)},
    {"2016-05-28t11:11:11.123456", INT64_C(1464433871123456)},
    {"2016-05-28T11:11:11.123456Z", INT64_C(1464433871123456)},
    {"2016-05-28t11:11:11.123456z", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11.123456Z", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11", INT64_C(1464433871000000)},
    {"2016-05-28T11:11:11", INT64_C(1464433871000000)},
    {"2016-05-28T11:11:11Z", INT64_C(1464433871000000)},
    {"2016-05-28 11:11:11.1", INT64_C(1464433871100000)},
    {"2016-05-28 11:11:11.12", INT64_C(1464433871120000)},
    {"2016-05-28 11:11:11.123", INT64_C(1464433871123000)},
    {"2016-05-28 11:11:11.1234", INT64_C(1464433871123400)},
    {"2016-05-28 11:11:11.12345", INT64_C(1464433871123450)},
    {"2016-05-28 11:11:11.123456", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11.1234567", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11.12345678", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11.123456789", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11.999999999", INT64_C(1464433871999999)},  /* cut, not rounded */
    {"2016-05-28 11:11:11.000000", INT64_C(1464433871000000)},
    {"2016-05-28 11:11:11.000001", INT64_C(1464433871000001)},
    {"2016-05-28 11:11:11.999999", INT64_C(1464433871999999)},
    {"2016-05-28T13:11:11+02:00", INT64_C(1464433871000000)},
    {"2016-05-28T13:11:11.5+02:00", INT64_C(1464433871500000)},
    {"2016-05-28T03:41:11.123456-07:30", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11+00:00", INT64_C(1464433871000000)},
    {"2016-05-28 11:11:11-00:00", INT64_C(1464433871000000)},
    {"2016-05-28T00:00:00+23:59", INT64_C(1464307260000000)},
    {"2016-05-28T23:59:59-23:59", INT64_C(1464566339000000)},
    {"2016-01-01T00:30:00+01:00", INT64_C(1451604600000000)},  /* the year before */
    {"2015-12-31T23:30:00-01:00", INT64_C(1451608200000000)},  /* the year after */
    {"2016-05-28T13:11:11+0200", INT64_C(1464433871000000)},  /* date +%FT%T%z */
    {"2016-05-28T11:11:11+0000", INT64_C(1464433871000000)},
    {"2016-05-28 03:41:11.123456-0730", INT64_C(1464433871123456)},
    {"2016-05-28T13:11:11,123456789+02:00", INT64_C(1464433871123456)},  /* date -Ins */
    {"2016-05-28T11:11:11,123456789Z", INT64_C(1464433871123456)},
    {"2016-05-28 11:11:11,123", INT64_C(1464433871123000)},
    {"2016-05-28 11:11:11,123456", INT64_C(1464433871123456)},
    {"2016-05-28T11:11:11,123456+0000", INT64_C(1464433871123456)},
    {"1970-01-01 00:00:00", INT64_C(0)},
    {"1970-01-01T00:00:00.000001Z", INT64_C(1)},
    {"1969-12-31 23:59:59.999999", INT64_C(-1)},
    {"1969-12-31 23:59:59", INT64_C(-1000000)},
    {"1901-12-13 20:45:52", INT64_C(-2147483648000000)},
    {"2038-01-19 03:14:08.000000", INT64_C(2147483648000000)},  /* past 2^31 s */
    {"0000-01-01 00:00:00.000000", INT64_C(-62167219200000000)},  /* the year 0 is a leap year of 366 days */
    {"0000-02-29 00:00:00.000000", INT64_C(-62162121600000000)},
    {"0001-01-01 00:00:00.000000", INT64_C(-62135596800000000)},
    {"9999-12-31 23:59:59.999999", INT64_C(253402300799999999)},
    {"9999-12-31 23:59:59.999999-23:59", INT64_C(253402387139999999)},
    {"2016-02-29 00:00:00.000000", INT64_C(1456704000000000)},
    {"2000-02-29 12:00:00.000000", INT64_C(951825600000000)},
    {"2400-02-29 12:00:00.000000", INT64_C(13574606400000000)},
    {"2015-02-28 23:59:59.000000", INT64_C(1425167999000000)},
    {"2016-03-01 00:00:00.000000", INT64_C(1456790400000000)},
    {"1900-03-01 00:00:00.000000", INT64_C(-2203891200000000)},
    {"2015-01-31 00:00:00.000000", INT64_C(1422662400000000)},
    {"2015-03-31 00:00:00.000000", INT64_C(1427760000000000)},
    {"2015-04-30 00:00:00.000000", INT64_C(1430352000000000)},
    {"2015-05-31 00:00:00.000000", INT64_C(1433030400000000)},
    {"2015-06-30 00:00:00.000000", INT64_C(1435622400000000)},
    {"2015-07-31 00:00:00.000000", INT64_C(1438300800000000)},
    {"2015-08-31 00:00:00.000000", INT64_C(1440979200000000)},
    {"2015-09-30 00:00:00.000000", INT64_C(1443571200000000)},
    {"2015-10-31 00:00:00.000000", INT64_C(1446249600000000)},
    {"2015-11-30 00:00:00.000000", INT64_C(1448841600000000)},
    {"2015-12-31 00:00:00.000000", INT64_C(1451520000000000)},
    {"2016-05-28 00:00:00.000000", INT64_C(1464393600000000)},
    {"2016-05-28 23:59:59.999999", INT64_C(1464479999999999)},
    {"2016-05-28 19:59:59.999999", INT64_C(1464465599999999)},
    {"2016-05-28 20:00:00.000000", INT64_C(1464465600000000)},
    {"2016-12-31 23:59:60", INT64_C(1483228800000000)},  /* a leap second is the next second */
    {"2016-12-31 23:59:60.250000", INT64_C(1483228800250000)},
    {"2016-12-31T23:59:60.5Z", INT64_C(1483228800500000)},
    {"2016-12-31T15:59:60-08:00", INT64_C(1483228800000000)},  /* where it was at that time in another zone */
    {"2015-07-01T05:29:60+05:30", INT64_C(1435708800000000)},
    {"2016-05-28 11:11:60", INT64_C(1464433920000000)},  /* in any minute */
    {"2016-02-29 23:59:60.999999", INT64_C(1456790400999999)},
    {"0", INT64_C(0)},  /* seconds */
    {"5", INT64_C(5000000)},
    {"2016", INT64_C(2016000000)},  /* not a year */
    {"1464433871", INT64_C(1464433871000000)},
    {"1464433871.5", INT64_C(1464433871500000)},
    {"1464433871.123456", INT64_C(1464433871123456)},
    {"1464433871.123456789", INT64_C(1464433871123456)},
    {"0.000001", INT64_C(1)},
    {"2016.5", INT64_C(2016500000)},
    {"12345.1", INT64_C(12345100000)},
    {"99999999999", INT64_C(99999999999000000)},  /* the last second */
    {"99999999999.999999", INT64_C(99999999999999999)},
    {"100000000000", INT64_C(100000000000000)},  /* the first millisecond */
    {"1464433871123", INT64_C(1464433871123000)},
    {"99999999999999", INT64_C(99999999999999000)},  /* the last millisecond */
    {"100000000000000", INT64_C(100000000000000)},  /* the first microsecond */
    {"1464433871123456", INT64_C(1464433871123456)},
    {"99999999999999999", INT64_C(99999999999999999)},  /* the last microsecond */
    {"100000000000000000", INT64_C(100000000000000)},  /* the first nanosecond */
    {"1464433871123456789", INT64_C(1464433871123456)},
    {"9999999999999999999", INT64_C(9999999999999999)},  /* the most that fits 19 digits */
    {"0000000001464433871", INT64_C(1464433871000000)},
    /* clang-format on */
};

static const struct {
    const char *text;
    const char *why;
} must_not_parse[] = {
    /* clang-format off */
    {"", "empty, expected a timestamp"},
    {" ", "expected a digit at character 1, found ' '"},
    {"now", "expected a digit at character 1, found 'n'"},
    {"-1", "expected a digit at character 1, found '-'"},
    {"+1464433871", "expected a digit at character 1, found '+'"},
    {".5", "expected a digit at character 1, found '.'"},
    {"1e9", "expected a digit at character 2, found 'e'"},
    {"0x10", "expected a digit at character 2, found 'x'"},
    {" 2016-05-28 11:11:11", "expected a digit at character 1, found ' '"},
    {"2016-05-28 11:11:11 ", "expected '.', 'Z', an offset or the end at character 20, found ' '"},
    {"2016-05-28 11:11:11.123456 ", "expected a digit, 'Z', an offset or the end at character 27, found ' '"},
    {"2016-05-28 11:11:11.123456x", "expected a digit, 'Z', an offset or the end at character 27, found 'x'"},
    {"2016-05-28 11:11:11.123456\n", "expected a digit, 'Z', an offset or the end at character 27, found '\\x0a'"},
    {"2016x05-28 11:11:11.123456", "expected '-' at character 5, found 'x'"},
    {"2016/05/28 11:11:11.123456", "expected '-' at character 5, found '/'"},
    {"2016-05/28 11:11:11.123456", "expected '-' at character 8, found '/'"},
    {"2016-05-28_11:11:11.123456", "expected a blank or 'T' at character 11, found '_'"},
    {"2016-05-28\t11:11:11.123456", "expected a blank or 'T' at character 11, found '\\x09'"},
    {"2016-05-28  1:11:11.123456", "expected a digit at character 12, found ' '"},
    {"2016-05-28 11.11:11.123456", "expected ':' at character 14, found '.'"},
    {"2016-05-28 11:11;11.123456", "expected ':' at character 17, found ';'"},
    {"2016-05-28 11:11:11,1", "3, 6 or 9 digits must follow the comma at character 20, or write a point"},
    {"2016-05-28 11:11:11,12345", "3, 6 or 9 digits must follow the comma at character 20, or write a point"},
    {"2016-05-28 11:11:11,1234567Z", "3, 6 or 9 digits must follow the comma at character 20, or write a point"},
    {"2016-05-28 11:11:11,1234567890", "more than 9 digits after the point"},
    {"2016-05-28 11:11:11,", "expected a digit at character 21, but it ends there"},
    {"2016-05-28 11:11:11,abc", "expected a digit at character 21, found 'a'"},
    {"2016-05-28 11:11:11.123456,123", "expected a digit, 'Z', an offset or the end at character 27, found ','"},
    {"2016-05-28 11:11:11,123,200", "expected a digit, 'Z', an offset or the end at character 24, found ','"},
    {"1464433871,123", "expected a digit, '.' or the end at character 11, found ','"},
    {"2016-05-28T11:11:11+0", "expected a digit at character 22, but it ends there"},
    {"2016-05-28T11:11:11+000", "expected a digit at character 24, but it ends there"},
    {"2016-05-28T11:11:11+00000", "expected the end at character 25, found '0'"},
    {"2016-05-28T11:11:11+2400", "offset hour 24 is out of range"},
    {"2016-05-28T11:11:11+0060", "offset minute 60 is out of range"},
    {"2016-05-28 11:11:11.12345a", "expected a digit, 'Z', an offset or the end at character 26, found 'a'"},
    {"2016-05-28 11:11:11.-12345", "expected a digit at character 21, found '-'"},
    {"2016-05-28 11:11:1:.123456", "expected a digit at character 19, found ':'"},
    {"2016-05-28 11:11:1/.123456", "expected a digit at character 19, found '/'"},
    {"2016-05-2: 11:11:11.123456", "expected a digit at character 10, found ':'"},
    {"201a-05-28 11:11:11.123456", "expected a digit at character 4, found 'a'"},
    {"20\xc2\xb2" "6-05-28 11:11:11", "expected a digit at character 3, found '\\xc2'"},
    {"\xef\xbb\xbf" "2016-05-28 11:11:11", "expected a digit at character 1, found '\\xef'"},
    {"\x7f", "expected a digit at character 1, found '\\x7f'"},
    {"2016-00-28 11:11:11.123456", "month 0 is out of range"},
    {"2016-13-28 11:11:11.123456", "month 13 is out of range"},
    {"2016-99-99 99:99:99.999999", "month 99 is out of range"},
    {"2016-05-00 11:11:11.123456", "day 0 is out of range for 2016-05"},
    {"2016-05-32 11:11:11.123456", "day 32 is out of range for 2016-05"},
    {"2015-02-29 11:11:11.123456", "day 29 is out of range for 2015-02"},
    {"2015-02-30 11:11:11.123456", "day 30 is out of range for 2015-02"},
    {"2016-02-30 11:11:11.123456", "day 30 is out of range for 2016-02"},
    {"1900-02-29 11:11:11.123456", "day 29 is out of range for 1900-02"},
    {"2100-02-29 11:11:11.123456", "day 29 is out of range for 2100-02"},
    {"0001-02-29 11:11:11.123456", "day 29 is out of range for 0001-02"},
    {"2016-04-31 11:11:11.123456", "day 31 is out of range for 2016-04"},
    {"2016-06-31 11:11:11.123456", "day 31 is out of range for 2016-06"},
    {"2016-09-31 11:11:11.123456", "day 31 is out of range for 2016-09"},
    {"2016-11-31 11:11:11.123456", "day 31 is out of range for 2016-11"},
    {"2016-05-28 24:00:00.000000", "hour 24 is out of range"},
    {"2016-05-28 29:59:59.999999", "hour 29 is out of range"},
    {"2016-05-28 30:00:00.000000", "hour 30 is out of range"},
    {"2016-05-28 11:60:11.123456", "minute 60 is out of range"},
    {"2016-05-28 11:99:11.123456", "minute 99 is out of range"},
    {"2016-05-28 11:11:61.123456", "second 61 is out of range"},
    {"2016-05-28 11:11:99", "second 99 is out of range"},
    {"2016-05-28T11:11:11+24:00", "offset hour 24 is out of range"},
    {"2016-05-28T11:11:11-01:60", "offset minute 60 is out of range"},
    {"2016-05-28T11:11:11+01", "expected ':' or a digit at character 23, but it ends there"},
    {"2016-05-28T11:11:11+01.00", "expected ':' or a digit at character 23, found '.'"},
    {"2016-05-28T11:11:11+01:", "expected a digit at character 24, but it ends there"},
    {"2016-05-28T11:11:11+01:0", "expected a digit at character 25, but it ends there"},
    {"2016-05-28T11:11:11+01:00Z", "expected the end at character 26, found 'Z'"},
    {"2016-05-28T11:11:11Z+01:00", "expected the end at character 21, found '+'"},
    {"2016-05-28T11:11:11.123456ZZ", "expected the end at character 28, found 'Z'"},
    {"2016-05-28T11:11:11 +01:00", "expected '.', 'Z', an offset or the end at character 20, found ' '"},
    {"2016-05-28T11:11:11 UTC", "expected '.', 'Z', an offset or the end at character 20, found ' '"},
    {"2016-", "expected a digit at character 6, but it ends there"},
    {"2016-05", "expected '-' at character 8, but it ends there"},
    {"2016-05-2", "expected a digit at character 10, but it ends there"},
    {"2016-05-28", "expected a blank or 'T' at character 11, but it ends there"},
    {"2016-05-28T", "expected a digit at character 12, but it ends there"},
    {"2016-05-28 11", "expected ':' at character 14, but it ends there"},
    {"2016-05-28 11:11", "expected ':' at character 17, but it ends there"},
    {"2016-05-28 11:11:1", "expected a digit at character 19, but it ends there"},
    {"2016-05-28 11:11:11.", "expected a digit at character 21, but it ends there"},
    {"2016-05-28 11:11:11.Z", "expected a digit at character 21, found 'Z'"},
    {"2016-05-28 11:11:11.1234567890", "more than 9 digits after the point"},
    {"20160528T111111Z", "expected a digit, '.' or the end at character 9, found 'T'"},
    {"12016-05-28 11:11:11", "expected a digit, '.' or the end at character 6, found '-'"},
    {"216-05-28 11:11:11", "expected a digit at character 4, found '-'"},
    {"1464433871.", "expected a digit at character 12, but it ends there"},
    {"1464433871.x", "expected a digit at character 12, found 'x'"},
    {"1464433871.5.5", "expected a digit or the end at character 13, found '.'"},
    {"1464433871.1234567890", "more than 9 digits after the point"},
    {"1464433871 ", "expected a digit, '.' or the end at character 11, found ' '"},
    {"1464433871Z", "expected a digit, '.' or the end at character 11, found 'Z'"},
    {"1464433871123.5", "an epoch time has a fraction only in seconds, below 10^11"},
    {"100000000000.0", "an epoch time has a fraction only in seconds, below 10^11"},
    {"12345678901234567890", "more than 19 digits in an epoch time"},
    {"00000000000000000000", "more than 19 digits in an epoch time"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "more than 19 digits in an epoch time"},
    {"00000000000000000000000000000000000000000000000000000000000000000", "longer than 64 bytes"},
    /* clang-format on */
};

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

/* A parser must not look past the text, nor need a NUL: each text is parsed where the sanitizers
 * see its end. */
static bool parse_alone(const char *text, size_t len, int64_t *us, struct timestamp_error *error) {
    char *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    const bool good = timestamp_parse(copy, len, us, error);
    free(copy);
    return good;
}

START_TEST(what_must_parse) {
    for (size_t i = 0; i < COUNT_OF(must_parse); i++) {
        const char *text = must_parse[i].text;
        struct timestamp_error error;
        char why[WHY_MAX] = "";
        int64_t us;
        if (!parse_alone(text, strlen(text), &us, &error)) {
            timestamp_explain(&error, why, sizeof why);
            ck_abort_msg("%s is refused: %s", text, why);
        }
        ck_assert_msg(us == must_parse[i].us, "%s: %" PRId64 ", not %" PRId64, text, us,
                      must_parse[i].us);
    }
}
END_TEST

START_TEST(what_must_not_parse) {
    for (size_t i = 0; i < COUNT_OF(must_not_parse); i++) {
        const char *text = must_not_parse[i].text;
        struct timestamp_error error;
        char why[WHY_MAX];
        int64_t us = 4711;
        ck_assert_msg(!parse_alone(text, strlen(text), &us, &error), "%s is accepted", text);
        ck_assert_msg(us == 4711, "%s: the time was touched", text);
        const size_t len = timestamp_explain(&error, why, sizeof why);
        ck_assert_msg(strcmp(why, must_not_parse[i].why) == 0, "%s: \"%s\"", text, why);
        ck_assert_uint_eq(len, strlen(why));
    }
}
END_TEST

START_TEST(every_byte_in_every_place) {
    static const char good[] = "2016-05-28T11:11:11.123456Z";
    for (size_t len = sizeof good - 2; len < sizeof good; len++) {
        for (size_t i = 0; i < len; i++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[sizeof good], why[WHY_MAX];
                memcpy(text, good, sizeof good);
                text[i] = (char)byte;
                struct timestamp_error error;
                int64_t us = 0, plain_us = 0;
                const bool verdict = timestamp_parse(text, len, &us, &error);
                const bool plain = timestamp_parse_plain(text, len, &plain_us, &error);
                DEMAND(verdict == plain && us == plain_us, "byte %d at %zu", byte, i);
                for (size_t c = 0; !verdict && c < timestamp_explain(&error, why, sizeof why);
                     c++) {
                    DEMAND(why[c] >= ' ' && why[c] <= '~', "byte %d is echoed raw", byte);
                }
            }
        }
    }
}
END_TEST

START_TEST(a_sentence_is_cut_to_its_buffer) {
    struct timestamp_error error;
    int64_t us;
    char why[9] = "";
    ck_assert(!timestamp_parse("2016-13-28 11:11:11", 19, &us, &error));
    ck_assert_uint_eq(timestamp_explain(&error, why, sizeof why), 8);
    ck_assert_str_eq(why, "month 13");
    ck_assert_uint_eq(error.at, 5);
    ck_assert_uint_eq(timestamp_explain(&error, why, 1), 0);
    ck_assert_str_eq(why, "");
}
END_TEST

START_TEST(the_day_is_learnt_or_left_alone) {
    struct timestamp_day day;
    int64_t us = 4711;
    timestamp_day_begin(&day);
    ck_assert(!timestamp_fast_swar(&day, "1970-01-01T00:00:01.000002", &us));
    ck_assert(!timestamp_fast_swar(&day, "1970-01-02 00:00:01.000002", &us));
    ck_assert(timestamp_fast(&day, "1970-01-01 00:00:01.000002", &us));
    ck_assert_int_eq(us, 1000002);
    ck_assert(!timestamp_fast(&day, "1970-01-02 00:00:01.000002", &us));
    ck_assert(!timestamp_fast(&day, "1970-01-01T00:00:01.000002", &us));
    ck_assert(!timestamp_day_learn(&day, "1970-02-29 00:00:00.000000"));
    ck_assert(!timestamp_day_learn(&day, "1970-01-02_00:00:00.000000"));
    ck_assert(timestamp_fast(&day, "1970-01-01 00:00:00.000000", &us));
    ck_assert_int_eq(us, 0);
    ck_assert(timestamp_day_learn(&day, "1970-01-02T00:00:00.000000"));
    ck_assert(timestamp_fast(&day, "1970-01-02T23:59:59.999999", &us));
    ck_assert_int_eq(us, INT64_C(2) * 86400 * US_PER_S - 1);
}
END_TEST

/* xorshift64*: the same texts in every run. */
static uint64_t draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* A text that is right or nearly so: a random time written in one of the layouts, then up to three
 * places changed. */
static size_t draw_text(uint64_t *state, char text[TIMESTAMP_MAX]) {
    static const char likely[] = "0123456789999-::  TtZz.+-/;\n\r\\x";
    static const char *const layouts[] = {
        "%04u-%02u-%02u %02u:%02u:%02u.%06u",       "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
        "%04u-%02u-%02u %02u:%02u:%02u.%06u",       "%04u-%02u-%02ut%02u:%02u:%02u.%06uz",
        "%04u-%02u-%02uT%02u:%02u:%02u.%03u+01:30", "%04u-%02u-%02u %02u:%02u:%02u",
    };
    const uint64_t a = draw(state), b = draw(state);
    /* Every field may be one or two beyond its range. */
    const int len =
        snprintf(text, TIMESTAMP_MAX, layouts[a % COUNT_OF(layouts)], (unsigned)(a >> 8) % 10000,
                 (unsigned)(a >> 24) % 14, (unsigned)(a >> 32) % 33, (unsigned)(b >> 8) % 26,
                 (unsigned)(b >> 16) % 62, (unsigned)(b >> 24) % 62, (unsigned)(b >> 32) % 1000000);
    for (uint64_t changes = draw(state) % 6; changes > 2; changes--) {
        const uint64_t c = draw(state);
        text[(c >> 8) % (uint64_t)len] =
            c & 1 ? likely[(c >> 32) % (sizeof likely - 1)] : (char)(c >> 40);
    }
    return (size_t)len;
}

/* Three million texts: the quick way says what the plain one says, in both its variants; with a day
 * it has learnt from the text itself, and with one left over from an earlier text. */
START_TEST(fast_and_plain_agree) {
    uint64_t state = UINT64_C(0x20160528111111);
    uint64_t accepted = 0, fast_accepted = 0;
    struct timestamp_day left_over;
    timestamp_day_begin(&left_over);
    for (int i = 0; i < CHECK_TURNS(3000000); i++) {
        char text[TIMESTAMP_MAX];
        const size_t len = draw_text(&state, text);
        struct timestamp_error error;
        int64_t us = 1, plain_us = 1;
        const bool verdict = timestamp_parse(text, len, &us, &error);
        const bool plain = timestamp_parse_plain(text, len, &plain_us, &error);
        DEMAND(verdict == plain && us == plain_us, "%.*s", (int)len, text);
        accepted += verdict;
        if (len < TIMESTAMP_FAST_LEN) {
            continue;
        }
        const bool prefix_good = timestamp_parse_plain(text, TIMESTAMP_FAST_LEN, &plain_us, &error);
        struct timestamp_day day = left_over;
        const bool learnt = timestamp_day_learn(&day, text);
        int64_t fast_us = 1;
        const bool fast = timestamp_fast(&day, text, &fast_us);
        DEMAND(!prefix_good || learnt, "%.*s: day not learnt", (int)len, text);
        DEMAND(!fast || (prefix_good && fast_us == plain_us), "%.*s: fast alone accepts", (int)len,
               text);
        const bool other_layout = text[17] == '6' || text[19] != '.' || (text[25] | 0x20) == 'z' ||
                                  /* one digit, and an offset without a colon */
                                  text[21] == '+' || text[21] == '-';
        DEMAND(fast || !prefix_good || other_layout, "%.*s: fast refuses", (int)len, text);
        DEMAND(timestamp_fast_swar(&day, text, &us) == fast, "%.*s: SWAR differs", (int)len, text);
        DEMAND(!fast || us == fast_us, "%.*s: SWAR has another time", (int)len, text);
        const bool expected = fast && memcmp(left_over.prefix, text, TIMESTAMP_PREFIX_LEN) == 0;
        DEMAND(timestamp_fast(&left_over, text, &us) == expected, "%.*s: day left over", (int)len,
               text);
        DEMAND(timestamp_fast_swar(&left_over, text, &us) == expected, "%.*s: SWAR, day left over",
               (int)len, text);
        left_over = i % 7 == 0 ? day : left_over;
        fast_accepted += fast;
    }
    /* The test would be worth nothing if it only saw texts of one kind. */
    DEMAND(accepted > CHECK_TURNS(500000) && accepted < CHECK_TURNS(2500000),
           "%" PRIu64 " accepted", accepted);
    DEMAND(fast_accepted > CHECK_TURNS(300000), "%" PRIu64 " accepted by the fast way",
           fast_accepted);
}
END_TEST

CHECK_MAIN("timestamp", what_must_parse, what_must_not_parse, every_byte_in_every_place,
           a_sentence_is_cut_to_its_buffer, the_day_is_learnt_or_left_alone, fast_and_plain_agree)
