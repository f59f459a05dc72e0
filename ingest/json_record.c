/* JSON events: where one begins and ends, and its time, which may be anywhere at the top level.
 * Which of the names of event times counts is known only at the end. */
#include "ingest/json_lines.h"

#include "ingest/escape.h"
#include "ingest/timestamp.h"

#include <stdio.h>

static enum record_outcome refuse_time(struct json_reader *r, const char *sentence) {
    if (r->source.why) {
        snprintf(r->source.why, RECORD_WHY_MAX, "%s: %s", field_time_name(r->fields, r->time.rank),
                 sentence);
    }
    return RECORD_MALFORMED;
}

static bool is_plain_number(const struct json_string *value) {
    return value->text[0] != '-' && memchr(value->text, 'e', value->len) == NULL &&
           memchr(value->text, 'E', value->len) == NULL;
}

/* Handles every case except a time that was parsed on the way and did not occur twice. */
static __attribute__((noinline)) enum record_outcome take_any_time(struct json_reader *r) {
    char decoded[TIMESTAMP_MAX + 1];
    struct json_string value = r->time.value;
    if (r->time.twice <= r->time.rank && r->time.twice != FIELD_NO_TIME) {
        r->time.rank = r->time.twice;
        return refuse_time(r, "given more than once");
    }
    if (r->time.kind == TIME_NONE && !r->record->timeless) {
        if (r->source.why) {
            field_explain_no_time(r->fields, r->source.why);
        }
        return RECORD_MALFORMED;
    }
    if (r->time.kind == TIME_NONE) {
        return RECORD_EVENT;
    }
    if (r->time.kind == TIME_OTHER) {
        return refuse_time(r, "expected a timestamp as a string or a number");
    }
    if (r->time.kind == TIME_NUMBER && !is_plain_number(&value)) {
        return refuse_time(r, "expected a number without a sign and an exponent");
    }
    if (value.escaped) {
        const size_t len = escape_decode(value.text, value.len, decoded, sizeof decoded);
        value =
            (struct json_string){decoded, len <= sizeof decoded ? len : sizeof decoded, false, 0};
    }
    struct timestamp_error error;
    if (!timestamp_layouts_parse(&r->record->habits.times, value.text, value.len, &r->record->us,
                                 &error)) {
        char sentence[RECORD_WHY_MAX - FIELD_NAME_MAX - 2];
        timestamp_explain(&error, sentence, sizeof sentence);
        return refuse_time(r, sentence);
    }
    r->record->timed = true;
    return RECORD_EVENT;
}

/* Determines the event time, now that the whole event was read. */
static inline enum record_outcome take_time(struct json_reader *r) {
    if (r->time.kind != TIME_READ || r->time.twice <= r->time.rank) {
        return take_any_time(r);
    }
    r->record->us = r->time.us;
    r->record->timed = true;
    return RECORD_EVENT;
}

enum record_outcome record_read_json(struct record *record, const struct fields *fields,
                                     const char *text, size_t len, char why[RECORD_WHY_MAX]) {
    struct json_reader r;
    char byte;
    json_event_begin(&r, record, fields);
    json_source_begin(&r.source, text, len, why);
    const char *at = json_skip_blanks(&r.source, text, &byte);
    if (at == r.source.scan.end) {
        return RECORD_EMPTY;
    }
    if (byte != '{') {
        json_fail(&r.source, "'{'", at);
        return RECORD_MALFORMED;
    }
    if ((at = json_event_read(&r, at)) == NULL) {
        return RECORD_MALFORMED;
    }
    at = json_skip_blanks(&r.source, at, &byte);
    if (at != r.source.scan.end) {
        json_fail(&r.source, "the end", at);
        return RECORD_MALFORMED;
    }
    return take_time(&r);
}

/* ---- one per line ---- */

void json_lines_begin(struct json_lines *lines, const char *text, size_t len) {
    json_source_begin(&lines->reader.source, text, len, NULL);
    lines->reader.source.is_lines = true;
}

const char *json_lines_read(struct json_lines *lines, struct record *record,
                            const struct fields *fields, const char *at) {
    struct json_reader *r = &lines->reader;
    char byte;
    json_event_begin(r, record, fields);
    at = json_skip_blanks(&r->source, at, &byte);
    if (byte != '{' || (at = json_event_read(r, at)) == NULL) {
        return NULL;
    }
    if (json_byte(&r->source, at) != '\n') {
        at = json_pass_blanks(&r->source, at);
    }
    return json_byte(&r->source, at) == '\n' && take_time(r) == RECORD_EVENT ? at : NULL;
}

const char *json_lines_read_object(struct json_lines *lines, struct record *record,
                                   const struct fields *fields, const char *at) {
    struct json_reader *r = &lines->reader;
    json_event_begin(r, record, fields);
    return json_byte(&r->source, at) == '{' && (at = json_event_read(r, at)) != NULL &&
                   take_time(r) == RECORD_EVENT
               ? at
               : NULL;
}
