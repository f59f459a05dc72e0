/* A body is read a byte at a time by a small state machine that keeps only the value: name, '=',
 * value, '&'. What Tsung and most others send, value=<timestamp> and nothing else, bypasses it. */
#include "ingest/form.h"

#include <stdio.h>
#include <string.h>

static const char field_name[] = "value";
#define FIELD_NAME_LEN (sizeof field_name - 1)
#define OFFSET_AT 19      /* least offset of a zone: 2016-05-28T11:11:11 */
#define NAME_DIFFERS 0xff /* name_match of a name that cannot be `value` */

enum phase { PHASE_NAME, PHASE_OURS, PHASE_OTHER };

enum form_fault { FORM_FAULT_NONE, FORM_FAULT_ESCAPE, FORM_FAULT_TWICE };

enum line_end { LINE_END_NONE, LINE_END_CR, LINE_END_LF, LINE_END_CRLF };

void form_begin(struct form *form) {
    memset(form, 0, sizeof *form);
    form->empty = true;
}

static void note_fault(struct form *form, enum form_fault fault) {
    if (form->fault == FORM_FAULT_NONE) {
        form->fault = (unsigned char)fault;
        /* the byte read last, or the '%' before it */
        form->fault_at = form->at - (form->escape.left == 1);
    }
}

/* Takes a decoded byte of a name or a value. */
static void take_decoded(struct form *form, char byte) {
    if (form->phase == PHASE_NAME) {
        const bool matches =
            form->name_match < FIELD_NAME_LEN && field_name[form->name_match] == byte;
        form->name_match = matches ? (unsigned char)(form->name_match + 1) : NAME_DIFFERS;
    } else if (form->phase == PHASE_OURS && form->values == 1) {
        if (form->value_len < TIMESTAMP_MAX) {
            form->value[form->value_len++] = byte;
        } else {
            form->value_len = TIMESTAMP_MAX + 1;
        }
    }
}

static void end_name(struct form *form) {
    if (form->name_match != FIELD_NAME_LEN) {
        form->phase = PHASE_OTHER;
        return;
    }
    form->phase = PHASE_OURS;
    if (form->values == 1) {
        note_fault(form, FORM_FAULT_TWICE);
    }
    form->values = form->values == 0 ? 1 : 2;
}

/* Called at '&' and at the end of the body: a name without '=' is a field with an empty value. */
static void end_field(struct form *form) {
    if (form->phase == PHASE_NAME) {
        end_name(form);
    }
    form->phase = PHASE_NAME;
    form->name_match = 0;
}

/* Takes a byte after '%'. False when it cannot be part of the escape: then treat it like any
 * other. */
static bool take_escape(struct form *form, char byte) {
    char decoded;
    const enum percent_outcome outcome = percent_read(&form->escape, byte, &decoded);
    if (outcome == PERCENT_BROKEN) {
        note_fault(form, FORM_FAULT_ESCAPE);
        form->escape.left = 0;
        return false;
    }
    if (outcome == PERCENT_DECODED) {
        take_decoded(form, decoded);
    }
    return true;
}

static void take_byte(struct form *form, char byte) {
    if (form->escape.left > 0 && take_escape(form, byte)) {
        form->at++;
        return;
    }
    form->at++;
    if (byte == '%') {
        percent_begin(&form->escape);
    } else if (byte == '&') {
        end_field(form);
    } else if (byte == '=' && form->phase == PHASE_NAME) {
        end_name(form);
    } else if (byte == '+') {
        if (form->phase == PHASE_OURS && form->values == 1 && form->value_len < TIMESTAMP_MAX) {
            form->pluses |= UINT64_C(1) << form->value_len;
        }
        take_decoded(form, ' ');
    } else {
        take_decoded(form, byte);
    }
}

/* What looked like the end of the body was not: those bytes are data. */
static void take_line_end(struct form *form) {
    const unsigned char line_end = form->line_end;
    form->line_end = LINE_END_NONE;
    if (line_end & LINE_END_CR) {
        take_byte(form, '\r');
    }
    if (line_end & LINE_END_LF) {
        take_byte(form, '\n');
    }
}

static void note_first(struct form *form, const char *data, size_t len) {
    for (size_t i = 0; i < len && form->firsts < sizeof form->first; i++) {
        if (form->firsts > 0 || !strchr(" \t\r\n", data[i]) || !data[i]) {
            form->first[form->firsts++] = data[i];
        }
    }
}

void form_feed(struct form *form, const char *data, size_t len) {
    if (len > 0) {
        form->empty = false;
    }
    note_first(form, data, len);
    for (size_t i = 0; i < len; i++) {
        const char byte = data[i];
        if (byte == '\n' && form->line_end == LINE_END_CR) {
            form->line_end = LINE_END_CRLF;
            continue;
        }
        take_line_end(form);
        if (byte == '\n') {
            form->line_end = LINE_END_LF;
        } else if (byte == '\r') {
            form->line_end = LINE_END_CR;
        } else {
            take_byte(form, byte);
        }
    }
}

