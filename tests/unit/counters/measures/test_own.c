/* Measures of one's own: what is loaded and what is not, that they do what the built-in ones do,
 * and how they are named and shown (figure.c, figures.c). */
#include "counters/measures/own.h"

#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <stdio.h>
#include <string.h>

#define T0 INT64_C(1464433860000000)
#define US_PER_S 1000000

static char why[OWN_WHY_MAX];
static struct measure measure;
static struct lab_state state;
static struct lab_event event;

START_TEST(what_cannot_be_loaded) {
    static const struct {
        const char *file, *why;
    } rows[] = {
        {"nothing.so", "nothing.so: cannot be opened: No such file or directory"},
        {"bad-none.so", "bad-none.so: has no `const struct aforo_measure aforo_measure`"},
        {"bad-abi.so", "bad-abi.so: made for version 2 of aforo/measure.h"},
        {"bad-name.so", "bad-name.so: its name is no measure's name"},
        {"bad-taken.so", "bad-taken.so: there is a measure called `p99` already"},
        {"bad-functions.so", "`bad` lacks one of open, state_bytes, add, merge, print"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", MEASURES, rows[i].file);
        ck_assert_ptr_null(own_load(path, why));
        ck_assert_msg(strstr(why, rows[i].why), "%s", why);
        ck_assert_ptr_null(strchr(why, '\n'));
    }
    ck_assert_ptr_null(own_load("/dev/null", why));
    ck_assert_ptr_nonnull(strstr(why, "/dev/null"));
    ck_assert_ptr_null(own_at(0));
}
END_TEST

START_TEST(what_cannot_be_opened) {
    ck_assert_ptr_nonnull(own_load(MEASURES "/bad-bytes.so", why));
    ck_assert(measure_name(&measure, "bad"));
    ck_assert_str_eq(measure.kind->open(&measure), "it has no arguments");
    ck_assert(measure_name(&measure, "bad(x)"));
    ck_assert_str_eq(measure.kind->open(&measure),
                     "its state is empty or has more than 4096 bytes");
    ck_assert_ptr_null(measure.config);
}
END_TEST

START_TEST(loaded_once_under_its_name) {
    ck_assert_ptr_null(measure_find("ewma"));
    const struct measure_kind *kind = own_load(MEASURES "/ewma.so", why);
    ck_assert_msg(kind, "%s", why);
    ck_assert_ptr_eq(own_load(MEASURES "/../measures/ewma.so", why), kind);
    ck_assert_ptr_eq(own_at(0), kind);
    ck_assert_ptr_null(own_at(1));
    ck_assert_ptr_eq(measure_find("ewma"), kind);
    ck_assert_int_eq(kind->class, MEASURE_NEWEST);

    struct figure figure;
    char figure_why[FIGURE_WHY_MAX];
    ck_assert(figure_parse(" ewma ( x , 60s ) ", &figure, figure_why));
    ck_assert_str_eq(figure.text, "ewma(x,60s)");
    ck_assert_uint_eq(figure.measures, 1);
    ck_assert_str_eq(figure.needs[0], "ewma(x,60s)");
    ck_assert_int_eq(figure_wants(&figure), MEASURE_WANTS_OWN);
    ck_assert(figure_parse("ewma()", &figure, figure_why));
    ck_assert_str_eq(figure.text, "ewma");
    ck_assert(!figure_parse("ewma(a\x1f)", &figure, figure_why));
    ck_assert(!figure_parse("ewme", &figure, figure_why));
    ck_assert_str_eq(figure_why, "unknown measure `ewme`; did you mean `ewma`?");
}
END_TEST

static void begin(const char *path, const char *text) {
    ck_assert_msg(own_load(path, why), "%s", why);
    ck_assert(measure_name(&measure, text));
    const char *sentence = measure.kind->open(&measure);
    ck_assert_msg(!sentence, "%s", sentence ? sentence : "");
    state = lab_state_new(&measure);
}

static void end(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

static void add_at(int64_t us) {
    lab_number(&event, us, 1);
    ck_assert(lab_add(&state, &event.event));
}

START_TEST(the_decaying_rate) {
    begin(MEASURES "/ewma.so", "ewma(8s)");
    struct figure_value value;
    ck_assert_uint_eq(measure.words, 65);
    for (int i = 0; i < 6400; i++) { /* 100 a second, for eight half-lives, in any order */
        add_at(T0 + (int64_t)(i * 2713 % 6400) * US_PER_S / 100);
    }
    lab_figure("ewma(8s)", &state, 6400, 0, &value);
    ck_assert_int_eq(value.type, FIGURE_NUMBER);
    ck_assert_double_eq_tol(atof(value.text), 100, 6);
    add_at(T0 + 64 * US_PER_S + 8 * US_PER_S); /* nothing for a half-life */
    lab_figure("ewma(8s)", &state, 6401, 0, &value);
    ck_assert_double_eq_tol(atof(value.text), 50, 6);
    end();
}
END_TEST

START_TEST(nothing_more_after_the_start) {
    const struct measure_kind *kind = own_load(MEASURES "/ewma.so", why);
    own_seal();
    ck_assert_ptr_eq(own_load(MEASURES "/ewma.so", why), kind);
    ck_assert_ptr_null(own_load(MEASURES "/broken.so", why));
    ck_assert_ptr_nonnull(strstr(why, "broken.so: was not there at the start"));
    ck_assert_ptr_null(own_at(1));
}
END_TEST

START_TEST(arguments_are_checked_by_the_measure) {
    ck_assert_ptr_nonnull(own_load(MEASURES "/ewma.so", why));
    static const char *const texts[] = {"ewma", "ewma(0s)", "ewma(60)", "ewma(3601s)", "ewma(xs)"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert(measure_name(&measure, texts[i]));
        ck_assert_str_eq(measure.kind->open(&measure),
                         "needs a half-life of 1s to 3600s, as in ewma(60s)");
    }
}
END_TEST

START_TEST(told_as_bytes) {
    begin(MEASURES "/ewma.so", "ewma(8s)");
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 0);
    lab_components_free(components);
    add_at(T0);
    add_at(T0 + 5 * US_PER_S);
    components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 1);
    ck_assert_str_eq(components->name[0], "ewma(8s)");
    ck_assert_int_eq(components->component[0].rule, COMPONENT_BLOB);
    ck_assert_uint_eq(components->component[0].len, 65 * 8);
    struct lab_state told = lab_state_new(&measure);
    ck_assert(measure.kind->absorb(&measure, told.words, &components->component[0]));
    ck_assert_mem_eq(told.words, state.words, measure.words * sizeof(uint64_t));
    struct component shorter = components->component[0];
    shorter.len--;
    ck_assert(!measure.kind->absorb(&measure, told.words, &shorter));
    shorter.len++;
    shorter.name = "ewma(9s)";
    ck_assert(!measure.kind->absorb(&measure, told.words, &shorter));
    lab_components_free(components);
    lab_state_free(&told);
    end();
}
END_TEST

