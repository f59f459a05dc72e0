#include "view/report_rows.h"

#include "counters/measures/figure.h"
#include "counters/time/civil.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MS_DIGITS 3
#define US_DIGITS 6
#define OTHER_LEN (sizeof REPORT_OTHER - 1)

static void add_time(const struct report_form *form, int64_t t_us, int digits, struct text *text) {
    const struct rows_form rows = {form->format, RESOLUTION_1MIN, form->zone};
    char *at = text_room(text, ROWS_TIME_MAX);
    if (at) {
        text->len += rows_put_time(&rows, t_us, digits, at);
    }
}

static const struct field *find_field(const struct report_form *form, unsigned i) {
    return &form->fields->field[form->report->by_field[i]];
}

const char *report_rows_field(const struct report_form *form, unsigned i) {
    return find_field(form, i)->name;
}

/* ---- begin and end ---- */

static void add_header(const struct report_form *form, struct text *text) {
    const struct report *report = form->report;
    text_add_string(text, "start,state");
    for (unsigned i = 0; i < report->by; i++) {
        text_add_string(text, ",");
        text_add_string(text, report_rows_field(form, i));
    }
    for (unsigned i = 0; i < report->figures; i++) {
        text_add_string(text, ",");
        text_add_cell(text, report->figure[i].text, strlen(report->figure[i].text));
    }
    text_add_string(text, "\n");
}

void report_rows_begin(const struct report_form *form, struct text *text) {
    if (form->format == ROWS_CSV) {
        add_header(form, text);
    } else if (form->format == ROWS_JSON) {
        char width[16];
        report_width_name(form->report->table.width_us[form->width], width);
        text_add_string(text, "{\"report\":\"");
        text_add_string(text, form->report->table.name);
        text_add_string(text, "\",\"window\":\"");
        text_add_string(text, width);
        text_add_string(text, "\",\"rows\":[");
    }
}

void report_rows_end(const struct report_form *form, const char *why, struct text *text) {
    if (form->format == ROWS_JSON) {
        text_add_string(text, "\n]");
        if (*why) {
            text_add_string(text, ",\"why\":");
            text_add_json(text, why, strlen(why));
        }
        text_add_string(text, "}\n");
    }
}

/* ---- keys ---- */

/* Adds one value of a key in the row's format. */
static void add_key_value(const struct report_form *form, const struct report_row *row, unsigned i,
                          struct text *text) {
    char value[FIELD_TEXT_MAX];
    const size_t len = report_key_value(row->key, row->key_len, i, value);
    const bool number = find_field(form, i)->type != FIELD_TEXT;
    const bool reads_other = len == OTHER_LEN && memcmp(value, REPORT_OTHER, len) == 0;
    if (form->format == ROWS_TEXT) {
        text_add_plain(text, value, len);
    } else if (form->format == ROWS_CSV && reads_other) {
        text_add_string(text, "\\x28other)");
    } else if (form->format == ROWS_CSV) {
        text_add_cell(text, value, len);
    } else if (number) {
        text_add_json_number(text, value, len);
    } else {
        text_add_json(text, value, len);
    }
}

static void add_key(const struct report_form *form, const struct report_row *row,
                    struct text *text) {
    static const char *const separator[] = {[ROWS_TEXT] = " ", [ROWS_CSV] = ",", [ROWS_JSON] = ","};
    for (unsigned i = 0; i < form->report->by; i++) {
        if (i > 0) {
            text_add_string(text, separator[form->format]);
        }
        if (form->format != ROWS_CSV) {
            const char *name = report_rows_field(form, i);
            const bool json = form->format == ROWS_JSON;
            text_add_string(text, json ? "\"" : "");
            text_add_string(text, name);
            text_add_string(text, json ? "\":" : "=");
        }
        if (report_key_is_other(row->key, row->key_len, i)) {
            text_add_string(text,
                            form->format == ROWS_JSON ? "\"" REPORT_OTHER "\"" : REPORT_OTHER);
        } else {
            add_key_value(form, row, i, text);
        }
    }
}

/* ---- figures ---- */

static void add_value_time(const struct report_form *form, int64_t us, struct text *text) {
    const bool quoted = form->format == ROWS_JSON;
    text_add_string(text, quoted ? "\"" : "");
    add_time(form, us, US_DIGITS, text);
    text_add_string(text, quoted ? "\"" : "");
}

static void add_number(uint64_t number, struct text *text) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    text_add_string(text, digits);
}

/* /a=3 /b=17..20 */
static void add_items(const struct figure_value *value, struct text *text) {
    for (size_t i = 0; i < value->items; i++) {
        const struct figure_item *item = &value->item[i];
        text_add_string(text, i > 0 ? " " : "");
        text_add_plain(text, item->bytes, item->len);
        text_add_string(text, "=");
        if (item->error > 0) {
            add_number(item->count > item->error ? item->count - item->error : 0, text);
            text_add_string(text, "..");
        }
        add_number(item->count, text);
    }
}

static void add_list(const struct figure_value *value, struct text *text) {
    text_add_string(text, "[");
    add_items(value, text);
    text_add_string(text, "]");
}

static void add_list_cell(const struct figure_value *value, struct text *text) {
    struct text items = {0};
    add_items(value, &items);
    text_add_cell(text, items.bytes, items.len);
    text->failed |= items.failed;
    text_free(&items);
}

