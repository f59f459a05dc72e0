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

CHECK_MAIN_WITH(RECORD_FIXTURE, "json_habits", nothing_depends_on_the_event_before,
                other_fields_are_looked_for_anew, many_names_are_more_than_are_kept)
