#include "tests/unit/view/report_lab.h"

#include "counters/time/window.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fields_config lab_fields;
struct report lab_report;

static void *made[LAB_ROWS_MAX];
static size_t rows_made;

/* The number of a measure in the report, which it is added to when it is not there. */
static uint8_t find_measure(const char *text) {
    unsigned i = 0;
    while (i < lab_report.measures && strcmp(lab_report.measure[i].text, text) != 0) {
        i++;
    }
    if (i == lab_report.measures) {
        struct measure *measure = &lab_report.measure[lab_report.measures++];
        ck_assert(measure_name(measure, text));
        measure->parameter = 3;
        measure->arguments = measure->kind->wants != MEASURE_WANTS_NOTHING;
        const char *sentence = measure->kind->open(measure);
        ck_assert_msg(sentence == NULL, "%s: %s", text, sentence);
        measure->at = lab_report.table.state_words;
        lab_report.table.state_words += measure->words;
    }
    return (uint8_t)i;
}

static void add_figure(const char *text) {
    char why[FIGURE_WHY_MAX] = "";
    struct figure *figure = &lab_report.figure[lab_report.figures++];
    ck_assert_msg(figure_parse(text, figure, why), "%s", why);
    for (unsigned i = 0; i < figure->measures; i++) {
        figure->measure[i] = find_measure(figure->needs[i]);
    }
}

void lab_set_up(const char *figures) {
    char copy[256], *rest = copy;
    lab_report = (struct report){0};
    lab_fields = (struct fields_config){.n = 3,
                                        .field = {{.name = "seconds", .type = FIELD_INT},
                                                  {.name = "flight", .type = FIELD_TEXT},
                                                  {.name = "client", .type = FIELD_INT}}};
    strcpy(lab_report.table.name, "billing");
    strcpy(lab_report.table.digest, "0123456789abcdef");
    lab_report.table.keyed = true;
    lab_report.table.widths = 2;
    lab_report.table.width_us[0] = US_PER_S;
    lab_report.table.width_us[1] = LAB_WIDTH_US;
    lab_report.by = 2;
    lab_report.by_field[0] = 1;
    lab_report.by_field[1] = 2;
    rows_made = 0;
    find_measure("count");
    strcpy(copy, figures);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest)) {
        add_figure(text);
    }
}

void lab_tear_down(void) {
    for (unsigned i = 0; i < lab_report.measures; i++) {
        const struct measure *measure = &lab_report.measure[i];
        if (measure->kind->close) {
            measure->kind->close(&lab_report.measure[i]);
        }
    }
    for (size_t i = 0; i < rows_made; i++) {
        free(made[i]);
    }
}

static void add_event(uint64_t *state, const struct lab_event *event) {
    struct undo_record *record = aligned_alloc(64, UNDO_BYTES);
    ck_assert_ptr_nonnull(record);
    memset(record, 0, UNDO_BYTES);
    struct undo undo = {.record = record};
    const struct undo_file file = {.base = (word *)state};
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%lld", (long long)event->seconds);
    const struct aforo_value value = {digits, (uint32_t)len, AFORO_NUMBER, event->seconds};
    const struct aforo_value *const argument[] = {&value};
    for (unsigned i = 0; i < lab_report.measures; i++) {
        const struct measure *measure = &lab_report.measure[i];
        const struct aforo_event one = {event->us, measure->arguments, argument};
        const struct measure_target target = {&undo, &file, (word *)state + measure->at};
        undo_begin_owner(&undo);
        measure_add(measure, &target, &one);
    }
    free(record);
}

struct report_row lab_row(const char *key, const struct lab_event *event, size_t n) {
    uint64_t *state = calloc(lab_report.table.state_words, sizeof *state);
    ck_assert_uint_lt(rows_made, LAB_ROWS_MAX);
    made[rows_made++] = state;
    for (size_t i = 0; i < n; i++) {
        add_event(state, &event[i]);
    }
    const char *stored = key ? key : REPORT_OTHER;
    return (struct report_row){
        .key = stored, .key_len = strlen(stored), .other = !key, .state = state};
}

struct report_row lab_row_of(const char *key, int64_t seconds) {
    const struct lab_event event = {LAB_START_US + 2100000, seconds};
    return lab_row(key, &event, 1);
}

const char *lab_string(struct text *text) {
    text_add(text, "", 1);
    ck_assert(!text->failed);
    text->len--;
    return text->bytes;
}
