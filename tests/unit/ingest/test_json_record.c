#include "tests/unit/ingest/record_fixture.h"

static const struct sample events[] = {
    {TEXT("{}"), ""},
    {TEXT(" \t\r\n{ \n} \n"), ""},
    {TEXT("{\"id\":\"x\",\"n\":7}"), "id=x n=7 id2=x"},
    {TEXT("{\"n\":7,\"id\":\"x\"}"), "id=x n=7 id2=x"},
    {TEXT("{ \"n\" : 7 , \"id\" : \"x\" }"), "id=x n=7 id2=x"},
    {TEXT("{\"id\":\"\"}"), "id= id2="},
    {TEXT("{\"id\":12.50}"), "id=12.50 id2=12.50"},
    {TEXT("{\"id\":-1e5}"), "id=-1e5 id2=-1e5"},
    {TEXT("{\"id\":true}"), "id=true id2=true"},
    {TEXT("{\"id\":false}"), "id=false id2=false"},
    {TEXT("{\"id\":null}"), ""},
    {TEXT("{\"id\":null,\"id\":\"x\"}"), ""},
    {TEXT("{\"id\":{}}"), "id! id2!"},
    {TEXT("{\"id\":[]}"), "id! id2!"},
    {TEXT("{\"id\":[\"id\",{\"id\":1}]}"), "id! id2!"},
    {TEXT("{\"x\":{\"id\":1},\"y\":[{\"id\":2}],\"id\":3}"), "id=3 id2=3"},
    {TEXT("{\"id\":1,\"id\":2}"), "id=1 id2=1"},
    {TEXT("{\"i\":1,\"idd\":2,\"ID\":3,\"\":4,\"id \":5}"), ""},
    {TEXT("{\"\\u0069\\u0064\":\"x\"}"), "id=x id2=x"},
    {TEXT("{\"i\\u0064\":\"x\",\"id\":\"y\"}"), "id=x id2=x"},
    {TEXT("{\"n\":0}"), "n=0"},
    {TEXT("{\"n\":-0}"), "n=0"},
    {TEXT("{\"n\":1e3}"), "n=1000"},
    {TEXT("{\"n\":1.0}"), "n=1"},
    {TEXT("{\"n\":\"12\"}"), "n=12"},
    {TEXT("{\"n\":\"\\u0031\\u0032\"}"), "n=12"},
    {TEXT("{\"n\":\"\"}"), "n!"},
    {TEXT("{\"n\":1.5}"), "n!"},
    {TEXT("{\"n\":true}"), "n!"},
    {TEXT("{\"n\":null}"), ""},
    {TEXT("{\"n\":9007199254740991}"), "n=9007199254740991"},
    {TEXT("{\"n\":9007199254740992}"), "n!"},
    {TEXT("{\"n\":-9007199254740992}"), "n!"},
    {TEXT("{\"n\":123456789012345678901234567890}"), "n!"},
    {TEXT("{\"n\":1e999999}"), "n!"},
    {TEXT("{\"n\":1E+2}"), "n=100"},
    {TEXT("{\"price\":12.34}"), "price=1234"},
    {TEXT("{\"price\":12}"), "price=1200"},
    {TEXT("{\"price\":12.345}"), "price!"},
    {TEXT("{\"a\":{\"b\":{\"c\":\"x\"}}}"), "deep=x b!"},
    {TEXT("{\"a\":{\"b\":\"y\"}}"), "b=y"},
    {TEXT("{\"a\":{\"b\":null}}"), ""},
    {TEXT("{\"a\":{\"x\":{\"b\":1,\"c\":2}}}"), ""},
    {TEXT("{\"a\":5,\"a\":{\"b\":1}}"), ""},
    {TEXT("{\"a\":{\"b\":1},\"a\":{\"b\":2}}"), "b=1"},
    {TEXT("{\"a\":{\"z\":1},\"a\":{\"b\":2}}"), ""},
    {TEXT("{\"a\":[{\"b\":1}]}"), ""},
    {TEXT("{\"a.b\":1,\"a\":{\"b.c\":2}}"), ""},
    {TEXT("{\"b\":1,\"c\":2}"), ""},
    {TEXT("{\"a_name_of_more_than_16_bytes_1\":1,\"a_name_of_more_than_16_bytes_2\":2}"),
     "long1=1 long2=2"},
    {TEXT("{\"a_name_of_more_than_16_bytes_3\":1,\"a_name_of_more_then_16_bytes_2\":2}"), ""},
    {TEXT("{\"second\":2,\"first\":1}"), "either=1"},
    {TEXT("{\"first\":1,\"second\":2}"), "either=1"},
    {TEXT("{\"second\":2,\"first\":null}"), "either=2"},
    {TEXT("{\"second\":2,\"first\":{}}"), "either!"},
    {TEXT("{\"either\":2}"), ""},
    {TEXT("{\"id\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
     "id=\"\\/\\x08\\x0c\\x0a\\x0d\\x09 id2=\"\\/\\x08\\x0c\\x0a\\x0d\\x09"},
    {TEXT("{\"id\":\"\\u00e9\\u20AC\\ud83d\\ude00\\u0000\"}"),
     "id=\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\x00 "
     "id2=\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\x00"},
    {TEXT("{\"id\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}"),
     "id=\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\x7f "
     "id2=\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\x7f"},
    {TEXT("{\"x\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80"
          "\x80\xf4\x8f\xbf\xbf\"}"),
     ""},
    {TEXT("{\"x\":[0,-0,1,-1,0.5,1e1,1E-1,1e+1,0e0,-0.0E0,10,1.50]}"), ""},
    {TEXT("{\"x\":[[],{},[[]],{\"\":{}},\"\",true,false,null, 1 , 2 ]}"), ""},
    /* the time */
    {TEXT("{\"value\":\"" STAMP "\"}"), "@1464433871123456"},
    {TEXT("{\"timestamp\":\"2016-05-28T12:11:11.123456+01:00\"}"), "@1464433871123456"},
    {TEXT("{\"@timestamp\":1464433871.123456}"), "@1464433871123456"},
    {TEXT("{\"time\":1464433871123}"), "@1464433871123000"},
    {TEXT("{\"date\":1464433871123456}"), "@1464433871123456"},
    {TEXT("{\"date\":\"2016-05-28\\u002011:11:11.123456\"}"), "@1464433871123456"},
    {TEXT("{\"date\":1,\"time\":2,\"@timestamp\":3,\"timestamp\":4,\"value\":5}"), "@5000000"},
    {TEXT("{\"timestamp\":4,\"@timestamp\":3,\"time\":2,\"date\":1}"), "@4000000"},
    {TEXT("{\"date\":1,\"time\":2}"), "@2000000"},
    {TEXT("{\"value\":null,\"time\":2}"), "@2000000"},
    {TEXT("{\"time\":\"no time\",\"value\":2}"), "@2000000"},
    {TEXT("{\"value\":2,\"time\":{}}"), "@2000000"},
    {TEXT("{\"value\":2,\"time\":3,\"time\":4}"), "@2000000"},
    {TEXT("{\"value\":2,\"x\":{\"value\":3,\"value\":4}}"), "@2000000"},
    {TEXT("{\"n\":1,\"n\":2,\"id\":1,\"id\":2}"), "id=1 n=1 id2=1"},
    {TEXT("{\"x\":{\"value\":2},\"y\":[{\"time\":3}]}"), ""},
    {TEXT("{\"id\":\"x\",\"value\":0}"), "@0 id=x id2=x"},
};

static const struct reading objects = {record_read_json, true};

START_TEST(what_is_an_event) {
    check_events(&objects, events, COUNT_OF(events));
}
END_TEST

START_TEST(blanks_alone_are_no_event) {
    char why[RECORD_WHY_MAX], dump[DUMP_MAX];
    ck_assert_int_eq(read_alone(&objects, "", 0, why, dump), RECORD_EMPTY);
    ck_assert_int_eq(read_alone(&objects, " \r\n\t", 4, why, dump), RECORD_EMPTY);
}
END_TEST

/* An event cut off anywhere is none, and is read no further than it goes. */
START_TEST(every_beginning_of_an_event_is_malformed) {
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        const size_t blanks = strcspn(events[i].text, "{");
        size_t end = events[i].len;
        while (events[i].text[end - 1] != '}') {
            end--;
        }
        for (size_t len = blanks + 1; len < end; len++) {
            char why[RECORD_WHY_MAX], dump[DUMP_MAX];
            DEMAND(read_alone(&objects, events[i].text, len, why, dump) == RECORD_MALFORMED &&
                       why[0],
                   "%.*s is taken", (int)len, events[i].text);
        }
    }
}
END_TEST

