#include "ingest/number.h"

#include "tests/unit/check_main.h"
#include "tests/unit/ingest/number_reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])
#define ZEROS "00000000000000000000000000000000000000000000000000"

static const struct {
    const char *text;
    unsigned decimals;
    int64_t number;
} must_read[] = {
    {"0", 0, 0},
    {"7", 0, 7},
    {"-7", 0, -7},
    {"-0", 0, 0},
    {"007", 0, 7},
    {ZEROS "7", 0, 7},
    {"123456789012345", 0, 123456789012345},
    {"9007199254740991", 0, 9007199254740991},
    {"-9007199254740991", 0, -9007199254740991},
    {"1.0", 0, 1},
    {"1." ZEROS, 0, 1},
    {"1e3", 0, 1000},
    {"1E+3", 0, 1000},
    {"-1.5e1", 0, -15},
    {"1200e-2", 0, 12},
    {"1" ZEROS "e-50", 0, 1},
    {"0." ZEROS "1e51", 0, 1},
    {"0e999999999999999999999", 0, 0},
    {"0." ZEROS, 0, 0},
    {"-0.0e-99", 0, 0},
    {"9007199254740.991e3", 0, 9007199254740991},
    {"12.34", 2, 1234},
    {"12.3", 2, 1230},
    {"12", 2, 1200},
    {"12.340", 2, 1234},
    {"-0.01", 2, -1},
    {"1e-2", 2, 1},
    {"0.000000001", 9, 1},
    {"9007199.254740991", 9, 9007199254740991},
};

static const struct {
    const char *text;
    unsigned decimals;
} must_not_read[] = {
    {"", 0},
    {"-", 0},
    {"+7", 0},
    {" 7", 0},
    {"7 ", 0},
    {"7a", 0},
    {"0x7", 0},
    {"--7", 0},
    {"1,000", 0},
    {".5", 1},
    {"5.", 1},
    {"1.5", 0},
    {"1e", 0},
    {"1e+", 0},
    {"e3", 0},
    {"1e3.0", 0},
    {"1e-1", 0},
    {"1e-999999999999999999999", 0},
    {"1e999999999999999999999", 0},
    {"1e16", 0},
    {"9007199254740992", 0},
    {"-9007199254740992", 0},
    {"9007199254740992.0", 0},
    {"18446744073709551617", 0},
    {"1" ZEROS, 0},
    {"12.345", 2},
    {"0.001", 2},
    {"90071992547409.92", 2},
    {"90071992547409910", 2},
    {"true", 0},
    {"Infinity", 0},
    {"NaN", 0},
};

/* Without a NUL behind it, where the sanitizers see its end. */
static bool read_alone(const char *text, unsigned decimals, int64_t *number) {
    const size_t len = strlen(text);
    char *copy = malloc(len + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy + 1, text, len);
    const bool good = number_read(copy + 1, len, decimals, number);
    free(copy);
    return good;
}

START_TEST(what_is_a_number) {
    for (size_t i = 0; i < COUNT_OF(must_read); i++) {
        int64_t number = 4711;
        ck_assert_msg(read_alone(must_read[i].text, must_read[i].decimals, &number), "%s",
                      must_read[i].text);
        ck_assert_msg(number == must_read[i].number, "%s: %" PRId64, must_read[i].text, number);
    }
}
END_TEST

START_TEST(what_is_none) {
    for (size_t i = 0; i < COUNT_OF(must_not_read); i++) {
        int64_t number = 4711;
        ck_assert_msg(!read_alone(must_not_read[i].text, must_not_read[i].decimals, &number),
                      "%s: %" PRId64, must_not_read[i].text, number);
        ck_assert_int_eq(number, 4711);
    }
}
END_TEST

/* Every number that is written with so many decimals is read back, however its point is moved. */
START_TEST(what_was_written_is_read) {
    uint64_t draw = 0x20160528;
    for (int i = 0; i < 300000; i++) {
        draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407;
        const unsigned decimals = (unsigned)(draw >> 60) % 10;
        const int64_t wanted = (int64_t)((draw >> 4) % (2 * NUMBER_END - 1) >> (draw >> 54 & 31));
        const bool negative = draw & 1;
        char text[64];
        int64_t scale = 1, number = 0;
        for (unsigned d = 0; d < decimals; d++) {
            scale *= 10;
        }
        int len = snprintf(text, sizeof text, "%s%" PRId64, negative ? "-" : "", wanted / scale);
        if (decimals > 0) {
            snprintf(text + len, sizeof text - (size_t)len, ".%0*" PRId64, (int)decimals,
                     wanted % scale);
        }
        const bool good = number_read(text, strlen(text), decimals, &number);
        DEMAND(good == (wanted < NUMBER_END), "%s", text);
        DEMAND(!good || number == (negative ? -wanted : wanted), "%s: %" PRId64, text, number);
        len =
            snprintf(text, sizeof text, "%s%" PRId64 "e-%u", negative ? "-" : "", wanted, decimals);
        DEMAND(number_read(text, (size_t)len, decimals, &number) == good, "%s", text);
        DEMAND(!good || number == (negative ? -wanted : wanted), "%s: %" PRId64, text, number);
    }
}
END_TEST

/* Texts of digits, points, signs and exponents, most of them wrong, read in two ways. */
START_TEST(both_readers_agree) {
    static const char often[] = "0001234567899..e-";
    uint64_t draw = 0x20160529;
    unsigned good = 0;
    for (int i = 0; i < 1000000; i++) {
        char text[24];
        draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407;
        const size_t len = (draw >> 40) % sizeof text;
        const unsigned decimals = (unsigned)(draw >> 58) % 10;
        for (size_t c = 0; c < len; c++) {
            draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407;
            text[c] =
                (draw >> 50) % 40 ? often[(draw >> 33) % (sizeof often - 1)] : "+E x"[draw >> 62];
        }
        int64_t number = 1, expected = 1;
        const bool read = number_read(text, len, decimals, &number);
        DEMAND(read == reference_number(text, len, decimals, &expected), "%.*s", (int)len, text);
        DEMAND(number == expected, "%.*s: %" PRId64, (int)len, text, number);
        good += read;
    }
    DEMAND(good > 50000, "%u were numbers", good);
}
END_TEST

CHECK_MAIN("number", what_is_a_number, what_is_none, what_was_written_is_read, both_readers_agree)
