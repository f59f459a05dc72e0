#include "tests/unit/ingest/record_fixture.h"

#define AT "@1464433871123456"

static const struct sample events[] = {
    {TEXT(STAMP), AT},
    {TEXT(STAMP "\r"), AT},
    {TEXT(STAMP " \t "), AT},
    {TEXT("2016-05-28T11:11:11.123456Z"), AT},
    {TEXT("1464433871.123456"), AT},
    {TEXT(STAMP " n=7"), AT " n=7"},
    {TEXT(STAMP "\tn=7"), AT " n=7"},
    {TEXT("2016-05-28T11:11:11.123456Z n=7 id=x"), AT " id=x n=7 id2=x"},
    {TEXT("1464433871.123456 \t n=7 \t id=x "), AT " id=x n=7 id2=x"},
    {TEXT(STAMP " n=7 id=\r"), AT " id= n=7 id2="},
    {TEXT(STAMP " id= n=7"), AT " id= n=7 id2="},
    {TEXT(STAMP " n="), AT " n!"},
    {TEXT(STAMP " n=x"), AT " n!"},
    {TEXT(STAMP " n=1 n=2"), AT " n=1"},
    {TEXT(STAMP " price=12.34"), AT " price=1234"},
    {TEXT(STAMP " id=a=b?c=d"), AT " id=a=b?c=d id2=a=b?c=d"},
    {TEXT(STAMP " id=a\\n"), AT " id=a\\n id2=a\\n"},
    {TEXT(STAMP " id=\xff\x01"), AT " id=\\xff\\x01 id2=\\xff\\x01"},
    {TEXT(STAMP " id=\0"), AT " id=\\x00 id2=\\x00"},
    {TEXT(STAMP " id=\"a b\""), AT " id=a b id2=a b"},
    {TEXT(STAMP " id=\"\" n=\"7\""), AT " id= n=7 id2="},
    {TEXT(STAMP " id=\"a=b c=d\" n=7"), AT " id=a=b c=d n=7 id2=a=b c=d"},
    {TEXT(STAMP " id=\"\\\"\\\\\\n\\t\" n=7"), AT " id=\"\\\\x0a\\x09 n=7 id2=\"\\\\x0a\\x09"},
    {TEXT(STAMP " id=\"\\u00e9\\r\xff\""), AT " id=\\xc3\\xa9\\x0d\\xff id2=\\xc3\\xa9\\x0d\\xff"},
    {TEXT(STAMP " other=\"a b\" n=7 i=1 idd=2"), AT " n=7"},
    {TEXT(STAMP " a_name_of_more_than_16_bytes_2=2 2xx=3"), AT " long2=2"},
    {TEXT(STAMP " a.b=1 first=2"), AT},
    /* no time at the front */
    {TEXT("n=7 time=2"), "@2000000 n=7"},
    {TEXT(" \tn=7 time=2"), "@2000000 n=7"},
    {TEXT("time=2016-05-28T11:11:11.123456Z n=7"), AT " n=7"},
    {TEXT("time=\"" STAMP "\" n=7"), AT " n=7"},
    {TEXT("time=\"2016-05-28\\u002011:11:11.123456\""), AT},
    {TEXT("date=1 time=2 @timestamp=3 timestamp=4 value=5"), "@5000000"},
    {TEXT("time=x value=5"), "@5000000"},
    {TEXT("value=5 value=x"), "@5000000"},
    {TEXT("1 value=5 time=x"), "@1000000"},
};

