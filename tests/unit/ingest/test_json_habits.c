/* What a reader of JSON expects of an event because of those before changes nothing but time. */
#include "tests/unit/ingest/record_fixture.h"

/* What came before lets a reader expect the same names and the same day: another order, other names
 * and other days are read all the same. */
START_TEST(nothing_depends_on_the_event_before) {
    static const char *const texts[] = {
        "{\"id\":1,\"n\":2,\"time\":\"2016-05-28 11:11:11.123456\"}",
        "{\"n\":2,\"id\":1,\"time\":\"2016-05-28 11:11:11.123457\"}",
        "{\"time\":\"2016-05-29T11:11:11.123456Z\",\"id\":1,\"id\":3}",
        "{\"time\":\"2016-05-29T11:11:11.123456\"}",
        "{\"id\":1,\"n\":2,\"n\":5,\"n\":6,\"x\":7}",
        "{\"id2\":1,\"nn\":2,\"i\":3}",
        "{\"x\":{\"id\":1,\"n\":2}}",
    };
    for (size_t i = 0; i < COUNT_OF(texts) * COUNT_OF(texts); i++) {
        const char *before = texts[i / COUNT_OF(texts)], *text = texts[i % COUNT_OF(texts)];
        char why[RECORD_WHY_MAX], fresh[DUMP_MAX];
        memset(&lab_record, 0, sizeof lab_record);
        struct record *record = lab_begin();
        ck_assert_int_eq(record_read_json(record, fields, text, strlen(text), why), RECORD_EVENT);
        strcpy(fresh, lab_dump(record, fields));
        record_read_json(lab_begin(), fields, before, strlen(before), why);
        ck_assert_int_eq(record_read_json(lab_begin(), fields, text, strlen(text), why),
                         RECORD_EVENT);
        ck_assert_str_eq(lab_dump(record, fields), fresh);
    }
}
END_TEST

/* What is looked for under a name is another with other definitions, whatever the record has read
 * before. */
START_TEST(other_fields_are_looked_for_anew) {
    static const char text[] = "{\"id\":\"a\",\"n\":1,\"m\":2,\"time\":3}";
    static const struct fields_config others[] = {
        {.n = 1,
         .field = {{.name = "m", .type = FIELD_INT, .places = 1, .place = {{FIELD_JSON, "m"}}}}},
        {.n = 1, .field = {{.name = "m", .places = 1, .place = {{FIELD_JSON, "id"}}}}},
        {.n = 0},
    };
    static const char *const dumps[] = {"@3000000 m=2", "@3000000 m=a", "@3000000"};
    char why[RECORD_WHY_MAX];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(others); i++) {
            struct fields *other = fields_new(&others[i]);
            for (int again = 0; again < 2; again++) {
                ck_assert_int_eq(record_read_json(lab_begin(), other, TEXT(text), why),
                                 RECORD_EVENT);
                ck_assert_str_eq(lab_dump(&lab_record, other), dumps[i]);
            }
            fields_free(other);
        }
    }
}
END_TEST

/* More names than a reader keeps, of all lengths, in orders that change: the declared ones among
 * them are found each time. */
START_TEST(many_names_are_more_than_are_kept) {
    for (unsigned event = 0; event < 400; event++) {
        static char text[16384];
        char why[RECORD_WHY_MAX], dump[DUMP_MAX];
        size_t len = (size_t)sprintf(text, "{");
        for (unsigned i = 0; i < 200; i++) {
            const unsigned name = (i * (1 + 2 * (event % 50)) + event / 8) % 256;
            len += (size_t)sprintf(text + len, "\"%.*s%u\"%s:%u,", (int)(name % 14),
                                   "abcdefghijklmnop", name, event % 3 ? "" : " ", name);
            if (i == event % 200) {
                len += (size_t)sprintf(text + len, "\"id\":\"x%u\",\"n\":%u,", event, event);
            }
        }
        len += (size_t)sprintf(text + len, "\"price\":1.25}");
        ck_assert_int_eq(record_read_json(lab_begin(), fields, text, len, why), RECORD_EVENT);
        snprintf(dump, sizeof dump, "id=x%u n=%u price=125 id2=x%u", event, event, event);
        ck_assert_str_eq(lab_dump(&lab_record, fields), dump);
    }
}
END_TEST

