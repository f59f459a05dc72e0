#include "tests/unit/ingest/record_fixture.h"

static const struct sample forms[] = {
    {TEXT(""), ""},
    {TEXT("value=" STAMP), ""},
    {TEXT("id=x&value=" STAMP "&n=7"), "id=x n=7 id2=x"},
    {TEXT("n=7\n"), "n=7"},
    {TEXT("id=x\r\n"), "id=x id2=x"},
    {TEXT("id=x\n\n"), "id=x\\x0a id2=x\\x0a"},
    {TEXT("id=x\r"), "id=x\\x0d id2=x\\x0d"},
    {TEXT("id"), "id= id2="},
    {TEXT("id="), "id= id2="},
    {TEXT("&&id=x&&"), "id=x id2=x"},
    {TEXT("id=1&id=2"), "id=1 id2=1"},
    {TEXT("id=a=b"), "id=a=b id2=a=b"},
    {TEXT("id=a+b%2Bc%26%3d%e9%00"), "id=a b+c&=\\xe9\\x00 id2=a b+c&=\\xe9\\x00"},
    {TEXT("id=\xff\0"), "id=\\xff\\x00 id2=\\xff\\x00"},
    {TEXT("%69d=x"), "id=x id2=x"},
    {TEXT("i%64=x&id=y"), "id=x id2=x"},
    {TEXT("+id=x&id+=y&ID=z&i=1&idd=2&=3"), ""},
    {TEXT("n=%37"), "n=7"},
    {TEXT("n=+7"), "n!"},
    {TEXT("n="), "n!"},
    {TEXT("price=12.34"), "price=1234"},
    {TEXT("a_name_of_more_than_16_bytes_1=x&a_name_of_more_than_16_bytes_%32=y"),
     "long1=x long2=y"},
    {TEXT("either=x"), ""},
    {TEXT("a.b=x"), ""},
};

static const char *const broken[] = {"%",      "id=x%", "id=x&other=%2", "id=x&%zz",
                                     "id=%2g", "%%20",  "n=7&x=%g2\n"};

START_TEST(what_a_form_has) {
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        char *copy = lab_copy(forms[i].text, forms[i].len);
        struct record *record = lab_begin();
        ck_assert_msg(record_read_form(record, fields, FIELD_FORM, copy, forms[i].len), "%s",
                      forms[i].text);
        ck_assert_msg(!record->timed && strcmp(lab_dump(record, fields), forms[i].expected) == 0,
                      "%s: \"%s\"", forms[i].text, lab_dump(record, fields));
        free(copy);
    }
}
END_TEST

START_TEST(nothing_is_taken_of_a_broken_form) {
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        for (int source = FIELD_FORM; source <= FIELD_QUERY; source++) {
            char *copy = lab_copy(broken[i], strlen(broken[i]));
            struct record *record = lab_begin();
            ck_assert_msg(!record_read_form(record, fields, source, copy, strlen(broken[i])), "%s",
                          broken[i]);
            ck_assert_uint_eq(record->present, 0);
            free(copy);
        }
    }
}
END_TEST

START_TEST(a_query_has_names_of_its_own) {
    struct record *record = lab_begin();
    ck_assert(record_read_form(record, fields, FIELD_QUERY, TEXT("id=x&either=a%20b")));
    ck_assert_str_eq(lab_dump(record, fields), "either=a b");
}
END_TEST

START_TEST(a_value_has_a_length) {
    static char text[4 * FIELD_TEXT_MAX];
    for (int escaped = 0; escaped < 2; escaped++) {
        for (size_t len = FIELD_TEXT_MAX; len <= FIELD_TEXT_MAX + 1; len++) {
            size_t at = (size_t)sprintf(text, "id=");
            for (size_t i = 0; i < len; i++) {
                at += (size_t)sprintf(text + at, escaped ? "%%41" : "A");
            }
            struct record *record = lab_begin();
            ck_assert(record_read_form(record, fields, FIELD_FORM, text, at));
            ck_assert_uint_eq(record->present, 1 | 1 << 8);
            ck_assert_uint_eq(record->unfit, len <= FIELD_TEXT_MAX ? 0 : 1 | 1 << 8);
        }
    }
}
END_TEST

START_TEST(without_room_what_must_be_decoded_is_unfit) {
    struct record *record = lab_begin();
    record->room_len = 2;
    ck_assert(record_read_form(record, fields, FIELD_FORM, TEXT("id=a+&price=1&n=%31")));
    ck_assert_str_eq(lab_dump(record, fields), "id=a  n! price=100 id2=a ");
}
END_TEST

CHECK_MAIN_WITH(RECORD_FIXTURE, "form_record", what_a_form_has, nothing_is_taken_of_a_broken_form,
                a_query_has_names_of_its_own, a_value_has_a_length,
                without_room_what_must_be_decoded_is_unfit)
