/* first(x), last(x): the value at the edge of the events' times, whatever came first. */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <string.h>

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void begin(const char *text) {
    lab_open(&measure, text);
    state = lab_state_new(&measure);
}

static void end(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

static void add(int64_t us, const char *text) {
    lab_text(&event, us, text, strlen(text));
    ck_assert(lab_add(&state, &event.event));
}

static void demand(const char *figure, enum figure_type type, const char *text) {
    struct figure_value value = {.text = "of before"};
    lab_figure(figure, &state, 1, 2, &value);
    ck_assert_int_eq(value.type, type);
    ck_assert_str_eq(value.text, text);
    ck_assert_uint_eq(value.len, strlen(text));
}

START_TEST(the_first_by_time) {
    begin("earliest(x)");
    demand("first(x)", FIGURE_NONE, "");
    add(50, "fifty");
    add(60, "sixty");
    demand("first(x)", FIGURE_TEXT, "fifty");
    add(0, "");
    demand("first(x)", FIGURE_TEXT, "");
    add(0, "b");
    add(0, "a");
    demand("first(x)", FIGURE_TEXT, "b");
    add(0, "ba");
    demand("first(x)", FIGURE_TEXT, "ba");
    end();
}
END_TEST

START_TEST(the_last_by_time) {
    begin("latest(x)");
    add(1464433860000000, "a value that is not so short");
    add(1464433860000000, "a value");
    add(1464433859999999, "z");
    demand("last(x)", FIGURE_TEXT, "a value that is not so short");
    add(1464433860000001, "short"); /* and nothing is left of the longer one */
    demand("last(x)", FIGURE_TEXT, "short");
    struct lab_state fresh = state;
    state = lab_state_new(&measure);
    add(1464433860000001, "short");
    ck_assert_mem_eq(state.words, fresh.words, measure.words * sizeof(uint64_t));
    lab_state_free(&fresh);
    end();
}
END_TEST

START_TEST(numbers_are_shown_as_they_came) {
    begin("latest(x)");
    lab_number(&event, 7, 1250);
    event.value[0].text = "12.50";
    event.value[0].len = 5;
    ck_assert(lab_add(&state, &event.event));
    demand("last(x)", FIGURE_NUMBER, "12.50");
    end();
}
END_TEST

START_TEST(long_values_are_cut) {
    begin("latest(x)");
    char text[61];
    memset(text, 'x', 60);
    text[60] = '\0';
    add(1, text);
    text[48] = '\0';
    demand("last(x)", FIGURE_TEXT, text);
    end();
}
END_TEST

START_TEST(blobs) {
    begin("latest(x)");
    unsigned char bytes[9 + 49] = {0};
    struct component component = {
        .name = "latest(x)", .rule = COMPONENT_BLOB, .bytes = bytes, .len = 10};
    ck_assert(!measure.kind->absorb(&measure, state.words, &component)); /* no time */
    bytes[0] = 1;
    bytes[7] = 0x40;
    bytes[9] = 'v';
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    demand("last(x)", FIGURE_TEXT, "v");
    bytes[8] = 2;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    bytes[8] = 1;
    component.len = 8;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    component.len = 9 + 49;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    component.len = 9 + 48;
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    bytes[7] = 0x80;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    end();
}
END_TEST

CHECK_MAIN("measures: first and last of a field", the_first_by_time, the_last_by_time,
           numbers_are_shown_as_they_came, long_values_are_cut, blobs)
