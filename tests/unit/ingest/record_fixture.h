/* What each test of a reader of records begins with: the fields of the lab, and tables of texts
 * with what they must yield. */
#ifndef AFORO_TESTS_RECORD_FIXTURE_H
#define AFORO_TESTS_RECORD_FIXTURE_H

#include "tests/unit/ingest/record_lab.h"

static struct fields *fields;

static inline void make_fields(void) {
    fields = fields_new(&lab_config);
    ck_assert_ptr_nonnull(fields);
}

static inline void free_fields(void) {
    fields_free(fields);
}

#define RECORD_FIXTURE ((struct check_fixture){100, make_fields, free_fields})

/* A text, and the dump of its record or the sentence why there is none. */
struct sample {
    const char *text;
    size_t len;
    const char *expected;
};

/* How texts are read. */
struct reading {
    enum record_outcome (*read)(struct record *record, const struct fields *fields,
                                const char *text, size_t len, char why[RECORD_WHY_MAX]);
    bool timeless;
};

static inline enum record_outcome read_alone(const struct reading *how, const char *text,
                                             size_t len, char why[RECORD_WHY_MAX],
                                             char dump[DUMP_MAX]) {
    char *copy = lab_copy(text, len);
    struct record *record = lab_begin();
    record->timeless = how->timeless;
    why[0] = dump[0] = '\0';
    const enum record_outcome outcome = how->read(record, fields, copy, len, why);
    if (outcome == RECORD_EVENT) {
        strcpy(dump, lab_dump(record, fields));
    }
    free(copy);
    return outcome;
}

static inline void check_events(const struct reading *how, const struct sample *samples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char why[RECORD_WHY_MAX], dump[DUMP_MAX];
        ck_assert_msg(read_alone(how, samples[i].text, samples[i].len, why, dump) == RECORD_EVENT,
                      "%s: %s", samples[i].text, why);
        ck_assert_msg(strcmp(dump, samples[i].expected) == 0, "%s: \"%s\"", samples[i].text, dump);
    }
}

static inline void check_malformed(const struct reading *how, const struct sample *samples,
                                   size_t n) {
    for (size_t i = 0; i < n; i++) {
        char why[RECORD_WHY_MAX], dump[DUMP_MAX];
        ck_assert_msg(read_alone(how, samples[i].text, samples[i].len, why, dump) ==
                          RECORD_MALFORMED,
                      "%s is taken", samples[i].text);
        ck_assert_msg(strcmp(why, samples[i].expected) == 0, "%s: \"%s\"", samples[i].text, why);
    }
}

#endif
