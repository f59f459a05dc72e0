#include "reports/condition.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

enum { ROUTE, MS, PRICE, FIELDS };

static const struct fields_config fields = {
    .n = FIELDS,
    .field = {{.name = "route", .type = FIELD_TEXT},
              {.name = "ms", .type = FIELD_INT},
              {.name = "price", .type = FIELD_DECIMAL, .decimals = 2}}};

static struct condition *compile(const char *text) {
    char why[CONDITION_WHY_MAX] = "";
    size_t at;
    struct condition *condition = condition_new(&fields, text, &at, why);
    ck_assert_msg(condition != NULL, "%s: at %zu: %s", text, at, why);
    return condition;
}

static struct record record_of(const char *route, int64_t ms, int64_t price) {
    struct record record = {.present = 7};
    record.value[ROUTE] = (struct aforo_value){route, (uint32_t)strlen(route), AFORO_TEXT, 0};
    record.value[MS] = (struct aforo_value){"", 0, AFORO_NUMBER, ms};
    record.value[PRICE] = (struct aforo_value){"", 0, AFORO_NUMBER, price};
    return record;
}

/* What a condition says of route="/api/pay", ms=1500, price=12.50, of which the present ones are
 * there. */
static bool holds(const char *text, uint64_t present, uint64_t unfit) {
    struct condition *condition = compile(text);
    struct record record = record_of("/api/pay", 1500, 1250);
    record.present = present;
    record.unfit = unfit;
    const bool is = condition_holds(condition, &record);
    condition_free(condition);
    return is;
}

START_TEST(numbers) {
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"ms == 1500", true},      {"ms == 1501", false},      {"ms != 1500", false},
        {"ms != 1", true},         {"ms < 1500", false},       {"ms < 1501", true},
        {"ms <= 1500", true},      {"ms <= 1499", false},      {"ms > 1499", true},
        {"ms > 1500", false},      {"ms >= 1500", true},       {"ms >= 1501", false},
        {"ms>1000", true},         {"ms > -1", true},          {"ms == 1500.00", true},
        {"price == 12.5", true},   {"price == 12.50", true},   {"price == 12.51", false},
        {"price > 12.49", true},   {"price < 12.51", true},    {"price == 12.500", true},
        {"price >= -12.5", true},  {"price < 13", true},       {"price > 12", true},
        {"ms in (1, 1500)", true}, {"ms in (1,2 , 3)", false}, {"ms in (1500)", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(holds(cases[i].text, 7, 0) == cases[i].is, "%s", cases[i].text);
}
END_TEST

START_TEST(texts) {
    ck_assert(holds("route == \"/api/pay\"", 7, 0));
    ck_assert(!holds("route == \"/api/pa\"", 7, 0));
    ck_assert(!holds("route == \"/api/pay/\"", 7, 0));
    ck_assert(holds("route != \"/api/pa\"", 7, 0));
    ck_assert(holds("route starts \"/api/\"", 7, 0));
    ck_assert(holds("route starts \"\"", 7, 0));
    ck_assert(!holds("route starts \"/api/pay/x\"", 7, 0));
    ck_assert(holds("route in (\"/\", \"/api/pay\")", 7, 0));
    ck_assert(!holds("route == \"a\\\"b\\\\\"", 7, 0));
    struct condition *condition = compile("route == \"a\\\"b\\\\\"");
    const struct record record = record_of("a\"b\\", 0, 0);
    ck_assert(condition_holds(condition, &record));
    condition_free(condition);
}
END_TEST

START_TEST(joined) {
    ck_assert(holds("ms > 1000 or route == \"/pay\"", 7, 0));
    ck_assert(holds("ms > 5000 or route starts \"/api\" and price > 1", 7, 0));
    ck_assert(!holds("(ms > 5000 or route starts \"/api\") and price > 100", 7, 0));
    ck_assert(holds("not ms > 5000", 7, 0));
    ck_assert(holds("not (ms > 5000 and price > 1)", 7, 0));
    ck_assert(!holds("not not not ms", 7, 0));
    ck_assert(holds("not ms > 5000 and price > 1", 7, 0));
    ck_assert(holds("\n ms\t> 1 \n and price\n", 7, 0));
}
END_TEST

START_TEST(fields_that_are_missing_or_unfit) {
    ck_assert(holds("ms", 7, 0));
    ck_assert(!holds("ms", 5, 0));
    ck_assert(holds("ms", 7, 2)); /* it is there, whatever it is */
    ck_assert(!holds("ms > 1", 5, 0));
    ck_assert(!holds("ms > 1", 7, 2));
    ck_assert(!holds("ms != 1", 5, 0));
    ck_assert(holds("not ms == 1", 5, 0));
    ck_assert(!holds("route != \"x\"", 6, 0));
}
END_TEST

START_TEST(fields_that_are_looked_at) {
    struct condition *condition = compile("price > 1 or not route");
    ck_assert_uint_eq(condition_fields(condition), 1 << ROUTE | 1 << PRICE);
    condition_free(condition);
}
END_TEST

