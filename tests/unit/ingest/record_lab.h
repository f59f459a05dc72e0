/* What the tests of records share: declared fields, and a record as one line of text, so that a
 * table can say what each event must yield. */
#ifndef AFORO_TESTS_RECORD_LAB_H
#define AFORO_TESTS_RECORD_LAB_H

#include "ingest/fields.h"

#include "tests/unit/check_main.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define T INT64_C(1464433871123456) /* STAMP */
#define STAMP "2016-05-28 11:11:11.123456"
#define DUMP_MAX 8192
#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

/* A text and its length: some have a NUL inside. */
#define TEXT(text) (text), sizeof(text) - 1

#define EVERYWHERE(name)                                                                           \
    .places = 3, .place = {{FIELD_JSON, name}, {FIELD_FORM, name}, {FIELD_LINE, name}}

static const struct fields_config lab_config = {
    .n = 9,
    .field = {{.name = "id", .type = FIELD_TEXT, EVERYWHERE("id")},
              {.name = "n", .type = FIELD_INT, EVERYWHERE("n")},
              {.name = "price", .type = FIELD_DECIMAL, .decimals = 2, EVERYWHERE("price")},
              {.name = "deep", .places = 1, .place = {{FIELD_JSON, "a.b.c"}}},
              {.name = "b", .places = 1, .place = {{FIELD_JSON, "a.b"}}},
              {.name = "long1", EVERYWHERE("a_name_of_more_than_16_bytes_1")},
              {.name = "long2", EVERYWHERE("a_name_of_more_than_16_bytes_2")},
              {.name = "either",
               .places = 3,
               .place = {{FIELD_JSON, "first"}, {FIELD_JSON, "second"}, {FIELD_QUERY, "either"}}},
              {.name = "id2", EVERYWHERE("id")}},
};

/* A record with room of its own; the lab keeps one for all tests of a program. */
static char lab_room[4 * FIELD_TEXT_MAX];
static struct record lab_record;

static inline struct record *lab_begin(void) {
    lab_record.room = lab_room;
    lab_record.room_len = sizeof lab_room;
    lab_record.timeless = true;
    record_begin(&lab_record);
    return &lab_record;
}

/* "@TIME name=text name=number name!" (unfit) of all that is there, in the order of the fields;
 * bytes that are not printable as \xNN. */
static inline const char *lab_dump(const struct record *record, const struct fields *fields) {
    static char dump[DUMP_MAX];
    size_t len = 0;
    dump[0] = '\0';
    if (record->timed) {
        len += (size_t)sprintf(dump, "@%" PRId64, record->us);
    }
    for (unsigned i = 0; i < fields_count(fields); i++) {
        const struct aforo_value *value = &record->value[i];
        if (!(record->present >> i & 1)) {
            continue;
        }
        len += (size_t)sprintf(dump + len, "%s%s", len ? " " : "", fields_at(fields, i)->name);
        if (record->unfit >> i & 1) {
            ck_assert_uint_eq(value->kind, AFORO_ABSENT);
            len += (size_t)sprintf(dump + len, "!");
            continue;
        }
        len += (size_t)sprintf(dump + len, "=");
        if (value->kind == AFORO_NUMBER) {
            len += (size_t)sprintf(dump + len, "%" PRId64, value->number);
            continue;
        }
        ck_assert_uint_eq(value->kind, AFORO_TEXT);
        for (uint32_t c = 0; c < value->len; c++) {
            const unsigned char byte = (unsigned char)value->text[c];
            len += (size_t)sprintf(dump + len, byte >= ' ' && byte <= '~' ? "%c" : "\\x%02x", byte);
        }
    }
    return dump;
}

/* A reader must not look past the text, nor need a NUL: each text is read where the sanitizers see
 * its end. The caller frees it. */
static inline char *lab_copy(const char *text, size_t len) {
    char *copy = malloc(len);
    ck_assert(copy != NULL || len == 0);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    return copy;
}

#endif
