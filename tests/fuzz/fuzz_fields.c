/* Any bytes as a form or a query, by the first byte: what is taken is what a reader in the plainest
 * words finds; nothing, where an escape is broken. */
#include "ingest/fields.h"
#include "tests/fuzz/check.h"
#include "tests/unit/ingest/number_reference.h"

#define SIZE_MAX_READ 4096
#define FIELDS 4

static const char *const names[FIELDS] = {"a", "n", "d", "a_name that is long"};

static const struct fields_config config = {
    .n = FIELDS,
    .field = {{.name = "a", .places = 2, .place = {{FIELD_FORM, "a"}, {FIELD_QUERY, "a"}}},
              {.name = "n",
               .type = FIELD_INT,
               .places = 2,
               .place = {{FIELD_FORM, "n"}, {FIELD_QUERY, "n"}}},
              {.name = "d",
               .type = FIELD_DECIMAL,
               .decimals = 3,
               .places = 2,
               .place = {{FIELD_FORM, "d"}, {FIELD_QUERY, "d"}}},
              {.name = "l",
               .places = 2,
               .place = {{FIELD_FORM, "a_name that is long"},
                         {FIELD_QUERY, "a_name that is long"}}}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes text[0..len) into out; SIZE_MAX when an escape is broken. */
static size_t decode(const char *text, size_t len, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++, n++) {
        char digits[3] = "";
        out[n] = text[i] == '+' ? ' ' : text[i];
        if (text[i] != '%') {
            continue;
        }
        memcpy(digits, text + i + 1, len - i - 1 < 2 ? len - i - 1 : 2);
        if (strspn(digits, "0123456789abcdefABCDEF") != 2) {
            return SIZE_MAX;
        }
        out[n] = (char)strtol(digits, NULL, 16);
        i += 2;
    }
    return n;
}

/* The first value of that name; false when there is none. */
static bool find(const char *text, size_t len, const char *wanted, char *value, size_t *n) {
    for (size_t at = 0; at < len;) {
        const size_t start = at;
        while (at < len && text[at] != '&') {
            at++;
        }
        size_t equals = start;
        while (equals < at && text[equals] != '=') {
            equals++;
        }
        const size_t name_len = decode(text + start, equals - start, value);
        if (name_len == strlen(wanted) && memcmp(value, wanted, name_len) == 0) {
            const size_t from = equals < at ? equals + 1 : at;
            *n = decode(text + from, at - from, value);
            return true;
        }
        at++;
    }
    return false;
}

static void check_fields(const struct record *record, const char *text, size_t len, unsigned rank) {
    static char value[SIZE_MAX_READ];
    for (unsigned i = 0; i < FIELDS; i++) {
        const struct field *field = &config.field[i];
        size_t n;
        int64_t number = 0;
        const bool there = find(text, len, names[i], value, &n);
        check((record->present >> i & 1) == there);
        if (!there) {
            continue;
        }
        const bool fits =
            n <= FIELD_TEXT_MAX &&
            (field->type == FIELD_TEXT || reference_number(value, n, field->decimals, &number));
        check(fits == !(record->unfit >> i & 1) && record->rank[i] == rank);
        if (fits) {
            check(record->value[i].len == n && memcmp(record->value[i].text, value, n) == 0);
            check(field->type == FIELD_TEXT || record->value[i].number == number);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fields *fields;
    static struct record record;
    static char decoded[SIZE_MAX_READ];
    if (size == 0 || size > SIZE_MAX_READ) {
        return 0;
    }
    if (fields == NULL && (fields = fields_new(&config)) == NULL) {
        abort();
    }
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    const enum field_source source = data[0] & 1 ? FIELD_QUERY : FIELD_FORM;
    record.room = malloc(len);
    record.room_len = len;
    record_begin(&record);
    const bool whole = record_read_form(&record, fields, source, text, len);
    if (len > 0 && text[len - 1] == '\n') {
        len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
    }
    check(whole == (decode(text, len, decoded) != SIZE_MAX));
    check(whole || record.present == 0);
    if (whole) {
        check_fields(&record, text, len, source == FIELD_QUERY);
    }
    free(record.room);
    return 0;
}
