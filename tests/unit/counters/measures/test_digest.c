/* digest: the text that is hashed, the halves that wrap apart, and what is told of them. */
#define XXH_INLINE_ALL
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void set_up(void) {
    lab_open(&measure, "digest");
    state = lab_state_new(&measure);
}

static void tear_down(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

/* An event of the fields a, b, c; NULL: it is not there. */
static void add(int64_t us, const char *a, const char *b, const char *c) {
    const char *texts[] = {a, b, c};
    lab_fields(&event, us, 0);
    for (int i = 0; i < LAB_FIELDS; i++) {
        event.value[i].kind = texts[i] ? AFORO_TEXT : AFORO_ABSENT;
        event.value[i].text = texts[i] ? texts[i] : "not there";
        event.value[i].len = (uint32_t)strlen(event.value[i].text);
    }
    ck_assert(lab_add(&state, &event.event));
}

static uint64_t hash(const char *text) {
    return XXH3_64bits(text, strlen(text));
}

START_TEST(the_text_of_an_event) {
    add(0, NULL, NULL, NULL);
    ck_assert_uint_eq(state.words[0], hash("0"));
    state.words[0] = 0;
    add(1464433860000000, "7", NULL, "AA1");
    ck_assert_uint_eq(state.words[0], hash("1464433860000000\x1f"
                                           "a\x1f"
                                           "7\x1f"
                                           "c\x1f"
                                           "AA1"));
    state.words[0] = 0;
    add(12, NULL, "", NULL); /* an empty value is not an absent one */
    ck_assert_uint_eq(state.words[0], hash("12\x1f"
                                           "b\x1f"));
}
END_TEST

START_TEST(no_value_looks_like_another_field) {
    static const struct {
        const char *a, *b, *c, *text;
    } rows[] = {
        {"1\x1f"
         "b\x1f"
         "2",
         NULL, NULL,
         "9\x1f"
         "a\x1f"
         "1\x1f\x1f"
         "b\x1f\x1f"
         "2"},
        {"1", "2", NULL,
         "9\x1f"
         "a\x1f"
         "1\x1f"
         "b\x1f"
         "2"},
        {"\x1f", "", "\x1f\x1f",
         "9\x1f"
         "a\x1f\x1f\x1f\x1f"
         "b\x1f\x1f"
         "c\x1f\x1f\x1f\x1f\x1f"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        state.words[0] = 0;
        add(9, rows[i].a, rows[i].b, rows[i].c);
        ck_assert_uint_eq(state.words[0], hash(rows[i].text));
    }
}
END_TEST

START_TEST(numbers_are_hashed_as_they_came) {
    lab_fields(&event, 5, 0);
    event.value[1] =
        (struct aforo_value){.text = "1.50", .len = 4, .kind = AFORO_NUMBER, .number = 150};
    ck_assert(lab_add(&state, &event.event));
    ck_assert_uint_eq(state.words[0], hash("5\x1f"
                                           "b\x1f"
                                           "1.50"));
}
END_TEST

START_TEST(long_events_are_hashed_alike) {
    static char value[3][1100], text[4000];
    for (size_t len = 600; len < 1100; len += 7) { /* on both sides of the short ones' end */
        for (int i = 0; i < 3; i++) {
            memset(value[i], 'x' + i, len);
            value[i][len] = '\0';
        }
        snprintf(text, sizeof text,
                 "9\x1f"
                 "a\x1f%s\x1f"
                 "b\x1f%s\x1f"
                 "c\x1f%s",
                 value[0], value[1], value[2]);
        state.words[0] = 0;
        add(9, value[0], value[1], value[2]);
        ck_assert_uint_eq(state.words[0], hash(text));
    }
}
END_TEST

START_TEST(halves_wrap_apart) {
    state.words[0] = UINT64_C(0xffffffffffffffff);
    add(0, NULL, NULL, NULL);
    const uint64_t h = hash("0");
    ck_assert_uint_eq(state.words[0] >> 32, (uint32_t)((h >> 32) - 1));
    ck_assert_uint_eq(state.words[0] & 0xffffffff, (uint32_t)(h - 1));
}
END_TEST

START_TEST(told_and_shown) {
    state.words[0] = UINT64_C(0x00000000fffffffe);
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 2); /* also a half that wrapped to 0 */
    ck_assert_int_eq(lab_find(components, "digest:high")->value, 0);
    ck_assert_int_eq(lab_find(components, "digest:low")->value, 0xfffffffe);
    ck_assert_int_eq(components->component[0].rule, COMPONENT_WRAP);
    lab_components_free(components);
    struct figure_value value;
    lab_figure("digest", &state, 2, 0, &value);
    ck_assert_int_eq(value.type, FIGURE_TEXT);
    ck_assert_str_eq(value.text, "00000000fffffffe");

    struct component component = {"digest:low", COMPONENT_WRAP, 3, NULL, 0};
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    ck_assert_uint_eq(state.words[0], 1);
    component.value = INT64_C(1) << 32;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
}
END_TEST

static const struct check_fixture with_a_digest = {
    .timeout_s = 60, .set_up = set_up, .tear_down = tear_down};
CHECK_MAIN_WITH(with_a_digest, "measures: digest", the_text_of_an_event,
                no_value_looks_like_another_field, numbers_are_hashed_as_they_came,
                long_events_are_hashed_alike, halves_wrap_apart, told_and_shown)