static void add_json_list(const struct figure_value *value, struct text *text) {
    text_add_string(text, "[");
    for (size_t i = 0; i < value->items; i++) {
        const struct figure_item *item = &value->item[i];
        text_add_string(text, i > 0 ? ",{\"value\":" : "{\"value\":");
        text_add_json(text, item->bytes, item->len);
        text_add_string(text, ",\"count\":");
        add_number(item->count, text);
        text_add_string(text, ",\"error\":");
        add_number(item->error, text);
        text_add_string(text, "}");
    }
    text_add_string(text, "]");
}

static void add_value(const struct report_form *form, const struct figure_value *value,
                      struct text *text) {
    static const char *const none[] = {[ROWS_TEXT] = "-", [ROWS_CSV] = "", [ROWS_JSON] = "null"};
    const bool json = form->format == ROWS_JSON, cell = form->format == ROWS_CSV;
    switch (value->type) {
    case FIGURE_TIME:
        if (value->us >= 0 && value->us < CIVIL_END_US) {
            add_value_time(form, value->us, text);
            break;
        }
        text_add_string(text, none[form->format]); /* no event has such a time */
        break;
    case FIGURE_NUMBER:
        (json ? text_add_json_number : text_add)(text, value->text, value->len);
        break;
    case FIGURE_TEXT:
        (json   ? text_add_json
         : cell ? text_add_cell
                : text_add_plain)(text, value->text, value->len);
        break;
    case FIGURE_LIST:
        (json ? add_json_list : cell ? add_list_cell : add_list)(value, text);
        break;
    default:
        text_add_string(text, none[form->format]);
    }
}

static void add_figures(const struct report_form *form, const struct report_row *row,
                        struct text *text) {
    const struct report *report = form->report;
    const int64_t width_us = report->table.width_us[form->width];
    struct figure_value value;
    for (unsigned i = 0; i < report->figures; i++) {
        const struct figure *figure = &report->figure[i];
        figure_value(figure, report->measure, row->state, width_us, &value);
        if (form->format == ROWS_TEXT) {
            text_add_string(text, i > 0 ? " " : "");
            text_add_string(text, figure->text);
            text_add_string(text, "=");
        } else {
            text_add_string(text, i > 0 || form->format == ROWS_CSV ? "," : "");
        }
        if (form->format == ROWS_JSON) {
            text_add_json(text, figure->text, strlen(figure->text));
            text_add_string(text, ":");
        }
        add_value(form, &value, text);
    }
}

/* ---- rows ---- */

static void add_text_row(const struct report_form *form, const struct report_window *window,
                         const struct report_row *row, struct text *text) {
    add_time(form, window->start_us, MS_DIGITS, text);
    text_add_string(text, ", ");
    if (row->other) {
        text_add_string(text, REPORT_OTHER ", ");
    } else if (form->report->by > 0) {
        add_key(form, row, text);
        text_add_string(text, ", ");
    }
    add_figures(form, row, text);
    text_add_string(text, "\n");
}

static void add_csv_row(const struct report_form *form, const struct report_window *window,
                        const struct report_row *row, struct text *text) {
    add_time(form, window->start_us, MS_DIGITS, text);
    text_add_string(text, ",");
    text_add_string(text, window_state_name(window->state));
    text_add_string(text, form->report->by > 0 ? "," : "");
    add_key(form, row, text);
    add_figures(form, row, text);
    text_add_string(text, "\n");
}

/* Adds "other":true to the overflow row; to another, the list of its fields that are `(other)`. */
static void add_json_other(const struct report_form *form, const struct report_row *row,
                           struct text *text) {
    bool any = false;
    if (row->other) {
        text_add_string(text, ",\"other\":true");
        return;
    }
    for (unsigned i = 0; i < form->report->by; i++) {
        if (report_key_is_other(row->key, row->key_len, i)) {
            text_add_string(text, any ? ",\"" : ",\"other\":[\"");
            text_add_string(text, report_rows_field(form, i));
            text_add_string(text, "\"");
            any = true;
        }
    }
    text_add_string(text, any ? "]" : "");
}

static void add_json_row(const struct report_form *form, const struct report_window *window,
                         const struct report_row *row, struct text *text) {
    text_add_string(text, "{\"start\":\"");
    add_time(form, window->start_us, MS_DIGITS, text);
    text_add_string(text, "\",\"state\":\"");
    text_add_string(text, window_state_name(window->state));
    text_add_string(text, "\"");
    add_json_other(form, row, text);
    text_add_string(text, ",\"key\":{");
    add_key(form, row, text);
    text_add_string(text, "},\"values\":{");
    add_figures(form, row, text);
    text_add_string(text, "}}");
}

void report_rows_add(const struct report_form *form, const struct report_window *window,
                     const struct report_row *row, bool first, struct text *text) {
    switch (form->format) {
    case ROWS_TEXT:
        add_text_row(form, window, row, text);
        break;
    case ROWS_CSV:
        add_csv_row(form, window, row, text);
        break;
    case ROWS_OPENMETRICS: /* it has no rows of reports */
        break;
    case ROWS_JSON:
        text_add_string(text, first ? "\n" : ",\n");
        add_json_row(form, window, row, text);
        break;
    }
}
