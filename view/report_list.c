#include "view/report_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column {
    REPORT,
    DIGEST,
    WINDOWS,
    BY,
    SHOW,
    ROWS,
    ROOM,
    OTHER,
    WANTED,
    MEMORY,
    GONE,
    UNFIT,
    COLUMNS
};

static const char *const titles[COLUMNS] = {"REPORT", "DIGEST", "WINDOWS", "BY",
                                            "SHOW",   "ROWS",   "ROOM",    "(OTHER)",
                                            "WANTED", "MEMORY", "GONE",    "UNFIT"};
static const bool to_the_right[COLUMNS] = {
    [ROWS] = true, [ROOM] = true, [OTHER] = true, [WANTED] = true, [MEMORY] = true, [GONE] = true};

/* ---- lists within ---- */

enum list { LIST_WINDOWS, LIST_BY, LIST_SHOW };

static unsigned list_length(const struct report *report, enum list list) {
    return list == LIST_WINDOWS ? report->table.widths
           : list == LIST_BY    ? report->by
                                : report->figures;
}

static void add_item(const struct report_listing *listing, enum list list, unsigned i, bool json,
                     struct text *text) {
    const struct report *report = listing->report;
    char width[16];
    if (list == LIST_WINDOWS) {
        report_width_name(report->table.width_us[i], width);
    }
    const char *item = list == LIST_WINDOWS ? width
                       : list == LIST_BY    ? listing->fields->field[report->by_field[i]].name
                                            : report->figure[i].text;
    if (json) {
        text_add_json(text, item, strlen(item));
    } else {
        text_add_string(text, item);
    }
}

static void add_list(const struct report_listing *listing, enum list list, bool json,
                     struct text *text) {
    const unsigned n = list_length(listing->report, list);
    for (unsigned i = 0; i < n; i++) {
        text_add_string(text, i > 0 ? "," : "");
        add_item(listing, list, i, json, text);
    }
}

static void add_number(struct text *text, uint64_t number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    text_add_string(text, digits);
}

/* Adds the fields that kept events out, with how many. */
static void add_unfit(const struct report_listing *listing, bool json, struct text *text) {
    bool any = false;
    for (unsigned i = 0; i < listing->fields->n; i++) {
        if (listing->unfit[i] > 0) {
            text_add_string(text, any ? "," : "");
            text_add_string(text, json ? "\"" : "");
            text_add_string(text, listing->fields->field[i].name);
            text_add_string(text, json ? "\":" : "=");
            add_number(text, listing->unfit[i]);
            any = true;
        }
    }
    if (!any && !json) {
        text_add_string(text, "0");
    }
}

/* ---- text ---- */

static void add_size(struct text *text, uint64_t bytes) {
    char size[32];
    const double kib = (double)bytes / 1024;
    if (kib < 10240) {
        snprintf(size, sizeof size, "%.0f KiB", kib);
    } else {
        snprintf(size, sizeof size, "%.0f MiB", kib / 1024);
    }
    text_add_string(text, size);
}

static void add_cell(const struct report_listing *listing, enum column column, struct text *text) {
    const struct report *report = listing->report;
    const struct table_status *status = listing->status;
    if ((column >= ROWS && column <= MEMORY && !status) || (column == GONE && !listing->gone) ||
        (column == UNFIT && !listing->unfit)) {
        text_add_string(text, "-");
        return;
    }
    switch (column) {
    case REPORT:
        text_add_string(text, report->table.name);
        break;
    case DIGEST:
        text_add_string(text, report->table.digest);
        break;
    case WINDOWS:
        add_list(listing, LIST_WINDOWS, false, text);
        break;
    case BY:
        add_list(listing, LIST_BY, false, text);
        text_add_string(text, report->by == 0 ? "-" : "");
        break;
    case SHOW:
        add_list(listing, LIST_SHOW, false, text);
        break;
    case MEMORY:
        add_size(text, status->memory);
        break;
    case GONE:
        add_number(text, *listing->gone);
        break;
    case UNFIT:
        add_unfit(listing, false, text);
        break;
    default:
        add_number(text, column == ROWS    ? status->rows
                         : column == ROOM  ? status->rows_room
                         : column == OTHER ? status->other
                                           : status->keys_wanted);
    }
}

