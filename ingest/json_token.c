#include "ingest/json_token.h"

#include "common/utf8.h"
#include "ingest/escape.h"
#include "ingest/fields.h"
#include "ingest/why.h"

void json_source_begin(struct json_source *source, const char *text, size_t len, char *why) {
    scan_begin(&source->scan, text, len);
    source->why = why;
}

const char *json_fail(struct json_source *source, const char *expected, const char *at) {
    const char *text = source->scan.text;
    why_expected(source->why, expected, text, (size_t)(source->scan.end - text),
                 (size_t)(at - text));
    return NULL;
}

const char *json_pass_blanks(const struct json_source *source, const char *at) {
    while (at < source->scan.end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

static const char *end_string(struct json_source *source, struct json_run run,
                              struct json_string *string) {
    while (json_byte(source, run.end) == '\\') {
        char character[4];
        size_t bytes;
        const size_t len =
            escape_read(run.end, (size_t)(source->scan.end - run.end), character, &bytes);
        if (len == 0) {
            return json_fail(source, "an escape as JSON has them", run.end);
        }
        const bool high = run.high;
        run = json_run(&source->scan, run.end + len);
        run.high |= high;
        string->escaped = true;
    }
    if (json_byte(source, run.end) != '"') {
        return json_fail(source,
                         run.end == source->scan.end ? "the string's '\"'"
                                                     : "an escape for a control character",
                         run.end);
    }
    string->len = (size_t)(run.end - string->text);
    const size_t good = run.high ? utf8_length(string->text, string->len) : string->len;
    return good == string->len ? run.end + 1 : json_fail(source, "UTF-8", string->text + good);
}

const char *json_read_string(struct json_source *source, const char *at,
                             struct json_string *string) {
    const struct json_run run = json_run(&source->scan, at + 1);
    *string = (struct json_string){at + 1, (size_t)(run.end - at - 1), false};
    if (__builtin_expect(json_byte(source, run.end) == '"' && !run.high, true)) {
        return run.end + 1;
    }
    return end_string(source, run, string);
}

static const char *read_digits(struct json_source *source, const char *at) {
    const char *end = json_digits_end(&source->scan, at);
    return end > at ? end : json_fail(source, "a digit", at);
}

const char *json_read_number(struct json_source *source, const char *at) {
    at += *at == '-';
    if (json_byte(source, at) == '0') {
        at++;
    } else if ((at = read_digits(source, at)) == NULL) {
        return NULL;
    }
    if (json_byte(source, at) == '.' && (at = read_digits(source, at + 1)) == NULL) {
        return NULL;
    }
    if ((json_byte(source, at) | 0x20) == 'e') {
        at++;
        at += json_byte(source, at) == '-' || json_byte(source, at) == '+';
        return read_digits(source, at);
    }
    return at;
}

const char *json_read_literal(struct json_source *source, const char *at, const char *literal) {
    const size_t len = strlen(literal);
    if ((size_t)(source->scan.end - at) < len || memcmp(at, literal, len) != 0) {
        return json_fail(source, "a value", at);
    }
    return at + len;
}
