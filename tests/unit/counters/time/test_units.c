#include "counters/time/units.h"

#include "tests/unit/check_main.h"

struct sample {
    const char *text;
    int64_t value; /* -1: refused */
};

#define WHOLE(of, samples)                                                                         \
    for (size_t i = 0; i < sizeof(samples) / sizeof *(samples); i++) {                             \
        int64_t value = -1;                                                                        \
        const bool taken = of((samples)[i].text, &value);                                          \
        ck_assert_msg(value == (samples)[i].value && taken == (value >= 0), "'%s': %lld",          \
                      (samples)[i].text, (long long)value);                                        \
    }

START_TEST(durations) {
    static const struct sample samples[] = {{"100us", 100},
                                            {"10ms", 10000},
                                            {"0s", 0},
                                            {"0", 0},
                                            {"5m", INT64_C(300000000)},
                                            {"5min", INT64_C(300000000)},
                                            {"1h", INT64_C(3600000000)},
                                            {"7d", INT64_C(604800000000)},
                                            {"106751991d", INT64_C(106751991) * 86400000000},
                                            {"106751992d", -1},
                                            {"99999999999999999999s", -1},
                                            {"", -1},
                                            {"10", -1},
                                            {"s", -1},
                                            {"-1s", -1},
                                            {"+1s", -1},
                                            {"1.5s", -1},
                                            {" 1s", -1},
                                            {"1s ", -1},
                                            {"1S", -1},
                                            {"1ss", -1},
                                            {"0x1s", -1}};
    WHOLE(units_duration, samples)
}
END_TEST

START_TEST(sizes) {
    static const struct sample samples[] = {{"0", 0},
                                            {"123", 123},
                                            {"123B", 123},
                                            {"4KiB", 4096},
                                            {"64MiB", 64 << 20},
                                            {"1GiB", 1 << 30},
                                            {"1kib", -1},
                                            {"1k", 1024},
                                            {"1K", 1024},
                                            {"64M", 64 << 20},
                                            {"1G", 1 << 30},
                                            {"1T", INT64_C(1) << 40},
                                            {"1TiB", INT64_C(1) << 40},
                                            {"1kB", 1000},
                                            {"1KB", 1000},
                                            {"64MB", 64000000},
                                            {"1GB", 1000000000},
                                            {"1TB", INT64_C(1000000000000)},
                                            {"64m", -1}, /* of a duration it is minutes */
                                            {"64mb", -1},
                                            {"64Mi", -1},
                                            {"64Mb", -1},
                                            {"8388608T", -1},
                                            {"1e6", -1},
                                            {"-1", -1},
                                            {"", -1},
                                            {"9223372036854775807", INT64_MAX},
                                            {"9223372036854775808", -1},
                                            {"8589934592GiB", -1}};
    WHOLE(units_size, samples)
}
END_TEST

START_TEST(rates_and_bare_numbers) {
    static const struct sample rates[] = {
        {"100/s", 100}, {"0", 0}, {"100", -1}, {"100/m", -1}, {"/s", -1}};
    static const struct sample numbers[] = {
        {"0", 0}, {"100", 100}, {"100/s", -1}, {"ten", -1}, {"", -1}};
    WHOLE(units_rate, rates)
    WHOLE(units_none, numbers)
}
END_TEST

struct said {
    int64_t number;
    const char *text;
};

#define SAYS(of, samples)                                                                          \
    for (size_t i = 0; i < sizeof(samples) / sizeof *(samples); i++) {                             \
        char text[UNITS_SAY_MAX];                                                                  \
        ck_assert_str_eq(of((samples)[i].number, text, sizeof text), (samples)[i].text);           \
    }

START_TEST(said_for_people) {
    static const struct said spans[] = {{0, "0 s"},
                                        {1, "1 us"},
                                        {1000, "1 ms"},
                                        {1250, "1 ms 250 us"},
                                        {1000000, "1 s"},
                                        {3250000, "3 s 250 ms"},
                                        {59999999, "59 s 999 ms"},
                                        {INT64_C(3600000000), "1 h"},
                                        {INT64_C(3603000000), "1 h"},
                                        {INT64_C(3780000000), "1 h 3 min"},
                                        {INT64_C(86400000000), "24 h"},
                                        {INT64_C(172800000000), "2 d"},
                                        {INT64_C(180000000000), "2 d 2 h"},
                                        {INT64_C(315360000000000), "3650 d"},
                                        {INT64_MAX, "106751991 d 4 h"}};
    static const struct said amounts[] = {{0, "0 B"},
                                          {64, "64 B"},
                                          {1000, "1000 B"},
                                          {1024, "1 KiB"},
                                          {1536, "1536 B"},
                                          {64 << 20, "64 MiB"},
                                          {1 << 30, "1 GiB"},
                                          {INT64_C(1) << 40, "1 TiB"},
                                          {INT64_MAX, "9223372036854775807 B"}};
    SAYS(units_say_duration, spans)
    SAYS(units_say_size, amounts)
}
END_TEST

CHECK_MAIN("units", durations, sizes, rates_and_bare_numbers, said_for_people)