static const struct sample malformed[] = {
    {TEXT(" "), "a time is missing: begin the line with a timestamp, or send value=<timestamp>"},
    {TEXT(" " STAMP), "expected a digit at character 1, found ' '"},
    {TEXT("x"), "expected a digit at character 1, found 'x'"},
    {TEXT("2016-13-28 11:11:11 n=7"), "month 13 is out of range"},
    {TEXT("2016-05-28 n=7"), "expected a blank or 'T' at character 11, but it ends there"},
    {TEXT("2016-05-28  11:11:11 n=7"),
     "expected a blank or 'T' at character 11, but it ends there"},
    {TEXT("2016-05-28 11:11:11 \xff"),
     "expected '=' after a name at character 22, but it ends there"},
    /* whatever the reader knows of the times before */
    {TEXT("1464433871.123456 x"), "expected a digit or the end at character 18, found ' '"},
    {TEXT("2016-05-28T11:11:11.123456Z x"),
     "expected '=' after a name at character 30, but it ends there"},
    {TEXT(STAMP " n"), "expected '=' after a name at character 29, but it ends there"},
    {TEXT(STAMP " n i=7"), "expected '=' after a name at character 29, found ' '"},
    {TEXT(STAMP " n =7"), "expected '=' after a name at character 29, found ' '"},
    {TEXT(STAMP " =7"), "expected name=value at character 28, found '='"},
    {TEXT(STAMP " \"n\"=7"), "expected name=value at character 28, found '\"'"},
    {TEXT(STAMP " n\"=7"), "expected '=' after a name at character 29, found '\"'"},
    {TEXT(STAMP " n=a\"b"), "expected a value without quotes at character 31, found '\"'"},
    {TEXT(STAMP " n=\""), "expected the value's closing '\"' at character 31, but it ends there"},
    {TEXT(STAMP " n=\"a\\\""),
     "expected the value's closing '\"' at character 34, but it ends there"},
    {TEXT(STAMP " n=\"a\\"), "expected an escape as JSON has them at character 32, found '\\'"},
    {TEXT(STAMP " n=\"\\x\""), "expected an escape as JSON has them at character 31, found '\\'"},
    {TEXT(STAMP " n=\"a\"b"), "expected a blank at character 33, found 'b'"},
    {TEXT(STAMP " n=\"a\"i=7"), "expected a blank at character 33, found 'i'"},
    {TEXT("n=7"), "a time is missing: begin the line with a timestamp, or send value=<timestamp>"},
    {TEXT("time="), "time: empty, expected a timestamp"},
    {TEXT("time=x"), "time: expected a digit at character 1, found 'x'"},
    {TEXT("value=x time=1"), "value: expected a digit at character 1, found 'x'"},
    {TEXT("{\"n\":7}"), "expected a digit at character 1, found '{'"},
};

static const struct reading lines = {record_read_line, false};

START_TEST(what_is_an_event) {
    check_events(&lines, events, COUNT_OF(events));
}
END_TEST

START_TEST(what_is_malformed) {
    check_malformed(&lines, malformed, COUNT_OF(malformed));
}
END_TEST

START_TEST(an_empty_line_is_no_event) {
    char why[RECORD_WHY_MAX], dump[DUMP_MAX];
    ck_assert_int_eq(read_alone(&lines, "", 0, why, dump), RECORD_EMPTY);
    ck_assert_int_eq(read_alone(&lines, "\r", 1, why, dump), RECORD_EMPTY);
}
END_TEST

/* A line cut off anywhere is read no further than it goes. */
START_TEST(every_beginning_of_a_line_is_read_to_its_end) {
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        for (size_t len = 1; len < events[i].len; len++) {
            char why[RECORD_WHY_MAX], dump[DUMP_MAX];
            const enum record_outcome outcome = read_alone(&lines, events[i].text, len, why, dump);
            DEMAND(outcome != RECORD_EMPTY && (outcome == RECORD_MALFORMED) == (why[0] != '\0'),
                   "%.*s: %s", (int)len, events[i].text, why);
        }
    }
}
END_TEST

START_TEST(a_timeless_line_needs_no_time) {
    char why[RECORD_WHY_MAX];
    ck_assert_int_eq(record_read_line(lab_begin(), fields, TEXT("n=7 id=a"), why), RECORD_EVENT);
    ck_assert_str_eq(lab_dump(&lab_record, fields), "id=a n=7 id2=a");
    ck_assert_int_eq(record_read_line(lab_begin(), fields, TEXT("n=7 value=" STAMP), why),
                     RECORD_MALFORMED);
    ck_assert_int_eq(record_read_line(lab_begin(), fields, TEXT("yesterday n=7"), why),
                     RECORD_MALFORMED);
    ck_assert_str_eq(why, "expected a digit at character 1, found 'y'");
}
END_TEST

START_TEST(without_room_what_must_be_decoded_is_unfit) {
    static const char text[] = STAMP " id=\"a\\n\" n=\"\\u0031\"";
    char why[RECORD_WHY_MAX];
    struct record *record = lab_begin();
    record->room_len = 2;
    ck_assert_int_eq(record_read_line(record, fields, text, strlen(text), why), RECORD_EVENT);
    ck_assert_str_eq(lab_dump(record, fields), AT " id=a\\x0a n! id2=a\\x0a");
}
END_TEST

/* A record that has seen no day yet is all zeros; a text of zeros is still no time. */
START_TEST(zeros_are_no_time) {
    static const char zeros[] = "\0\0\0\0\0\0\0\0\0\0\0"
                                "11:11:11.123456";
    char why[RECORD_WHY_MAX];
    memset(&lab_record, 0, sizeof lab_record);
    ck_assert_int_eq(record_read_line(lab_begin(), fields, TEXT(zeros), why), RECORD_MALFORMED);
    ck_assert_str_eq(why, "expected a digit at character 1, found '\\x00'");
}
END_TEST

CHECK_MAIN_WITH(RECORD_FIXTURE, "line_record", what_is_an_event, a_timeless_line_needs_no_time,
                what_is_malformed, an_empty_line_is_no_event,
                every_beginning_of_a_line_is_read_to_its_end,
                without_room_what_must_be_decoded_is_unfit, zeros_are_no_time)
