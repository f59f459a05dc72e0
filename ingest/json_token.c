#include "ingest/json_token.h"

#include "common/utf8.h"
#include "ingest/escape.h"
#include "ingest/fields.h"
#include "ingest/why.h"

void json_source_begin(struct json_source *source, const char *text, size_t len, char *why) {
    scan_begin(&source->scan, text, len);
    source->why = why;
    source->room = NULL;
    source->room_len = 0;
    source->is_lines = false;
}

const char *json_fail(struct json_source *source, const char *expected, const char *at) {
    const char *text = source->scan.text;
    if (source->why) {
        why_expected(source->why, expected, text, (size_t)(source->scan.end - text),
                     (size_t)(at - text));
    }
    return NULL;
}

const char *json_pass_blanks(const struct json_source *source, const char *at) {
    while (at < source->scan.end &&
           (*at == ' ' || (*at == '\n' && !source->is_lines) || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Appends text[at..end) to the decoded string. */
static void add_run(const struct json_source *source, struct json_string *string, const char *at,
                    const char *end) {
    const size_t len = (size_t)(end - at), left = source->room_len - string->decoded_len;
    if (string->decoded_len > source->room_len || len > left) {
        string->decoded_len = source->room_len + 1;
        return;
    }
    char *out = source->room + string->decoded_len;
    string->decoded_len += len;
    if (left < len + SCAN_BYTES) {
        if (len > 0) { /* there may be no room at all, and room NULL */
            memcpy(out, at, len);
        }
        return;
    }
    for (; at < end; at += SCAN_BYTES, out += SCAN_BYTES) { /* may copy bytes that follow */
        memcpy(out, scan_readable(&source->scan, at), SCAN_BYTES);
    }
}

/* Appends the character that an escape stands for. */
static void add_character(const struct json_source *source, struct json_string *string,
                          const char character[SCAN_BYTES], size_t len) {
    const size_t used = string->decoded_len;
    if (used > source->room_len || len > source->room_len - used) {
        string->decoded_len = source->room_len + 1;
        return;
    }
    if (source->room_len - used >= SCAN_BYTES) {
        memcpy(source->room + used, character, SCAN_BYTES); /* all at once, whatever its length */
    } else {
        memcpy(source->room + used, character, len);
    }
    string->decoded_len += len;
}

/* Continues where a run ended at the first backslash. Returns the run after the last escape; its
 * end is NULL after a failure was explained. */
static struct json_run read_escapes(struct json_source *source, struct json_run run,
                                    struct json_string *string) {
    const char *from = string->text;
    string->escaped = true;
    string->decoded_len = 0;
    while (json_byte(source, run.end) == '\\') {
        char character[SCAN_BYTES] = {0};
        size_t bytes = 0;
        const size_t len =
            escape_read(run.end, (size_t)(source->scan.end - run.end), character, &bytes);
        if (len == 0) {
            run.end = json_fail(source, "an escape as JSON has them", run.end);
            return run;
        }
        add_run(source, string, from, run.end);
        add_character(source, string, character, bytes);
        from = run.end + len;
        const struct json_run next = json_run(&source->scan, from);
        run.end = next.end;
        run.high |= next.high;
    }
    add_run(source, string, from, run.end);
    return run;
}

static const char *end_string(struct json_source *source, struct json_run run,
                              struct json_string *string) {
    if (json_byte(source, run.end) == '\\') {
        run = read_escapes(source, run, string);
    }
    if (run.end == NULL) {
        return NULL;
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
    *string = (struct json_string){at + 1, (size_t)(run.end - at - 1), false, 0};
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
