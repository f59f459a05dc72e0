/* The sizes of the parts of a table's file. */
#include "counters/rows/table_file.h"

#include <string.h>

#define ROWS_LEAST 64   /* with ordinary keys, beside two of the longest */
#define KEY_ORDINARY 16 /* bytes */
#define KEY_LONG 64     /* assumed when keys_max limits the circle */

static uint64_t round_up(uint64_t bytes) {
    return (bytes + TABLE_PAGE - 1) / TABLE_PAGE * TABLE_PAGE;
}

size_t table_entry_words(const struct table_header *header) {
    return ENTRY_WORDS + header->fields + header->state_words;
}

uint64_t table_row_units(const struct table_header *header, enum row_kind kind, uint64_t key_len) {
    return ROW_WORDS + (kind == ROW_KEY ? header->state_words : 0) + row_key_words(key_len);
}

size_t table_windows_bytes(const struct table_header *header, unsigned width) {
    return round_up(header->windows[width] * table_entry_words(header) * sizeof(word));
}

size_t table_section_bytes(const struct table_header *header, unsigned width) {
    return TABLE_PAGE + table_windows_bytes(header, width) +
           round_up((header->heads[width] + header->units[width]) * sizeof(word));
}

size_t table_writer_bytes(const struct table_header *header) {
    size_t bytes = 0;
    for (unsigned i = 0; i < header->widths; i++) {
        bytes += table_section_bytes(header, i);
    }
    return bytes;
}

size_t table_header_bytes(const struct table_header *header) {
    return TABLE_PAGE + round_up(header->definition_len);
}

size_t table_file_bytes(const struct table_header *header) {
    return table_header_bytes(header) + header->sections * table_writer_bytes(header);
}

/* Everything but the circles. */
static void plan_windows(const struct table_config *config, const struct table_span *span,
                         struct table_header *header) {
    header->sections = span->workers + 1;
    header->widths = config->widths;
    header->keyed = config->keyed;
    header->fields = config->fields;
    header->state_words = config->state_words;
    header->keys_max = config->keys_max;
    header->memory = config->memory;
    header->horizon_us = span->horizon_us;
    header->future_us = span->future_us;
    header->definition_len = config->definition_len;
    memcpy(header->field_max, config->field_max, sizeof header->field_max);
    memset(header->heads, 0, sizeof header->heads);
    memset(header->units, 0, sizeof header->units);
    for (unsigned i = 0; i < config->widths; i++) {
        /* One more at either end, because spans seldom start on a window's edge, and one being
         * recycled. */
        header->width_us[i] = config->width_us[i];
        header->windows[i] = (uint64_t)((span->horizon_us + span->future_us + TABLE_MARGIN_US) /
                                        config->width_us[i]) +
                             3;
    }
}

/* Divides `bytes` between heads and circle of a width. */
static void plan_circle(struct table_header *header, unsigned width, uint64_t bytes) {
    const uint64_t words = bytes / sizeof(word);
    const uint64_t rows = words / (table_row_units(header, ROW_KEY, KEY_ORDINARY) + 1);
    uint64_t heads = 1;
    while (heads * 2 <= rows) {
        heads *= 2;
    }
    header->heads[width] = heads;
    header->units[width] = words - heads;
}

/* The least and the most that a circle with its heads can use. */
static uint64_t least_bytes(const struct table_header *header) {
    const uint64_t row = table_row_units(header, ROW_KEY, KEY_ORDINARY) + 1;
    const uint64_t longest = 2 * table_row_units(header, ROW_KEY, TABLE_KEY_MAX) + 1;
    return round_up((ROWS_LEAST * row + longest) * sizeof(word));
}

static uint64_t most_bytes(const struct table_header *header, unsigned width) {
    const uint64_t row = table_row_units(header, ROW_KEY, KEY_LONG) + 1,
                   least = least_bytes(header);
    const uint64_t keys = header->keys_max ? header->keys_max : 1;
    if (keys > (UINT64_MAX >> 24) / row / header->windows[width]) {
        return UINT64_MAX >> 16;
    }
    const uint64_t most = round_up(header->windows[width] * keys * row * sizeof(word));
    return most > least ? most : least;
}

/* Distributes `bytes` equally among the widths, but gives none more than it can ever use. */
static void plan_circles(struct table_header *header, uint64_t bytes) {
    bool done[TABLE_WIDTHS_MAX] = {false};
    for (unsigned left = header->widths; left > 0;) {
        const uint64_t share = bytes / left / TABLE_PAGE * TABLE_PAGE;
        unsigned small = header->widths; /* one that needs less than its share */
        for (unsigned i = 0; i < header->widths && small == header->widths; i++) {
            small = !done[i] && most_bytes(header, i) <= share ? i : small;
        }
        for (unsigned i = 0; i < header->widths; i++) {
            if (!done[i] && (small == header->widths || small == i)) {
                const uint64_t given = small == i ? most_bytes(header, i) : share;
                plan_circle(header, i, given);
                done[i] = true;
                left--;
                bytes -= given;
            }
        }
    }
}

int64_t table_bytes_min(const struct table_config *config, const struct table_span *span) {
    struct table_header header = {.number = 0};
    plan_windows(config, span, &header);
    uint64_t writer = table_writer_bytes(&header);
    if (config->keyed) {
        writer += header.widths * least_bytes(&header);
    }
    return (int64_t)(table_header_bytes(&header) + header.sections * writer);
}

bool table_plan(const struct table_config *config, const struct table_span *span,
                struct table_header *header, char *why) {
    const int64_t least = table_bytes_min(config, span);
    if (config->memory < least) {
        return state_refuse(why, "report %.40s: needs memory of %lld bytes at the least, has %lld",
                            config->name, (long long)least, (long long)config->memory);
    }
    plan_windows(config, span, header);
    if (config->keyed) {
        const uint64_t writer = ((uint64_t)config->memory - table_header_bytes(header)) /
                                header->sections / TABLE_PAGE * TABLE_PAGE;
        plan_circles(header, writer - table_writer_bytes(header));
    }
    return true;
}

size_t table_row_bytes(const struct table_config *config, size_t key_len) {
    const struct table_header header = {.state_words = config->state_words};
    return (table_row_units(&header, ROW_KEY, key_len) + 1) * sizeof(word); /* and its head */
}

/* How many rows a section of a width has room for. */
static uint64_t section_rows(const struct table_header *header, unsigned width, size_t key_len) {
    return header->keyed ? header->units[width] / table_row_units(header, ROW_KEY, key_len)
                         : header->windows[width];
}

int64_t table_rows(const struct table_config *config, const struct table_span *span,
                   size_t key_len) {
    struct table_header header = {.number = 0};
    char why[COUNTERS_WHY_MAX];
    uint64_t rows = 0;
    if (!table_plan(config, span, &header, why)) {
        return 0;
    }
    for (unsigned i = 0; i < header.widths; i++) {
        rows += section_rows(&header, i, key_len);
    }
    return (int64_t)(rows * header.sections);
}

int64_t table_window_rows(const struct table_config *config, const struct table_span *span,
                          unsigned width, size_t key_len) {
    struct table_header header = {.number = 0};
    char why[COUNTERS_WHY_MAX];
    if (!table_plan(config, span, &header, why)) {
        return 0;
    }
    return (int64_t)(section_rows(&header, width, key_len) / header.windows[width]);
}