/* An event all of whose members are usual once it was read, but for some among them. */
static const char usual[] =
    "{\"time\":\"2016-05-28T11:11:11.123Z\",\"n\":12,\"first\":\"ab\",\"x\":\"y\",\"price\":3,"
    "\"z\":7,\"second\":\"of more than sixteen bytes\",\"u\":\"of more than sixteen bytes\","
    "\"id\":\"a\",\"w\":90123456,\"x\":1}";

/* Reads a text by a record that has read nothing before, and by one that expects the usual event:
 * both say the same. */
static void check_as_fresh(const char *text, size_t len) {
    static const struct reading how = {record_read_json, true};
    char why[2][RECORD_WHY_MAX], dump[2][DUMP_MAX];
    memset(&lab_record.habits, 0, sizeof lab_record.habits);
    const enum record_outcome fresh = read_alone(&how, text, len, why[0], dump[0]);
    for (int i = 0; i < 2; i++) {
        char ignored[RECORD_WHY_MAX], usual_dump[DUMP_MAX];
        ck_assert_int_eq(read_alone(&how, TEXT(usual), ignored, usual_dump), RECORD_EVENT);
    }
    ck_assert_msg(read_alone(&how, text, len, why[1], dump[1]) == fresh, "%.*s", (int)len, text);
    ck_assert_msg(strcmp(why[0], why[1]) == 0 && strcmp(dump[0], dump[1]) == 0,
                  "%.*s: \"%s%s\", expected \"%s%s\"", (int)len, text, why[1], dump[1], why[0],
                  dump[0]);
}

/* The usual event with a byte that is another, one less, one more, and cut off there. */
START_TEST(what_is_almost_usual_is_read_as_if_it_were_the_first) {
    static const char bytes[] = "\"\\,:{}[] 019-.eatfn\n\x1f\x7f\x80\xc3";
    char text[sizeof usual + 1];
    for (size_t at = 0; at < sizeof usual - 1; at++) {
        for (size_t i = 0; i < sizeof bytes; i++) { /* the NUL, too */
            memcpy(text, usual, sizeof usual);
            text[at] = bytes[i];
            check_as_fresh(text, sizeof usual - 1);
            memcpy(text + at + 1, usual + at, sizeof usual - at);
            check_as_fresh(text, sizeof usual);
        }
        memcpy(text + at, usual + at + 1, sizeof usual - 1 - at);
        check_as_fresh(text, sizeof usual - 2);
        check_as_fresh(usual, at);
    }
    check_as_fresh(TEXT(usual));
}
END_TEST

/* Members that come again are expected to come again; a time must not. */
START_TEST(a_time_that_comes_again_as_before_is_refused_as_before) {
    static const char text[] = "{\"time\":\"" STAMP "\",\"n\":1,\"time\":\"" STAMP "\","
                               "\"x\":\"more, so that all of it is read at once\"}";
    char why[RECORD_WHY_MAX];
    record_read_json(lab_begin(), fields, TEXT("{\"time\":\"" STAMP "\"}"), why);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(record_read_json(lab_begin(), fields, TEXT(text), why), RECORD_MALFORMED);
        ck_assert_str_eq(why, "time: given more than once");
    }
}
END_TEST

/* A field that has a value from the request, or from an earlier place of its own, keeps it. */
START_TEST(a_usual_member_does_not_take_a_place_that_is_taken) {
    static const char text[] = "{\"x\":1,\"n\":5,\"second\":\"b\",\"a\":{\"b\":\"c\"},\"y\":{}}";
    char why[RECORD_WHY_MAX];
    for (int i = 0; i < 3; i++) {
        struct record *record = lab_begin();
        record_take(record, fields, 1, 0, TEXT("7"));
        record_take(record, fields, 7, 2, TEXT("query"));
        ck_assert_int_eq(record_read_json(record, fields, TEXT(text), why), RECORD_EVENT);
        ck_assert_str_eq(lab_dump(record, fields), "n=7 b=c either=b");
    }
}
END_TEST

CHECK_MAIN_WITH(RECORD_FIXTURE, "json_habits", nothing_depends_on_the_event_before,
                other_fields_are_looked_for_anew, many_names_are_more_than_are_kept,
                what_is_almost_usual_is_read_as_if_it_were_the_first,
                a_time_that_comes_again_as_before_is_refused_as_before,
                a_usual_member_does_not_take_a_place_that_is_taken)
