#include "tools/console/log_where.h"

#include "common/options.h"
#include "ingest/escape.h"
#include "ingest/fields.h"
#include "ingest/form.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SURROGATE_BYTES 6 /* \udcXX: a byte that is not UTF-8 */

struct log_where {
    unsigned n;
    const char *value[FIELDS_MAX];
    struct fields *fields;
    struct record record;
    char *room; /* for unescaped members and decoded values */
    size_t room_cap;
};

/* ---- conditions ---- */

static const char *const sources[FIELD_SOURCES] = {[FIELD_FORM] = "form",
                                                   [FIELD_QUERY] = "query",
                                                   [FIELD_JSON] = "json",
                                                   [FIELD_LINE] = "line",
                                                   [FIELD_HEADER] = "header"};
/* Where reports look for a field that is declared without a place, in order. */
static const enum field_source usual[] = {FIELD_FORM, FIELD_JSON, FIELD_LINE, FIELD_QUERY};

static bool set_places(struct field *field, const char *name, size_t len, char *why) {
    const char *point = memchr(name, '.', len);
    field->type = FIELD_TEXT;
    if (point == NULL) {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
            struct field_place *place = &field->place[field->places++];
            place->source = usual[i];
            memcpy(place->name, name, len);
        }
        return true;
    }
    char source[FIELD_NAME_MAX];
    snprintf(source, sizeof source, "%.*s", (int)(point - name), name);
    for (unsigned i = 0; i < FIELD_SOURCES; i++) {
        if (strcmp(sources[i], source) != 0)
            continue;
        struct field_place *place = &field->place[field->places++];
        place->source = (enum field_source)i;
        for (const char *at = point + 1; at < name + len; at++) /* headers ignore case */
            place->name[at - point - 1] =
                (char)(i == FIELD_HEADER ? tolower((unsigned char)*at) : *at);
        return true;
    }
    options_explain_choice("a place of fields", source, sources, FIELD_SOURCES, why);
    return false;
}

static bool read_condition(struct log_where *where, struct fields_config *config, const char *text,
                           char *why) {
    const char *equals = strchr(text, '=');
    const size_t len = equals != NULL ? (size_t)(equals - text) : 0;
    const char *point = equals != NULL ? memchr(text, '.', len) : NULL;
    if (len == 0) {
        snprintf(why, LOG_WHERE_WHY_MAX,
                 "'%.80s': expected FIELD=VALUE, as route=/pay or json.user.id=7", text);
        return false;
    }
    if (len >= (point != NULL ? FIELD_PLACE_MAX : FIELD_NAME_MAX) || point == equals - 1) {
        snprintf(why, LOG_WHERE_WHY_MAX,
                 "'%.80s': a field has a name of 1 to %d bytes; with its place, of %d", text,
                 FIELD_NAME_MAX - 1, FIELD_PLACE_MAX - 1);
        return false;
    }
    if (strlen(equals + 1) > FIELD_TEXT_MAX) {
        snprintf(why, LOG_WHERE_WHY_MAX, "'%.80s...': no field has a value of more than %d bytes",
                 text, FIELD_TEXT_MAX);
        return false;
    }
    where->value[where->n++] = equals + 1;
    struct field *field = &config->field[config->n++];
    snprintf(field->name, sizeof field->name, "f%u", config->n);
    return set_places(field, text, len, why);
}

struct log_where *log_where_new(const char *const *text, unsigned n, char why[LOG_WHERE_WHY_MAX]) {
    struct log_where *where = calloc(1, sizeof *where);
    struct fields_config *config = calloc(1, sizeof *config);
    bool ok = where != NULL && config != NULL;
    if (!ok)
        snprintf(why, LOG_WHERE_WHY_MAX, "out of memory");
    for (unsigned i = 0; ok && i < n; i++)
        ok = read_condition(where, config, text[i], why);
    if (ok && n > 0) {
        /* the time is known: no member except `value` is examined as one */
        config->times = 1;
        config->time[0][0] = ' ';
        where->record.timeless = true;
        where->fields = fields_new(config);
        ok = where->fields != NULL;
        if (!ok)
            snprintf(why, LOG_WHERE_WHY_MAX, "out of memory");
    }
    free(config);
    if (ok)
        return where;
    log_where_free(where);
    return NULL;
}

void log_where_free(struct log_where *where) {
    if (where != NULL) {
        fields_free(where->fields);
        free(where->room);
        free(where);
    }
}

/* ---- a record ---- */

/* A member of an object in the log; text is its content, without its quotes or with its braces. */
struct member {
    const char *name, *text;
    size_t name_len, len;
};

/* Returns the position after the string whose quote is at `at`; `end` when it has no closing
 * quote. */
static const char *pass_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* Returns the position after the value at `at`. */
static const char *pass_value(const char *at, const char *end) {
    unsigned depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = pass_string(at, end);
        } else {
            depth += *at == '{' || *at == '[';
            depth -= depth > 0 && (*at == '}' || *at == ']');
            at++;
        }
        if (depth == 0 && (at == end || *at == ',' || *at == '}'))
            return at;
    }
    return end;
}

