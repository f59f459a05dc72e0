/* Objects one a line, in one text: each is read as it is alone, and ends where its line ends; what
 * alone is no event is left to whoever looks for the line's end. */
#include "ingest/json_lines.h"

#include "tests/unit/ingest/record_fixture.h"

#define LONG "0123456789abcdef0123456789abcdef"

/* Lines without their ends. */
static const struct sample lines[] = {
    {TEXT("{\"value\":1464433871,\"id\":\"x\",\"n\":7}"), "event"},
    {TEXT("{\"value\":\"" STAMP "\",\"id\":\"y\",\"n\":8}"), "event"},
    {TEXT("{\"value\":\"" STAMP "\",\"id\":\"y\",\"n\":8}\r"), "event"},
    {TEXT(" \t{ \"n\" : 8 , \"price\" : 1.25 } \t\r"), "event"},
    {TEXT("{}"), "event"},
    {TEXT("{\"id\":\"" LONG "\",\"a\":{\"b\":{\"c\":\"deep\"}}}"), "event"},
    {TEXT("{\"id\":\"a\\n\\u00e9" LONG "\",\"x\":[1,{\"y\":[]},true,null]}"), "event"},
    {TEXT("{\"id\":\"\xc3\xa9\",\"n\":123456789012}"), "event"},
    {TEXT("{\"a_name_of_more_than_16_bytes_1\":\"" LONG LONG "\"}"), "event"},
    {TEXT("{\"n\":\"seven\",\"id\":[1]}"), "event"},
    {TEXT(""), "none"},
    {TEXT(" \r"), "none"},
    {TEXT("x"), "none"},
    {TEXT("{"), "none"},
    {TEXT("}"), "none"},
    {TEXT("{\"n\":"), "none"},
    {TEXT("{\"n\":1,"), "none"},
    {TEXT("{\"n\":1"), "none"},
    {TEXT("{\"n\""), "none"},
    {TEXT("\"n\":1}"), "none"},
    {TEXT("{\"id\":\"half"), "none"},
    {TEXT("{\"id\":\"half\\"), "none"},
    {TEXT("{\"id\":\"" LONG), "none"},
    {TEXT("{\"x\":[1,"), "none"},
    {TEXT("{\"x\":-"), "none"},
    {TEXT("{\"x\":1.}"), "none"},
    {TEXT("{\"id\":\"\xff\"}"), "none"},
    {TEXT("{}{}"), "none"},
    {TEXT("{} x"), "none"},
    {TEXT("{\"value\":\"yesterday\"}"), "none"},
    {TEXT("{\"value\":1,\"value\":2}"), "none"},
    {TEXT("{\"value\":[]}"), "none"},
};

/* What a line is alone. */
static bool read_line_alone(const struct sample *line, char dump[DUMP_MAX]) {
    static const struct reading objects = {record_read_json, true};
    char why[RECORD_WHY_MAX];
    return read_alone(&objects, line->text, line->len, why, dump) == RECORD_EVENT;
}

/* The lines first and second, each with its LF, in a text of their own. */
static void check_two(const struct sample *first, const struct sample *second) {
    char text[512], dump[DUMP_MAX];
    const size_t len = first->len + second->len + 2;
    memcpy(text, first->text, first->len);
    text[first->len] = '\n';
    memcpy(text + first->len + 1, second->text, second->len);
    text[len - 1] = '\n';
    char *copy = lab_copy(text, len);
    struct json_lines all;
    json_lines_begin(&all, copy, len);
    const char *at = copy;
    for (int i = 0; i < 2; i++) {
        const struct sample *line = i ? second : first;
        const bool is_event = read_line_alone(line, dump);
        ck_assert_msg(is_event == (line->expected[0] == 'e'), "%s", line->text);
        const char *end = json_lines_read(&all, lab_begin(), fields, at);
        ck_assert_msg((end != NULL) == is_event, "%s", line->text);
        ck_assert(!end || end == at + line->len);
        ck_assert(!end || strcmp(lab_dump(&lab_record, fields), dump) == 0);
        at += line->len + 1;
    }
    ck_assert_ptr_null(json_lines_read(&all, lab_begin(), fields, at));
    free(copy);
}

START_TEST(lines_are_read_as_they_are_alone) {
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        for (size_t j = 0; j < COUNT_OF(lines); j++) {
            check_two(&lines[i], &lines[j]);
        }
    }
}
END_TEST

START_TEST(a_line_without_its_end_is_left_alone) {
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char *copy = lab_copy(lines[i].text, lines[i].len);
        struct json_lines all;
        json_lines_begin(&all, copy, lines[i].len);
        ck_assert_ptr_null(json_lines_read(&all, lab_begin(), fields, copy));
        free(copy);
    }
}
END_TEST

/* A line end between two words is a blank of JSON, and still the end of a line. */
START_TEST(an_object_of_several_lines_is_none) {
    static const char *const texts[] = {
        "{\n\"n\":1}\n",   "{\"n\"\n:1}\n",          "{\"n\":\n1}\n",
        "{\"n\":1\n}\n",   "{\"n\":1,\n\"id\":2}\n", "{\"x\":[\n1]}\n",
        "{\"x\":[1\n]}\n", "{\"id\":\"a\nb\"}\n",    "\n{\"n\":1}\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *copy = lab_copy(texts[i], strlen(texts[i]));
        struct json_lines all;
        json_lines_begin(&all, copy, strlen(texts[i]));
        ck_assert_msg(!json_lines_read(&all, lab_begin(), fields, copy), "%s", texts[i]);
        free(copy);
    }
}
END_TEST

CHECK_MAIN_WITH(RECORD_FIXTURE, "json_lines", lines_are_read_as_they_are_alone,
                a_line_without_its_end_is_left_alone, an_object_of_several_lines_is_none)
