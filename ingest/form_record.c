/* The fields of a form, in two passes: the first checks all escapes, so that nothing is taken from
 * a broken form; the second takes what is looked for. */
#include "common/percent.h"
#include "ingest/field_names.h"

/* A name or a value, still encoded. */
struct part {
    const char *text;
    size_t len;
};

static bool escapes_are_whole(const char *text, size_t len) {
    const char *end = text + len;
    for (const char *at = text; (at = memchr(at, '%', (size_t)(end - at))) != NULL; at += 3) {
        struct percent percent = {0};
        char decoded;
        percent_begin(&percent);
        if (end - at < 3 || percent_read(&percent, at[1], &decoded) == PERCENT_BROKEN ||
            percent_read(&percent, at[2], &decoded) == PERCENT_BROKEN) {
            return false;
        }
    }
    return true;
}

static bool is_encoded(struct part part) {
    return part.len > 0 &&
           (memchr(part.text, '%', part.len) != NULL || memchr(part.text, '+', part.len) != NULL);
}

/* Decodes into out[cap]; the result is more than cap when it does not fit. */
static size_t decode(struct part part, char *out, size_t cap) {
    struct percent percent = {0};
    size_t n = 0;
    for (size_t i = 0; i < part.len; i++) {
        char byte = part.text[i] == '+' ? ' ' : part.text[i];
        if (percent.left > 0) {
            if (percent_read(&percent, part.text[i], &byte) != PERCENT_DECODED) {
                continue;
            }
        } else if (byte == '%') {
            percent_begin(&percent);
            continue;
        }
        if (n == cap) {
            return cap + 1;
        }
        out[n++] = byte;
    }
    return n;
}

static unsigned find(const struct fields *fields, enum field_source source, struct part name) {
    char decoded[FIELD_PLACE_MAX];
    if (is_encoded(name)) {
        const size_t len = decode(name, decoded, sizeof decoded);
        name = (struct part){decoded, len};
    }
    if (name.len >= FIELD_PLACE_MAX) {
        return FIELD_UNKNOWN;
    }
    const struct field_name wanted = field_name_of(name.text, name.len);
    return field_find(fields, FIELD_ROOT + source, &wanted);
}

static void take(const struct fields *fields, unsigned node, struct record *record,
                 struct part value) {
    if (!is_encoded(value)) {
        field_take(fields, node, record, value.text, value.len);
        return;
    }
    char *room = record->room + record->room_used;
    field_take_room(fields, node, record, decode(value, room, field_room(record)));
}

bool record_read_form(struct record *record, const struct fields *fields, enum field_source source,
                      const char *text, size_t len) {
    if (!fields_use(fields, source)) {
        return escapes_are_whole(text, len);
    }
    /* One line end at the very end is ignored, as in form.h. */
    if (len > 0 && text[len - 1] == '\n') {
        len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
    }
    if (!escapes_are_whole(text, len)) {
        return false;
    }
    for (size_t at = 0; at < len;) {
        const char *pair = text + at, *ampersand = memchr(pair, '&', len - at);
        const size_t pair_len = ampersand ? (size_t)(ampersand - pair) : len - at;
        const char *equals = memchr(pair, '=', pair_len);
        const size_t name_len = equals ? (size_t)(equals - pair) : pair_len;
        const unsigned node = find(fields, source, (struct part){pair, name_len});
        if (node != FIELD_UNKNOWN) {
            const size_t value_at = name_len + (equals != NULL);
            take(fields, node, record, (struct part){pair + value_at, pair_len - value_at});
        }
        at += pair_len + 1;
    }
    return true;
}
