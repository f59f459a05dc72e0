/* Any bytes as the lines of a kept log: what replay's shorter way of an object reads is what the
 * longer way reads, its times and its line's end as well; and no line is longer than what is there.
 * The bytes are lines: a block of a sealed file ends with LF. */
#include "replay/event.h"
#include "tests/fuzz/check.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_READ 4096

static const struct fields_config config = {
    .n = 5,
    .field = {{.name = "a", .places = 1, .place = {{FIELD_JSON, "a"}}},
              {.name = "n", .type = FIELD_INT, .places = 1, .place = {{FIELD_JSON, "n"}}},
              {.name = "ob", .places = 1, .place = {{FIELD_JSON, "o.b"}}},
              {.name = "x", .places = 2, .place = {{FIELD_QUERY, "x"}, {FIELD_FORM, "x"}}},
              {.name = "h", .places = 1, .place = {{FIELD_HEADER, "h"}}}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same_values(const struct record *one, const struct record *two) {
    check(one->present == two->present && one->unfit == two->unfit);
    for (unsigned i = 0; i < config.n; i++) {
        const struct aforo_value *first = &one->value[i], *second = &two->value[i];
        if (one->present >> i & 1) {
            check(first->kind == second->kind && first->number == second->number);
        }
        if (one->present >> i & 1 && first->kind != AFORO_ABSENT) {
            check(first->len == second->len &&
                  (first->len == 0 || memcmp(first->text, second->text, first->len) == 0));
        }
    }
}

/* The line at the front of text[0..len) by either way; returns its length. */
static size_t read_line(struct line_reader *reader, struct replay_event *event,
                        struct replay_event *other, const char *text, size_t len) {
    struct line_found found, object;
    struct line_info info;
    const bool is_object = line_scan_object(reader, text, len, &object);
    object.len = is_object ? replay_event_read_object(event, text, &object) : 0;
    line_scan(reader, text, len, &found);
    check(found.len > 0 && found.len <= len && text[found.len - 1] == '\n');
    check(line_read(text, found.len, &info) == (found.kind != LINE_WRONG));
    if (found.kind == LINE_WRONG) {
        check(!is_object);
        return found.len;
    }
    check(info.time_us == found.time_us && info.refused == (found.kind == LINE_REFUSED));
    check(found.at < found.len);
    const bool is_read = replay_event_read(other, text, &found);
    check(other->record.timed && other->record.us == found.time_us);
    if (is_object) {
        check(found.kind == LINE_EVENT && object.kind == LINE_EVENT);
        check(object.time_us == found.time_us && object.lag_us == found.lag_us);
    }
    if (object.len > 0) {
        check(is_read && object.len == found.len && event->record.us == found.time_us);
        check_same_values(&event->record, &other->record);
    }
    return found.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fields *fields;
    static struct replay_event *event, *other;
    if (!fields) {
        fields = fields_new(&config);
        event = replay_event_new(fields);
        other = replay_event_new(fields);
        check(fields && event && other);
    }
    if (size == 0 || size > SIZE_MAX_READ) {
        return 0;
    }
    char *text = malloc(size + 1); /* no byte more: what is read beyond it is found */
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\n';
    struct line_reader reader = {.known = false};
    json_lines_begin(&event->objects, text, size + 1);
    for (size_t at = 0; at <= size;) {
        at += read_line(&reader, event, other, text + at, size + 1 - at);
    }
    free(text);
    return 0;
}