/* Reads the next member; *at is at the brace or comma before it. Lines of the log have no blanks
 * between members. */
static bool next_member(const char **at, const char *end, struct member *member) {
    const char *name = *at + 1;
    if (name >= end || *name != '"')
        return false;
    const char *name_end = pass_string(name, end);
    if (name_end >= end || *name_end != ':')
        return false;
    const char *value = name_end + 1;
    *at = pass_value(value, end);
    const bool is_string = value < end && *value == '"' && *at - value >= 2;
    *member = (struct member){name + 1, value + is_string, (size_t)(name_end - name) - 2,
                              (size_t)(*at - value) - 2 * is_string};
    return true;
}

static bool is_called(const struct member *member, const char *name) {
    return member->name_len == strlen(name) && memcmp(member->name, name, member->name_len) == 0;
}

/* The byte for which \udcXX at text[0..len) stands, one that is not UTF-8; -1: it is not such an
 * escape. */
static int read_byte(const char *text, size_t len) {
    char digits[3] = {0}, *end;
    if (len < SURROGATE_BYTES || memcmp(text, "\\udc", 4) != 0)
        return -1;
    memcpy(digits, text + 4, 2);
    const long byte = isxdigit((unsigned char)digits[0]) ? strtol(digits, &end, 16) : -1;
    return byte >= 0x80 && *end == '\0' ? (int)byte : -1;
}

/* Writes to out what was sent where the log has the string text[0..len); returns its length. */
static size_t unescape(const char *text, size_t len, char *out) {
    char *to = out;
    for (size_t at = 0; at < len;) {
        const int byte = read_byte(text + at, len - at);
        size_t bytes = 0, escape = 0;
        if (byte >= 0) {
            *to++ = (char)byte;
            at += SURROGATE_BYTES;
            continue;
        }
        if (text[at] == '\\')
            escape = escape_read(text + at, len - at, to, &bytes);
        if (escape == 0)
            *to = text[at];
        to += escape > 0 ? bytes : 1;
        at += escape > 0 ? escape : 1;
    }
    return (size_t)(to - out);
}

/* The text of a member as it was sent, valid until the next record. */
static const char *take_text(struct record *record, const struct member *member, size_t *len) {
    char *text = record->room + record->room_used;
    *len = unescape(member->text, member->len, text);
    record->room_used += *len;
    return text;
}

static void read_headers(struct log_where *where, const struct member *header) {
    const char *at = header->text, *const end = header->text + header->len;
    struct member member;
    while (at < end && *at != '}' && next_member(&at, end, &member)) {
        const char *name;
        for (unsigned i = 0; (name = fields_header(where->fields, i)) != NULL; i++) {
            if (strlen(name) != member.name_len ||
                strncasecmp(name, member.name, member.name_len) != 0)
                continue;
            size_t len;
            const char *text = take_text(&where->record, &member, &len);
            record_take_header(&where->record, where->fields, i, text, len);
        }
    }
}

static void read_member(struct log_where *where, const struct member *member) {
    struct record *record = &where->record;
    char why[RECORD_WHY_MAX];
    size_t len;
    if (is_called(member, "json")) {
        record_read_json(record, where->fields, member->text, member->len, why);
    } else if (is_called(member, "form") || is_called(member, "query")) {
        const char *text = take_text(record, member, &len);
        record_read_form(record, where->fields, *member->name == 'f' ? FIELD_FORM : FIELD_QUERY,
                         text, len);
    } else if (is_called(member, "line")) {
        const char *text = take_text(record, member, &len);
        record_read_line(record, where->fields, text, len, why);
    } else if (is_called(member, "header")) {
        read_headers(where, member);
    }
}

static bool has_values(const struct log_where *where) {
    const struct record *record = &where->record;
    for (unsigned i = 0; i < where->n; i++) {
        const struct aforo_value *value = &record->value[i];
        const size_t len = strlen(where->value[i]);
        const bool fits = record->present >> i & ~record->unfit >> i & 1;
        if (!fits || value->len != len || memcmp(value->text, where->value[i], len) != 0)
            return false;
    }
    return true;
}

bool log_where_matches(struct log_where *where, const char *text, size_t len) {
    if (where->n == 0)
        return true;
    if (where->room_cap < 2 * len) { /* an unescaped text and its decoded values */
        free(where->room);
        where->room = malloc(2 * len);
        where->room_cap = where->room != NULL ? 2 * len : 0;
    }
    if (where->room == NULL)
        return false;
    where->record.room = where->room;
    where->record.room_len = where->room_cap;
    record_begin(&where->record);
    struct member member;
    const char *at = text, *const end = text + len;
    while (at < end && *at != '\n' && (*at == '{' || *at == ',') && next_member(&at, end, &member))
        read_member(where, &member);
    return has_values(where);
}