START_TEST(nesting_has_a_limit) {
    char text[256], why[RECORD_WHY_MAX], dump[DUMP_MAX];
    for (size_t depth = 60; depth < 70; depth++) { /* of arrays, within the event */
        size_t len = (size_t)sprintf(text, "{\"x\":");
        memset(text + len, '[', depth);
        memset(text + len + depth, ']', depth);
        len += 2 * depth;
        text[len++] = '}';
        ck_assert_int_eq(read_alone(&objects, text, len, why, dump),
                         depth < 64 ? RECORD_EVENT : RECORD_MALFORMED);
        ck_assert_str_eq(why, depth < 64 ? "" : "nested deeper than 64 at character 69");
    }
}
END_TEST

START_TEST(a_value_has_a_length) {
    static char text[8 * FIELD_TEXT_MAX];
    char why[RECORD_WHY_MAX], dump[DUMP_MAX];
    for (int escaped = 0; escaped < 2; escaped++) {
        for (size_t len = FIELD_TEXT_MAX; len <= FIELD_TEXT_MAX + 1; len++) {
            size_t at = (size_t)sprintf(text, "{\"first\":\"");
            for (size_t i = 0; i < len; i++) {
                at += (size_t)sprintf(text + at, escaped ? "\\u0041" : "A");
            }
            at += (size_t)sprintf(text + at, "\",\"n\":5}");
            ck_assert_int_eq(read_alone(&objects, text, at, why, dump), RECORD_EVENT);
            const bool fits = len <= FIELD_TEXT_MAX;
            ck_assert_uint_eq(lab_record.present, 1 << 1 | 1 << 7);
            ck_assert_uint_eq(lab_record.unfit, fits ? 0 : 1 << 7);
            ck_assert_uint_eq(strlen(dump),
                              fits ? strlen("n=5 either=") + len : strlen("n=5 either!"));
        }
    }
}
END_TEST