START_TEST(mistakes_and_where) {
    static const struct {
        const char *text;
        size_t at;
        const char *why;
    } cases[] = {
        {"", 0, "a field's name was meant before the end"},
        {"mss > 1", 0, "`mss` is no field of `fields:`; did you mean `ms`?"},
        {"ms > 1 annd price", 7, "`annd` was not expected here"},
        {"ms = 1", 3, "did you mean `==`?"},
        {"ms > 1 && price", 7, "did you mean `and`?"},
        {"ms > 1 || price", 7, "did you mean `or`?"},
        {"!ms", 0, "did you mean `not`?"},
        {"ms <> 1", 3, "did you mean `!=`?"},
        {"route =~ \"/a\"", 6, "did you mean `starts`?"},
        {"ms > \"1\"", 5, "`ms` is an int: a number is meant, without quotes"},
        {"route == 1", 9, "`route` is text: a value in double quotes is meant before `1`"},
        {"route == '/pay'", 9,
         "`route` is text: a value in double quotes is meant before `'/pay'`"},
        {"route < \"a\"", 6, "`route` is text: `<` compares numbers"},
        {"ms starts \"1\"", 3, "`ms` is an int: `starts` is a question about text"},
        {"ms > 1.5", 5, "finer than `ms`, which is an int of 0 decimals"},
        {"price > 1.234", 8, "finer than `price`, which is a decimal of 2 decimals"},
        {"price > 1.", 10, "digits are missing behind the point"},
        {"ms > 5ms", 5, "this is no number: `ms` stands behind it"},
        {"ms > 9007199254740992", 5, "numbers are smaller than 2^53"},
        {"price > 90071992547409.92", 8, "numbers are smaller than 2^53"},
        {"ms > 99999999999999999999999", 5, "numbers are smaller than 2^53"},
        {"ms > ", 5, "a number was meant before the end"},
        {"ms in 1", 6, "behind `in` comes a list"},
        {"ms in (1 2)", 9, "`,` or `)` is missing before `2`"},
        {"ms in (1, 2", 11, "`,` or `)` is missing before the end"},
        {"(ms > 1", 7, "`)` is missing before the end"},
        {"ms > 1)", 6, "`)` was not expected here"},
        {"route == \"/pay", 9, "this text has no \" at its end"},
        {"route == \"a\\n\"", 11, "after a \\ within text comes \" or \\"},
        {"1 < ms", 0, "a field's name was meant before `1`"},
        {"ms and", 6, "a field's name was meant before the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[CONDITION_WHY_MAX] = "";
        size_t at = 999;
        ck_assert_msg(condition_new(&fields, cases[i].text, &at, why) == NULL, "%s", cases[i].text);
        ck_assert_msg(strstr(why, cases[i].why) != NULL, "%s: %s", cases[i].text, why);
        ck_assert_msg(at == cases[i].at, "%s: at %zu: %s", cases[i].text, at, why);
    }
}
END_TEST

static void expect_refused(const char *text, const char *expected) {
    char why[CONDITION_WHY_MAX] = "";
    size_t at;
    ck_assert(condition_new(&fields, text, &at, why) == NULL);
    ck_assert_msg(strstr(why, expected) != NULL, "%s", why);
}

START_TEST(bounds) {
    static char text[CONDITION_BYTES_MAX + 10];
    size_t len = 0;
    for (int i = 0; i < CONDITION_DEPTH_MAX; i++)
        len += (size_t)sprintf(text + len, "not ");
    strcpy(text + len, "ms");
    condition_free(compile(text));
    strcpy(text + len, "not ms");
    expect_refused(text, "more than 32 parentheses and `not` within each other");
    /* `and` within `or` within `and`: few parentheses here, many where all are written */
    len = 0;
    for (int i = 0; i < 20; i++)
        len += (size_t)sprintf(text + len, "ms and price or ms and (");
    len += (size_t)sprintf(text + len, "ms");
    memset(text + len, ')', 20);
    text[len + 20] = '\0';
    expect_refused(text, "more than 32 within each other");
    len = (size_t)sprintf(text, "ms in (0");
    for (int i = 1; i < CONDITION_NODES_MAX; i++)
        len += (size_t)sprintf(text + len, ",%d", i);
    strcpy(text + len, ")");
    expect_refused(text, "more than 512 comparisons");
    memset(text, ' ', sizeof text);
    text[CONDITION_BYTES_MAX] = '\0';
    expect_refused(text, "longer than 8191 bytes");
    memset(text, 'x', sizeof text);
    memcpy(text, "route == \"", 10);
    strcpy(text + 10 + FIELD_TEXT_MAX, "\"");
    condition_free(compile(text));
    strcpy(text + 10 + FIELD_TEXT_MAX, "x\"");
    expect_refused(text, "longer than the 1024 bytes");
}
END_TEST

START_TEST(one_text_for_all_spellings) {
    static const char *const cases[][2] = {
        {"ms>01000  or((route==\"/pay\"))", "ms > 1000 or route == \"/pay\""},
        {"ms or (price or route)", "ms or price or route"},
        {"(ms and price) or route", "(ms and price) or route"},
        {"ms and (price or route)", "ms and (price or route)"},
        {"not(ms)", "not ms"},
        {"not (ms or route)", "not (ms or route)"},
        {"price == 12.50 or price == -0.05", "price == 12.5 or price == -0.05"},
        {"price in (1.00,-0)", "price == 1 or price == 0"},
        {"route starts \"a\\\"\\\\\"", "route starts \"a\\\"\\\\\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < 2; j++) {
            char text[200];
            struct condition *condition = compile(cases[i][j]);
            ck_assert_uint_eq(condition_print(condition, &fields, text, sizeof text),
                              strlen(cases[i][1]));
            ck_assert_str_eq(text, cases[i][1]);
            condition_print(condition, &fields, text, 4);
            ck_assert_uint_eq(strlen(text), 3);
            condition_free(condition);
        }
    }
}
END_TEST

CHECK_MAIN("condition", numbers, texts, joined, fields_that_are_missing_or_unfit,
           fields_that_are_looked_at, mistakes_and_where, bounds, one_text_for_all_spellings)