static enum form_outcome explain_timestamp(const struct form *form,
                                           const struct timestamp_error *error, char *why) {
    const bool plus =
        error->found == ' ' && error->at < TIMESTAMP_MAX && (form->pluses >> error->at & 1);
    if (plus && error->at >= OFFSET_AT) {
        snprintf(
            why, FORM_WHY_MAX,
            "value: '+' is a blank in a form: send %%2B for the '+' of an offset (character %zu)",
            error->at + 1);
        return FORM_MALFORMED;
    }
    const int prefix = snprintf(why, FORM_WHY_MAX, "value: ");
    timestamp_explain(error, why + prefix, FORM_WHY_MAX - (size_t)prefix);
    return FORM_MALFORMED;
}

/* Recognizes other formats by their first bytes: a hint for the sender, or NULL. */
static const char *name_other_format(const struct form *form) {
    if (form->values > 0 || form->firsts == 0) {
        return NULL;
    }
    const char first = form->first[0];
    if (first == '{' || first == '[' || first == '"') {
        return "body: JSON without its type; send it with Content-Type: application/json "
               "(curl --json), or a form, value=<timestamp>";
    }
    if (first == '-' && form->firsts == 2 && form->first[1] == '-') {
        return "body: multipart is not taken; send a form: curl --data value=<timestamp>, not -F";
    }
    return NULL;
}

static bool begins_with_digit(const struct form *form) {
    return form->firsts > 0 && form->first[0] >= '0' && form->first[0] <= '9';
}

static enum form_outcome explain_missing(const struct form *form, char *why) {
    const bool digit = begins_with_digit(form);
    snprintf(why, FORM_WHY_MAX, "value: missing, send value=<timestamp>%s",
             digit ? "; for a file of timestamps: curl --data-binary @FILE .../events" : "");
    return FORM_MALFORMED;
}

/* Ends a copy of the form as if nothing followed. */
static struct form end_open_parts(const struct form *form) {
    struct form last = *form;
    if (last.line_end == LINE_END_CR) { /* a lone CR is no line end */
        take_line_end(&last);
    }
    if (last.escape.left > 0) {
        note_fault(&last, FORM_FAULT_ESCAPE);
    }
    end_field(&last);
    return last;
}

static enum form_outcome conclude(const struct form *last, enum form_source source, int64_t *us,
                                  char *why) {
    if (last->fault == FORM_FAULT_ESCAPE) {
        snprintf(why, FORM_WHY_MAX, "%s: %% at byte %llu is not followed by two hexadecimal digits",
                 source == FORM_BODY ? "body" : "query", (unsigned long long)last->fault_at);
        return FORM_MALFORMED;
    }
    if (last->fault == FORM_FAULT_TWICE) {
        snprintf(why, FORM_WHY_MAX, "value: given more than once");
        return FORM_MALFORMED;
    }
    if (last->values == 0) {
        return FORM_EMPTY;
    }
    struct timestamp_error error;
    return timestamp_parse(last->value, last->value_len, us, &error)
               ? FORM_EVENT
               : explain_timestamp(last, &error, why);
}

enum form_outcome form_end_optional(const struct form *form, enum form_source source, int64_t *us,
                                    char *why) {
    const struct form last = end_open_parts(form);
    const char *other = source == FORM_BODY ? name_other_format(&last) : NULL;
    if (other) {
        snprintf(why, FORM_WHY_MAX, "%s", other);
        return FORM_MALFORMED;
    }
    return conclude(&last, source, us, why);
}

enum form_outcome form_end(const struct form *form, int64_t *us, char *why) {
    const enum form_outcome outcome = form_end_optional(form, FORM_BODY, us, why);
    return outcome == FORM_EMPTY && !form->empty ? explain_missing(form, why) : outcome;
}

enum form_outcome form_end_timeless(const struct form *form, int64_t *us, char *why) {
    const enum form_outcome outcome = form_end_optional(form, FORM_BODY, us, why);
    return outcome == FORM_EMPTY && begins_with_digit(form) ? explain_missing(form, why) : outcome;
}

bool form_has_value(const struct form *form) {
    return end_open_parts(form).values > 0;
}

/* Parses an unescaped value=<timestamp>; true on success. Of the bytes with a meaning in forms,
 * only '+' can be part of a timestamp. */
static bool parse_direct(const char *body, size_t len, int64_t *us) {
    const size_t start = FIELD_NAME_LEN + 1;
    struct timestamp_error ignored;
    int64_t event_us;
    if (len <= start || memcmp(body, "value=", start) != 0 || len - start > TIMESTAMP_MAX ||
        !timestamp_parse(body + start, len - start, &event_us, &ignored) ||
        memchr(body, '+', len) != NULL) {
        return false;
    }
    *us = event_us;
    return true;
}

enum form_outcome form_parse(const char *body, size_t len, int64_t *us, char *why) {
    if (parse_direct(body, len, us)) {
        return FORM_EVENT;
    }
    struct form form;
    form_begin(&form);
    form_feed(&form, body, len);
    return form_end(&form, us, why);
}