START_TEST(states_that_end_within_a_word) {
    begin(MEASURES "/bad-odd.so", "bad(x)");
    ck_assert_uint_eq(measure.words, 2);
    add_at(T0);
    ck_assert_uint_eq(state.words[1], 1);
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->component[0].len, 9);
    lab_components_free(components);
    struct figure_value value;
    lab_figure("bad(x)", &state, 1, 0, &value);
    ck_assert_int_eq(value.type, FIGURE_NUMBER);
    ck_assert_str_eq(value.text, "-1.5");
    char text[5] = "....";
    ck_assert_uint_eq(own_print(&measure, state.words, text, 4), 3);
    ck_assert_str_eq(text, "xxx"); /* cut, whatever it wrote and says that it wrote */
    end();
}
END_TEST

START_TEST(only_words_that_change_are_noted) {
    begin(MEASURES "/ewma.so", "ewma(8s)");
    ck_assert_uint_eq(measure.kind->puts(&measure), 65);
    add_at(T0);
    ck_assert_uint_eq(state.puts, 2);
    add_at(T0);
    ck_assert_uint_eq(state.puts, 1);
    end();
}
END_TEST

CHECK_MAIN("measures: one's own", what_cannot_be_loaded, what_cannot_be_opened,
           loaded_once_under_its_name, the_decaying_rate, nothing_more_after_the_start,
           arguments_are_checked_by_the_measure, told_as_bytes, states_that_end_within_a_word,
           only_words_that_change_are_noted)