/* Pads the cell to the width of its column; the last one is not padded. */
static void add_padded(const char *cell, size_t len, enum column column, size_t width,
                       struct text *text) {
    char *blanks = text_room(text, width);
    const size_t missing = width > len ? width - len : 0;
    if (to_the_right[column] && blanks) {
        memset(blanks, ' ', missing);
        text->len += missing;
    }
    text_add(text, cell, len);
    blanks = text_room(text, missing);
    if (!to_the_right[column] && column + 1 < COLUMNS && blanks) {
        memset(blanks, ' ', missing);
        text->len += missing;
    }
    text_add_string(text, column + 1 < COLUMNS ? "  " : "\n");
}

static void add_aside(const struct report_aside *aside, struct text *text) {
    char why[OWN_WHY_MAX];
    own_explain_aside(aside->measure, why);
    text_add_string(text, aside->name);
    text_add_string(text, " is set aside: ");
    text_add_string(text, why);
    text_add_string(text, "\n");
}

static void add_table(const struct report_list *list, struct text *text) {
    const struct report_listing *listing = list->listing;
    const size_t n = list->n;
    size_t width[COLUMNS];
    struct text cell = {0};
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = strlen(titles[c]);
        for (size_t i = 0; i < n; i++) {
            cell.len = 0;
            add_cell(&listing[i], (enum column)c, &cell);
            width[c] = cell.len > width[c] ? cell.len : width[c];
        }
    }
    for (int c = 0; c < COLUMNS; c++) {
        add_padded(titles[c], strlen(titles[c]), (enum column)c, width[c], text);
    }
    for (size_t i = 0; i < n; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            cell.len = 0;
            add_cell(&listing[i], (enum column)c, &cell);
            add_padded(cell.bytes, cell.len, (enum column)c, width[c], text);
        }
    }
    text->failed |= cell.failed;
    text_free(&cell);
    for (size_t i = 0; i < list->asides; i++) {
        add_aside(&list->aside[i], text);
    }
}

/* ---- JSON ---- */

static void add_json_list(const struct report_listing *listing, const char *name, enum list list,
                          struct text *text) {
    text_add_string(text, ",\"");
    text_add_string(text, name);
    text_add_string(text, "\":[");
    add_list(listing, list, true, text);
    text_add_string(text, "]");
}

static void add_json_number(struct text *text, const char *name, uint64_t number) {
    text_add_string(text, ",\"");
    text_add_string(text, name);
    text_add_string(text, "\":");
    add_number(text, number);
}

static void add_json_listing(const struct report_listing *listing, struct text *text) {
    const struct table_status *status = listing->status;
    text_add_string(text, "{\"name\":\"");
    text_add_string(text, listing->report->table.name);
    text_add_string(text, "\",\"digest\":\"");
    text_add_string(text, listing->report->table.digest);
    text_add_string(text, "\"");
    add_json_list(listing, "windows", LIST_WINDOWS, text);
    add_json_list(listing, "by", LIST_BY, text);
    add_json_list(listing, "show", LIST_SHOW, text);
    if (status) {
        add_json_number(text, "rows", status->rows);
        add_json_number(text, "rows_room", status->rows_room);
        add_json_number(text, "other", status->other);
        add_json_number(text, "keys_wanted", status->keys_wanted);
        add_json_number(text, "memory", status->memory);
    }
    if (listing->gone) {
        add_json_number(text, "gone", *listing->gone);
    }
    if (listing->unfit) {
        text_add_string(text, ",\"unfit\":{");
        add_unfit(listing, true, text);
        text_add_string(text, "}");
    }
    text_add_string(text, "}");
}

static void add_json_aside(const struct report_aside *aside, struct text *text) {
    char why[OWN_WHY_MAX];
    own_explain_aside(aside->measure, why);
    text_add_string(text, "{\"name\":\"");
    text_add_string(text, aside->name);
    text_add_string(text, "\",\"why\":");
    text_add_json(text, why, strlen(why));
    text_add_string(text, "}");
}

void report_list_add(enum rows_format format, const struct report_list *list, struct text *text) {
    if (format != ROWS_JSON) {
        add_table(list, text);
        return;
    }
    text_add_string(text, "{\"reports\":[");
    for (size_t i = 0; i < list->n; i++) {
        text_add_string(text, i > 0 ? ",\n" : "\n");
        add_json_listing(&list->listing[i], text);
    }
    for (size_t i = 0; i < list->asides; i++) {
        text_add_string(text, i > 0 ? ",\n" : "\n],\"set_aside\":[\n");
        add_json_aside(&list->aside[i], text);
    }
    text_add_string(text, "\n]}\n");
}
