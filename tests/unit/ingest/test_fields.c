#include "ingest/field_names.h"
#include "tests/unit/ingest/record_lab.h"

static void take(struct record *record, const struct fields *fields, unsigned i, unsigned rank,
                 const char *text) {
    record_take(record, fields, i, rank, text, strlen(text));
}

START_TEST(what_was_declared_is_told) {
    struct fields *fields = fields_new(&lab_config);
    ck_assert_uint_eq(fields_count(fields), lab_config.n);
    ck_assert_str_eq(fields_at(fields, 2)->name, "price");
    ck_assert(fields_use(fields, FIELD_FORM) && fields_use(fields, FIELD_QUERY) &&
              fields_use(fields, FIELD_JSON) && fields_use(fields, FIELD_LINE));
    ck_assert(!fields_use(fields, FIELD_HEADER));
    ck_assert_ptr_null(fields_header(fields, 0));
    fields_free(fields);
    fields_free(NULL);
}
END_TEST

START_TEST(nothing_need_be_declared) {
    struct fields *fields = fields_new(&(const struct fields_config){0});
    char why[RECORD_WHY_MAX];
    struct record *record = lab_begin();
    ck_assert_uint_eq(fields_count(fields), 0);
    ck_assert(!fields_use(fields, FIELD_JSON));
    ck_assert(record_read_form(record, fields, FIELD_FORM, TEXT("a=1")));
    ck_assert(!record_read_form(record, fields, FIELD_FORM, TEXT("a=%")));
    ck_assert_int_eq(record_read_json(record, fields, TEXT("{\"time\":1}"), why), RECORD_EVENT);
    ck_assert_str_eq(lab_dump(record, fields), "@1000000");
    fields_free(fields);
}
END_TEST

START_TEST(the_earlier_place_wins_whatever_the_order) {
    struct fields *fields = fields_new(&lab_config);
    struct record *record = lab_begin();
    take(record, fields, 7, 1, "b");
    take(record, fields, 7, 2, "c");
    ck_assert_str_eq(lab_dump(record, fields), "either=b");
    take(record, fields, 7, 0, "a");
    take(record, fields, 7, 0, "z");
    ck_assert_str_eq(lab_dump(record, fields), "either=a");
    take(record, fields, 1, 1, "x");
    ck_assert_str_eq(lab_dump(record, fields), "n! either=a");
    take(record, fields, 1, 0, "5"); /* it takes the place of one that is unfit */
    ck_assert_str_eq(lab_dump(record, fields), "n=5 either=a");
    ck_assert_uint_eq(record->unfit, 0);
    record_begin(record);
    ck_assert_str_eq(lab_dump(record, fields), "");
    fields_free(fields);
}
END_TEST

START_TEST(a_number_has_its_text_too) {
    struct fields *fields = fields_new(&lab_config);
    struct record *record = lab_begin();
    take(record, fields, 2, 0, "12.340");
    ck_assert_int_eq(record->value[2].number, 1234);
    ck_assert_uint_eq(record->value[2].len, 6);
    ck_assert_int_eq(memcmp(record->value[2].text, "12.340", 6), 0);
    fields_free(fields);
}
END_TEST

START_TEST(an_event_inherits_from_its_request) {
    struct fields *fields = fields_new(&lab_config);
    struct record request = {0};
    request.timed = true;
    take(&request, fields, 7, 2, "query");
    take(&request, fields, 1, 1, "x");
    take(&request, fields, 2, 1, "1.5");
    struct record *record = lab_begin();
    record_inherit(record, &request);
    ck_assert_str_eq(lab_dump(record, fields), "n! price=150 either=query");
    ck_assert(!record->timed);
    take(record, fields, 7, 1, "json"); /* and what the event has itself may stand before it */
    take(record, fields, 1, 0, "7");
    ck_assert_str_eq(lab_dump(record, fields), "n=7 price=150 either=json");
    record_begin(record);
    take(record, fields, 7, 1, "json");
    take(record, fields, 1, 0, "7");
    take(record, fields, 2, 2, "2");
    record_inherit(record, &request);
    ck_assert_str_eq(lab_dump(record, fields), "n=7 price=150 either=json");
    fields_free(fields);
}
END_TEST