START_TEST(without_room_what_must_be_decoded_is_unfit) {
    char why[RECORD_WHY_MAX];
    static const char text[] = "{\"id\":\"a\\n\",\"first\":\"x\",\"a\":{\"b\":\"\\n\\n\"}}";
    struct record *record = lab_begin();
    record->room_len = 3;
    ck_assert_int_eq(record_read_json(record, fields, text, strlen(text), why), RECORD_EVENT);
    ck_assert_str_eq(lab_dump(record, fields), "id=a\\x0a b! either=x id2=a\\x0a");
    record_begin(record);
    record->room_len = 0;
    record->room = NULL;
    ck_assert_int_eq(record_read_json(record, fields, text, strlen(text), why), RECORD_EVENT);
    ck_assert_str_eq(lab_dump(record, fields), "id! b! either=x id2!");
}
END_TEST

START_TEST(the_names_of_the_time_can_be_others) {
    struct fields_config config = lab_config;
    config.times = 2;
    strcpy(config.time[0], "when");
    strcpy(config.time[1], "time");
    struct fields *own = fields_new(&config);
    static const struct {
        const char *text, *dump;
    } rows[] = {
        {"{\"time\":2,\"when\":1}", "@1000000"},
        {"{\"time\":2}", "@2000000"},
        {"{\"timestamp\":3,\"date\":4}", ""},
        {"{\"when\":1,\"value\":5}", "@5000000"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char why[RECORD_WHY_MAX];
        struct record *record = lab_begin();
        ck_assert_int_eq(record_read_json(record, own, rows[i].text, strlen(rows[i].text), why),
                         RECORD_EVENT);
        ck_assert_str_eq(lab_dump(record, own), rows[i].dump);
    }
    fields_free(own);
}
END_TEST

START_TEST(the_time_can_be_a_field_too) {
    const struct fields_config config = {
        .n = 1, .field = {{.name = "at", .places = 1, .place = {{FIELD_JSON, "time"}}}}};
    struct fields *own = fields_new(&config);
    char why[RECORD_WHY_MAX];
    struct record *record = lab_begin();
    ck_assert_int_eq(record_read_json(record, own, TEXT("{\"time\":\"" STAMP "\"}"), why),
                     RECORD_EVENT);
    ck_assert_str_eq(lab_dump(record, own), "@1464433871123456 at=" STAMP);
    record_begin(record);
    ck_assert_int_eq(record_read_json(record, own, TEXT("{\"time\":12,\"value\":34}"), why),
                     RECORD_EVENT);
    ck_assert_str_eq(lab_dump(record, own), "@34000000 at=12");
    fields_free(own);
}
END_TEST

/* Names that cannot stand in JSON as they are declared: they are found where they are escaped, and
 * a broken text that has them as they are is broken, whatever came before. */
START_TEST(names_that_need_escapes) {
    struct fields_config config = {
        .n = 2,
        .field = {{.name = "a", .places = 1, .place = {{FIELD_JSON, "a\"b"}}},
                  {.name = "b", .places = 1, .place = {{FIELD_JSON, "\xff"}}}}};
    static const char escaped[] = "{\"a\\\"b\":1}", raw[] = "{\"a\"b\":1}", bad[] = "{\"\xff\":1}";
    struct fields *own = fields_new(&config);
    for (int i = 0; i < 3; i++) {
        char why[RECORD_WHY_MAX];
        struct record *record = lab_begin();
        ck_assert_int_eq(record_read_json(record, own, TEXT(escaped), why), RECORD_EVENT);
        ck_assert_str_eq(lab_dump(record, own), "a=1");
        ck_assert_int_eq(record_read_json(record, own, TEXT(raw), why), RECORD_MALFORMED);
        ck_assert_int_eq(record_read_json(record, own, TEXT(bad), why), RECORD_MALFORMED);
    }
    fields_free(own);
}
END_TEST

START_TEST(an_object_without_a_time_names_those_it_might_have) {
    static const char *const texts[] = {"{}", "{\"valeu\":1}", "{\"value\":null}",
                                        "{\"x\":{\"value\":1}}"};
    char why[RECORD_WHY_MAX];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct record *record = lab_begin();
        record->timeless = false;
        ck_assert_int_eq(record_read_json(record, fields, texts[i], strlen(texts[i]), why),
                         RECORD_MALFORMED);
        ck_assert_str_eq(why, "no time: one of value, timestamp, @timestamp, time, date "
                              "(--time-field names others); --clock arrival needs none");
    }
    struct fields_config config = lab_config;
    config.times = FIELD_TIMES_MAX;
    for (unsigned i = 0; i < config.times; i++) {
        memset(config.time[i], 'a' + (int)i, FIELD_NAME_MAX - 1);
    }
    struct fields *many = fields_new(&config);
    lab_begin()->timeless = false;
    ck_assert_int_eq(record_read_json(&lab_record, many, TEXT("{}"), why), RECORD_MALFORMED);
    ck_assert_ptr_nonnull(strstr(why, ", ... (--time-field names others); --clock arrival needs"));
    fields_free(many);
}
END_TEST

