/* Any bytes as what an event brought, written to a record of the log: --where finds in the record
 * the value that a reader finds in the bytes themselves. And any bytes as a record. The first byte:
 * which of these. */
#include "eventlog/line.h"
#include "ingest/fields.h"
#include "tools/console/log_where.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char *const names[] = {
    [FIELD_FORM] = "form.a", [FIELD_QUERY] = "query.a", [FIELD_LINE] = "line.a"};

static bool matches(const char *condition, const char *line, size_t len) {
    char why[LOG_WHERE_WHY_MAX];
    struct log_where *where = log_where_new(&condition, 1, why);
    assert(where);
    const bool does = log_where_matches(where, line, len);
    log_where_free(where);
    return does;
}

/* The value of field a in text itself: "query.a=VALUE"; false: it has none that can be asked for.
 */
static bool find_value(enum field_source source, const char *text, size_t len, char *condition) {
    static struct fields_config config;
    static struct fields *fields;
    static struct record record;
    char room[4096], why[RECORD_WHY_MAX];
    config.n = 1;
    config.times = 1;
    config.time[0][0] = ' ';
    config.field[0] = (struct field){.name = "a", .places = 1, .place = {{source, "a"}}};
    fields_free(fields);
    fields = fields_new(&config);
    record.timeless = true;
    record.room = room;
    record.room_len = sizeof room;
    record_begin(&record);
    if (source == FIELD_LINE) {
        record_read_line(&record, fields, text, len, why);
    } else {
        record_read_form(&record, fields, source, text, len);
    }
    const struct aforo_value *value = &record.value[0];
    if (!(record.present & 1) || record.unfit & 1) {
        return false;
    }
    const size_t n = strlen(names[source]);
    snprintf(condition, n + 2, "%s=", names[source]);
    memcpy(condition + n + 1, value->text, value->len);
    condition[n + 1 + value->len] = '\0';
    return strlen(condition) == n + 1 + value->len;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size < 1 || size > 2000) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    const size_t len = size - 1;
    if (data[0] % 4 == 3) {
        matches("header.host=x", text, len);
        matches("a=x", text, len);
        return 0;
    }
    const enum field_source source = data[0] % 4 == 0   ? FIELD_FORM
                                     : data[0] % 4 == 1 ? FIELD_QUERY
                                                        : FIELD_LINE;
    struct line_event event = {.timed = true, .time_us = 1464433871123456};
    *(source == FIELD_FORM    ? &event.form
      : source == FIELD_QUERY ? &event.query
                              : &event.line) = (struct line_text){text, len};
    struct line_clock clock = {0};
    char *line = malloc(line_max(&event)), condition[FIELD_TEXT_MAX + 64];
    const size_t n = line_write(&clock, &event, line);
    if (find_value(source, text, len, condition)) {
        assert(matches(condition, line, n));
        strcat(condition, "x");
        assert(strlen(condition) > FIELD_TEXT_MAX || !matches(condition, line, n));
    }
    free(line);
    return 0;
}