START_TEST(a_name_is_used_where_a_field_may_be) {
    const struct fields_config config = {
        .n = 2,
        .field = {{.name = "a", .places = 1, .place = {{FIELD_FORM, "value"}}},
                  {.name = "b", .places = 1, .place = {{FIELD_JSON, "x.y"}}}}};
    struct fields *fields = fields_new(&config);
    ck_assert(fields_use_name(fields, FIELD_FORM, "value"));
    ck_assert(!fields_use_name(fields, FIELD_FORM, "valu"));
    ck_assert(!fields_use_name(fields, FIELD_QUERY, "value"));
    ck_assert(!fields_use_name(fields, FIELD_JSON, "value")); /* the time, but no field */
    ck_assert(!fields_use_name(fields, FIELD_JSON, "x"));
    fields_free(fields);
}
END_TEST

START_TEST(headers_are_told_once_each) {
    const struct fields_config config = {
        .n = 3,
        .field = {
            {.name = "a", .places = 2, .place = {{FIELD_HEADER, "X-A"}, {FIELD_HEADER, "X-B"}}},
            {.name = "b", .places = 1, .place = {{FIELD_HEADER, "x-a"}}},
            {.name = "c", .places = 2, .place = {{FIELD_JSON, "c"}, {FIELD_HEADER, "X-C"}}}}};
    struct fields *fields = fields_new(&config);
    ck_assert_str_eq(fields_header(fields, 0), "X-A");
    ck_assert_str_eq(fields_header(fields, 1), "X-B");
    ck_assert_str_eq(fields_header(fields, 2), "X-C");
    ck_assert_ptr_null(fields_header(fields, 3));
    ck_assert(fields_use(fields, FIELD_HEADER));
    struct record *record = lab_begin();
    record_take_header(record, fields, 1, TEXT("2"));
    record_take_header(record, fields, 0, TEXT("1"));
    record_take_header(record, fields, 2, TEXT("3"));
    ck_assert_str_eq(lab_dump(record, fields), "a=1 b=1 c=3");
    fields_free(fields);
}
END_TEST

/* As many as can be, of any lengths, some of which differ in one byte alone: each is found, and
 * none is taken for another. */
START_TEST(every_declared_name_is_found) {
    static struct fields_config config;
    config.n = FIELDS_MAX;
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        struct field *field = &config.field[i];
        snprintf(field->name, sizeof field->name, "f%u", i);
        field->places = FIELD_PLACES_MAX;
        for (unsigned p = 0; p < FIELD_PLACES_MAX; p++) {
            struct field_place *place = &field->place[p];
            const unsigned number = i * FIELD_PLACES_MAX + p, len = 3 + number % 120;
            place->source = (enum field_source)(number % FIELD_HEADER);
            memset(place->name, 'a' + (char)(number % 3), len);
            place->name[number * 7 % (len - 2)] = (char)('A' + number / 120);
            if (place->source == FIELD_JSON && len > 20) {
                place->name[len / 2] = place->name[10] = '.';
            }
        }
    }
    struct fields *fields = fields_new(&config);
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        for (unsigned p = 0; p < FIELD_PLACES_MAX; p++) {
            const struct field_place *place = &config.field[i].place[p];
            unsigned node = FIELD_ROOT + place->source;
            const char *at = place->name;
            for (const char *end = at; *end != '\0'; at = end + 1) {
                end = place->source == FIELD_JSON ? at + strcspn(at, ".") : at + strlen(at);
                const struct field_name name = field_name_of(at, (size_t)(end - at));
                node = field_find(fields, node, &name);
                if (*end == '\0') {
                    break;
                }
            }
            ck_assert_uint_ne(node, FIELD_UNKNOWN);
            struct record *record = lab_begin();
            field_take(fields, node, record, "x", 1);
            ck_assert_msg(record->present >> i & 1 && record->rank[i] == p, "%s", place->name);
            for (const char *c = place->name; *c != '\0'; c++) {
                char other[FIELD_PLACE_MAX];
                strcpy(other, place->name);
                other[c - place->name] = '~';
                const struct field_name name = field_name_of(other, strlen(other));
                ck_assert_uint_eq(field_find(fields, FIELD_ROOT + place->source, &name),
                                  FIELD_UNKNOWN);
            }
        }
    }
    fields_free(fields);
}
END_TEST

CHECK_MAIN("fields", what_was_declared_is_told, nothing_need_be_declared,
           the_earlier_place_wins_whatever_the_order, a_number_has_its_text_too,
           an_event_inherits_from_its_request, a_name_is_used_where_a_field_may_be,
           headers_are_told_once_each, every_declared_name_is_found)