START_TEST(what_is_unfit_says_why) {
    static const struct {
        const char *text;
        enum field_unfit why;
    } unfit[] = {{"{\"b\":0,\"a\":{\"b\":[1]}}", FIELD_IS_ARRAY},
                 {"{\"a\":{\"b\":{\"d\":1}}}", FIELD_IS_OBJECT},
                 {"{\"a\":{\"b\":\"%s\"}}", FIELD_TOO_LONG},
                 {"{\"a\":{\"b\":\"\\n%s\"}}", FIELD_TOO_LONG}};
    char text[2 * FIELD_TEXT_MAX], many[FIELD_TEXT_MAX + 2], why[RECORD_WHY_MAX];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(unfit); i++) {
        const char *place = strstr(unfit[i].text, "%s");
        if (place == NULL) {
            strcpy(text, unfit[i].text);
        } else {
            sprintf(text, "%.*s%s%s", (int)(place - unfit[i].text), unfit[i].text, many, place + 2);
        }
        ck_assert_int_eq(record_read_json(lab_begin(), fields, text, strlen(text), why),
                         RECORD_EVENT);
        ck_assert(lab_record.unfit >> 4 & 1);
        ck_assert_int_eq(lab_record.value[4].number, unfit[i].why);
    }
}
END_TEST

CHECK_MAIN_WITH(RECORD_FIXTURE, "json_record", what_is_an_event,
                an_object_without_a_time_names_those_it_might_have, what_is_unfit_says_why,
                blanks_alone_are_no_event, every_beginning_of_an_event_is_malformed,
                nesting_has_a_limit, a_value_has_a_length,
                without_room_what_must_be_decoded_is_unfit, the_names_of_the_time_can_be_others,
                the_time_can_be_a_field_too, names_that_need_escapes)
