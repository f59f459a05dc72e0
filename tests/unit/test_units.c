#include "counters/units.h"

#include "tests/unit/check_main.h"

struct sample {
    const char *text;
    int64_t value; /* -1: refused */
};

#define WHOLE(of, samples)                                                                                   \
    for (size_t i = 0; i < sizeof(samples) / sizeof *(samples); i++) {                                       \
        int64_t value = -1;                                                                                  \
        const bool taken = of((samples)[i].text, &value);                                                    \
        ck_assert_msg(value == (samples)[i].value && taken == (value >= 0), "'%s': %lld", (samples)[i].text, \
                      (long long)value);                                                                     \
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
                                            {"1KB", -1},
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
    static const struct sample rates[] = {{"100/s", 100}, {"0", 0}, {"100", -1}, {"100/m", -1}, {"/s", -1}};
    static const struct sample numbers[] = {{"0", 0}, {"100", 100}, {"100/s", -1}, {"ten", -1}, {"", -1}};
    WHOLE(units_rate, rates)
    WHOLE(units_none, numbers)
}
END_TEST

CHECK_MAIN("units", durations, sizes, rates_and_bare_numbers)
