/* Which reports there are, as text and as JSON. */
#include "view/report_list.h"

#include "tests/unit/check_main.h"
#include "tests/unit/view/report_lab.h"

#include <string.h>

static struct text text;
static struct report plain;

static void set_up(void) {
    lab_set_up("sum(seconds) first");
    text = (struct text){0};
    strcpy(plain.table.name, "visitors");
    strcpy(plain.table.digest, "00000000000000ff");
    plain.table.widths = 1;
    plain.table.width_us[0] = LAB_WIDTH_US;
    plain.figures = 1;
    plain.figure[0] = lab_report.figure[1];
}

static void tear_down(void) {
    text_free(&text);
    lab_tear_down();
}

static const struct table_status status = {
    .rows = 3, .rows_room = 19000, .other = 7, .keys_wanted = 12, .memory = 21 << 20};
static const uint64_t unfit[] = {2, 0, 5}, gone = 4;

START_TEST(a_table) {
    const struct report_listing listing[] = {{&lab_fields, &lab_report, &status, unfit, &gone},
                                             {&lab_fields, &plain, NULL, NULL, NULL}};
    report_list_add(ROWS_TEXT, &(const struct report_list){.listing = listing, .n = 2}, &text);
    ck_assert_str_eq(
        lab_string(&text),
        "REPORT    DIGEST            WINDOWS  BY             SHOW                ROWS   ROOM  "
        "(OTHER)  WANTED  MEMORY  GONE  UNFIT\n"
        "billing   0123456789abcdef  1s,1min  flight,client  sum(seconds),first     3  19000  "
        "      7      12  21 MiB     4  seconds=2,client=5\n"
        "visitors  00000000000000ff  1min     -              first                  -      -  "
        "      -       -       -     -  -\n");
}
END_TEST

START_TEST(an_object) {
    const struct report_listing listing[] = {{&lab_fields, &lab_report, &status, unfit, &gone},
                                             {&lab_fields, &plain, NULL, NULL, NULL}};
    report_list_add(ROWS_JSON, &(const struct report_list){.listing = listing, .n = 2}, &text);
    ck_assert_str_eq(
        lab_string(&text),
        "{\"reports\":[\n"
        "{\"name\":\"billing\",\"digest\":\"0123456789abcdef\",\"windows\":[\"1s\",\"1min\"],"
        "\"by\":[\"flight\",\"client\"],\"show\":[\"sum(seconds)\",\"first\"],\"rows\":3,"
        "\"rows_room\":19000,\"other\":7,\"keys_wanted\":12,\"memory\":22020096,\"gone\":4,"
        "\"unfit\":{\"seconds\":2,\"client\":5}},\n"
        "{\"name\":\"visitors\",\"digest\":\"00000000000000ff\",\"windows\":[\"1min\"],\"by\":[],"
        "\"show\":[\"first\"]}\n]}\n");
    text.len = 0;
    report_list_add(ROWS_JSON, &(const struct report_list){.listing = NULL, .n = 0}, &text);
    ck_assert_str_eq(lab_string(&text), "{\"reports\":[\n]}\n");
}
END_TEST

START_TEST(nothing_unfit) {
    static const uint64_t none[3];
    const struct report_listing listing = {&lab_fields, &lab_report, &status, none, &gone};
    report_list_add(ROWS_JSON, &(const struct report_list){.listing = &listing, .n = 1}, &text);
    ck_assert_ptr_nonnull(strstr(lab_string(&text), "\"unfit\":{}}"));
    text.len = 0;
    report_list_add(ROWS_TEXT, &(const struct report_list){.listing = &listing, .n = 1}, &text);
    ck_assert_ptr_nonnull(strstr(lab_string(&text), "  21 MiB     4  0\n"));
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_list", a_table, an_object, nothing_unfit)
