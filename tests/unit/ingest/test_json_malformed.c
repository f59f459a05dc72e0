/* What is no event of JSON, and the sentence that says so. */
#include "tests/unit/ingest/record_fixture.h"

#define NOT_UTF8(bytes, at, found)                                                                 \
    { TEXT("{\"x\":\"" bytes "\"}"), "expected UTF-8 at character " at ", found '" found "'" }

static const struct sample malformed[] = {
    {TEXT("{\"value\":2,\"value\":3}"), "value: given more than once"},
    {TEXT("{\"value\":2,\"value\":2,\"time\":3,\"time\":4}"), "value: given more than once"},
    {TEXT("{\"value\":null,\"value\":3}"), "value: given more than once"},
    {TEXT("{\"valu\\u0065\":2,\"value\":3}"), "value: given more than once"},
    {TEXT("{\"date\":2,\"time\":3,\"time\":4}"), "time: given more than once"},
    {TEXT("x"), "expected '{' at character 1, found 'x'"},
    {TEXT("[]"), "expected '{' at character 1, found '['"},
    {TEXT("\"x\""), "expected '{' at character 1, found '\"'"},
    {TEXT("\xef\xbb\xbf{}"), "expected '{' at character 1, found '\\xef'"},
    {TEXT("\0{}"), "expected '{' at character 1, found '\\x00'"},
    {TEXT("{"), "expected a member's name in quotes at character 2, but it ends there"},
    {TEXT("{,}"), "expected a member's name in quotes at character 2, found ','"},
    {TEXT("{id:1}"), "expected a member's name in quotes at character 2, found 'i'"},
    {TEXT("{'id':1}"), "expected a member's name in quotes at character 2, found '''"},
    {TEXT("{\"id"), "expected the string's '\"' at character 5, but it ends there"},
    {TEXT("{\"id\""), "expected ':' at character 6, but it ends there"},
    {TEXT("{\"id\" 1}"), "expected ':' at character 7, found '1'"},
    {TEXT("{\"id\":"), "expected a value at character 7, but it ends there"},
    {TEXT("{\"id\":}"), "expected a value at character 7, found '}'"},
    {TEXT("{\"id\":1"), "expected ',' or '}' at character 8, but it ends there"},
    {TEXT("{\"id\":1]"), "expected ',' or '}' at character 8, found ']'"},
    {TEXT("{\"id\":1,}"), "expected a member's name in quotes at character 9, found '}'"},
    {TEXT("{\"id\":1 \"n\":2}"), "expected ',' or '}' at character 9, found '\"'"},
    {TEXT("{}{}"), "expected the end at character 3, found '{'"},
    {TEXT("{} x"), "expected the end at character 4, found 'x'"},
    {TEXT("{}\0"), "expected the end at character 3, found '\\x00'"},
    {TEXT("{\"x\":[1,]}"), "expected a value at character 9, found ']'"},
    {TEXT("{\"x\":[1 2]}"), "expected ',' or ']' at character 9, found '2'"},
    {TEXT("{\"x\":[1}"), "expected ',' or ']' at character 8, found '}'"},
    {TEXT("{\"x\":["), "expected a value at character 7, but it ends there"},
    {TEXT("{\"x\":tru}"), "expected a value at character 6, found 't'"},
    {TEXT("{\"x\":True}"), "expected a value at character 6, found 'T'"},
    {TEXT("{\"x\":nul"), "expected a value at character 6, found 'n'"},
    {TEXT("{\"x\":truex}"), "expected ',' or '}' at character 10, found 'x'"},
    {TEXT("{\"x\":NaN}"), "expected a value at character 6, found 'N'"},
    {TEXT("{\"x\":+1}"), "expected a value at character 6, found '+'"},
    {TEXT("{\"x\":.5}"), "expected a value at character 6, found '.'"},
    {TEXT("{\"x\":-}"), "expected a digit at character 7, found '}'"},
    {TEXT("{\"x\":-x}"), "expected a digit at character 7, found 'x'"},
    {TEXT("{\"x\":01}"), "expected ',' or '}' at character 7, found '1'"},
    {TEXT("{\"x\":-01}"), "expected ',' or '}' at character 8, found '1'"},
    {TEXT("{\"x\":1.}"), "expected a digit at character 8, found '}'"},
    {TEXT("{\"x\":1.e1}"), "expected a digit at character 8, found 'e'"},
    {TEXT("{\"x\":1e}"), "expected a digit at character 8, found '}'"},
    {TEXT("{\"x\":1e+}"), "expected a digit at character 9, found '}'"},
    {TEXT("{\"x\":0x1}"), "expected ',' or '}' at character 7, found 'x'"},
    {TEXT("{\"x\":1\v}"), "expected ',' or '}' at character 7, found '\\x0b'"},
    {TEXT("{\"x\":\"\n\"}"),
     "expected an escape for a control character at character 7, found '\\x0a'"},
    {TEXT("{\"x\":\"a\0\"}"),
     "expected an escape for a control character at character 8, found '\\x00'"},
    {TEXT("{\"x\":\"\\x41\"}"), "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\"), "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\u12\"}"), "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\u12g4\"}"), "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\ud83d\"}"), "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\ud83dx\\ude00\"}"),
     "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\ude00\"}"), "expected an escape as JSON has them at character 7, found '\\'"},
    {TEXT("{\"x\":\"\\ud83d\\ud83d\"}"),
     "expected an escape as JSON has them at character 7, found '\\'"},
    NOT_UTF8("\x80", "7", "\\x80"),
    NOT_UTF8("a\xff", "8", "\\xff"),
    NOT_UTF8("\xc0\x80", "7", "\\xc0"),
    NOT_UTF8("\xc1\xbf", "7", "\\xc1"),
    NOT_UTF8("\xc3", "7", "\\xc3"),
    NOT_UTF8("\xc3(", "7", "\\xc3"),
    NOT_UTF8("\xe0\x9f\xbf", "7", "\\xe0"),
    NOT_UTF8("\xe2\x82", "7", "\\xe2"),
    NOT_UTF8("\xed\xa0\x80", "7", "\\xed"),
    NOT_UTF8("\xed\xbf\xbf", "7", "\\xed"),
    NOT_UTF8("\xf0\x8f\xbf\xbf", "7", "\\xf0"),
    NOT_UTF8("\xf0\x9f\x98", "7", "\\xf0"),
    NOT_UTF8("\xf4\x90\x80\x80", "7", "\\xf4"),
    NOT_UTF8("\xf5\x80\x80\x80", "7", "\\xf5"),
    NOT_UTF8("\\n0123456789abcdef\xff", "25", "\\xff"),
    NOT_UTF8("\xff\\n0123456789abcdef", "7", "\\xff"),
    {TEXT("{\"\xff\":1}"), "expected UTF-8 at character 3, found '\\xff'"},
    /* the time */
    {TEXT("{\"value\":\"2016-13-28 11:11:11\"}"), "value: month 13 is out of range"},
    {TEXT("{\"time\":\"\"}"), "time: empty, expected a timestamp"},
    {TEXT("{\"@timestamp\":\"x\"}"), "@timestamp: expected a digit at character 1, found 'x'"},
    {TEXT("{\"value\":\"x\",\"time\":1}"), "value: expected a digit at character 1, found 'x'"},
    {TEXT("{\"date\":-1}"), "date: expected a number without a sign and an exponent"},
    {TEXT("{\"date\":1e9}"), "date: expected a number without a sign and an exponent"},
    {TEXT("{\"date\":1E9}"), "date: expected a number without a sign and an exponent"},
    {TEXT("{\"date\":0.1234567890}"), "date: more than 9 digits after the point"},
    {TEXT("{\"date\":12345678901234567890}"), "date: more than 19 digits in an epoch time"},
    {TEXT("{\"date\":true}"), "date: expected a timestamp as a string or a number"},
    {TEXT("{\"date\":{}}"), "date: expected a timestamp as a string or a number"},
    {TEXT("{\"date\":[1]}"), "date: expected a timestamp as a string or a number"},
    {TEXT("{\"date\":"
          "\"\\u0000000000000000000000000000000000000000000000000000000000000000000000\"}"),
     "date: longer than 64 bytes"},
};

static const struct reading objects = {record_read_json, true};

START_TEST(what_is_malformed) {
    check_malformed(&objects, malformed, COUNT_OF(malformed));
}
END_TEST

/* The sentence is the same when the reader knows the names and the times of the events before. */
START_TEST(what_is_malformed_after_events_is_so_too) {
    static const char *const before[] = {
        "{\"x\":1,\"id\":2,\"n\":3,\"value\":1464433871}",
        "{\"id\":\"x\",\"x\":\"y\",\"date\":\"2016-05-28 11:11:11\"}",
        "{\"value\":2,\"x\":[1],\"time\":3}",
    };
    for (size_t i = 0; i < COUNT_OF(malformed) * COUNT_OF(before); i++) {
        const struct sample *sample = &malformed[i / COUNT_OF(before)];
        const char *text = before[i % COUNT_OF(before)];
        char why[RECORD_WHY_MAX];
        ck_assert_int_eq(record_read_json(lab_begin(), fields, text, strlen(text), why),
                         RECORD_EVENT);
        check_malformed(&objects, sample, 1);
    }
}
END_TEST

CHECK_MAIN_WITH(RECORD_FIXTURE, "json_malformed", what_is_malformed,
                what_is_malformed_after_events_is_so_too)
