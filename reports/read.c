/* See read.h. Rows are collected in two growing blocks, indexed by key, and merged as they come, so
 * that memory depends on the number of rows and not on the number of workers. */
#define XXH_INLINE_ALL
#include "reports/read.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define INDEX_LEAST 1024 /* slots; a power of two */

struct gathered_row {
    size_t key; /* offset in keys */
    uint32_t key_len;
    bool other;
    uint64_t hash, lacking;
};

struct report_gatherer {
    const struct report *report;
    size_t n, cap;
    struct gathered_row *row;
    uint64_t *states; /* [n][state_words] */
    char *keys;
    size_t keys_len, keys_cap;
    uint32_t *index; /* number of a row + 1; 0: free */
    size_t places;   /* a power of two, more than twice n */
};

static uint32_t *find_place(const struct report_gatherer *gathered,
                            const struct gathered_row *wanted, const char *key) {
    size_t place = wanted->hash & (gathered->places - 1);
    for (;; place = (place + 1) & (gathered->places - 1)) {
        uint32_t *number = &gathered->index[place];
        if (*number == 0)
            return number;
        const struct gathered_row *row = &gathered->row[*number - 1];
        if (row->hash == wanted->hash && row->other == wanted->other &&
            row->key_len == wanted->key_len &&
            memcmp(gathered->keys + row->key, key, row->key_len) == 0)
            return number;
    }
}

/* Enlarges the index and inserts all rows again. */
static bool grow_index(struct report_gatherer *gathered) {
    const size_t places = gathered->places == 0 ? INDEX_LEAST : gathered->places * 2;
    uint32_t *index = calloc(places, sizeof *index);
    if (index == NULL)
        return false;
    free(gathered->index);
    gathered->index = index;
    gathered->places = places;
    for (size_t i = 0; i < gathered->n; i++) {
        size_t place = gathered->row[i].hash & (places - 1);
        while (index[place] != 0)
            place = (place + 1) & (places - 1);
        index[place] = (uint32_t)i + 1;
    }
    return true;
}

static bool grow_rows(struct report_gatherer *gathered) {
    const size_t cap = gathered->cap == 0 ? INDEX_LEAST / 2 : gathered->cap * 2;
    const size_t state_bytes = gathered->report->table.state_words * sizeof *gathered->states;
    struct gathered_row *row = realloc(gathered->row, cap * sizeof *row);
    if (row == NULL)
        return false;
    gathered->row = row;
    uint64_t *states = realloc(gathered->states, cap * state_bytes);
    if (states == NULL)
        return false;
    gathered->states = states;
    gathered->cap = cap;
    return true;
}

static bool grow_keys(struct report_gatherer *gathered, size_t key_len) {
    const size_t cap = gathered->keys_cap * 2 + key_len;
    char *keys = realloc(gathered->keys, cap);
    if (keys == NULL)
        return false;
    gathered->keys = keys;
    gathered->keys_cap = cap;
    return true;
}

static bool make_room(struct report_gatherer *gathered, size_t key_len) {
    return (gathered->n < gathered->cap || grow_rows(gathered)) &&
           (gathered->keys_cap - gathered->keys_len >= key_len || grow_keys(gathered, key_len)) &&
           (gathered->places > 2 * gathered->n || grow_index(gathered));
}

static void merge_state(const struct report *report, uint64_t *into, const uint64_t *from) {
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        measure->kind->merge(measure, into + measure->at, from + measure->at);
    }
}

bool report_measure_is_whole(const struct measure *measure) {
    return measure->kind->class == MEASURE_NEWEST && !measure->kind->joins;
}

uint64_t report_lacking(const struct report *report, const uint64_t *state) {
    uint64_t lacking = 0;
    for (unsigned i = 0; i < report->measures && state[0] != 0; i++) {
        const struct measure *measure = &report->measure[i];
        uint64_t any = 0;
        for (size_t k = 0; k < measure->words && report_measure_is_whole(measure); k++)
            any |= state[measure->at + k];
        if (any == 0 && report_measure_is_whole(measure))
            lacking |= UINT64_C(1) << i;
    }
    return lacking;
}

/* Whether a key is `(other)` in every field: then it is the same as the overflow row. */
static bool is_all_other(const struct report *report, const char *key, size_t key_len) {
    unsigned i = 0;
    while (i < report->by && report_key_is_other(key, key_len, i))
        i++;
    return i > 0 && i == report->by;
}

bool report_gatherer_add(struct report_gatherer *gathered, const struct report_row *added,
                         uint64_t lacking) {
    const size_t words = gathered->report->table.state_words;
    const bool all_other =
        added->key != NULL && is_all_other(gathered->report, added->key, added->key_len);
    const char *key = all_other ? NULL : added->key;
    const bool other = key == NULL && gathered->report->table.keyed;
    const char *bytes = key != NULL ? key : "";
    const uint64_t *state = added->state;
    struct gathered_row row = {.key = gathered->keys_len,
                               .key_len = key != NULL ? (uint32_t)added->key_len : 0,
                               .other = other,
                               .lacking = lacking};
    row.hash = XXH3_64bits(bytes, row.key_len) + row.other;
    if (!make_room(gathered, row.key_len))
        return false;
    uint32_t *number = find_place(gathered, &row, bytes);
    if (*number != 0) {
        merge_state(gathered->report, gathered->states + (*number - 1) * words, state);
        gathered->row[*number - 1].lacking |= lacking;
        return true;
    }
    memcpy(gathered->keys + row.key, bytes, row.key_len);
    gathered->keys_len += row.key_len;
    memcpy(gathered->states + gathered->n * words, state, words * sizeof *state);
    gathered->row[gathered->n++] = row;
    *number = (uint32_t)gathered->n;
    return true;
}

/* Compares by the bytes of the keys; `(other)` is last. */
static int compare_rows(const void *a, const void *b) {
    const struct report_row *one = a, *two = b;
    if (one->other != two->other)
        return one->other ? 1 : -1;
    const size_t len = one->key_len < two->key_len ? one->key_len : two->key_len;
    const int order = memcmp(one->key, two->key, len);
    return order != 0 ? order : (one->key_len > two->key_len) - (one->key_len < two->key_len);
}

/* Holds everything the rows point to. */
struct rows_memory {
    uint64_t *states;
    char *keys;
};

static void empty_measures(const struct report *report, uint64_t *state, uint64_t lacking) {
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        if ((lacking >> i & 1) != 0)
            memset(state + measure->at, 0, measure->words * sizeof *state);
    }
}

static bool hand_over(struct report_gatherer *gathered, struct report_rows *rows) {
    struct rows_memory *memory = malloc(sizeof *memory);
    rows->row = malloc((gathered->n + 1) * sizeof *rows->row);
    if (memory == NULL || rows->row == NULL) {
        free(memory);
        free(rows->row);
        rows->row = NULL;
        return false;
    }
    for (size_t i = 0; i < gathered->n; i++) {
        const struct gathered_row *row = &gathered->row[i];
        empty_measures(gathered->report, gathered->states + i * gathered->report->table.state_words,
                       row->lacking);
        rows->row[i] = (struct report_row){
            .key = row->other ? REPORT_OTHER : gathered->keys + row->key,
            .key_len = row->other ? strlen(REPORT_OTHER) : row->key_len,
            .other = row->other,
            .state = gathered->states + i * gathered->report->table.state_words};
    }
    *memory = (struct rows_memory){gathered->states, gathered->keys};
    rows->memory = memory;
    rows->n = gathered->n;
    qsort(rows->row, rows->n, sizeof *rows->row, compare_rows);
    return true;
}

struct report_gatherer *report_gatherer_new(const struct report *report) {
    struct report_gatherer *gathered = calloc(1, sizeof *gathered);
    if (gathered == NULL)
        return NULL;
    gathered->report = report;
    if (make_room(gathered, 1))
        return gathered;
    report_gatherer_end(gathered, NULL);
    return NULL;
}

bool report_gatherer_end(struct report_gatherer *gathered, struct report_rows *rows) {
    if (gathered == NULL)
        return false;
    if (rows != NULL)
        *rows = (struct report_rows){0};
    const bool well = rows != NULL && hand_over(gathered, rows);
    if (!well) {
        free(gathered->states);
        free(gathered->keys);
    }
    free(gathered->row);
    free(gathered->index);
    free(gathered);
    return well;
}

static bool take_copy(void *cls, const struct table_copy *copy) {
    struct report_gatherer *gathered = cls;
    const struct report_row row = {
        .key = copy->key, .key_len = copy->key_len, .state = copy->state};
    return report_gatherer_add(
        gathered, &row, copy->worker == 0 ? report_lacking(gathered->report, copy->state) : 0);
}

bool report_read(const struct report *report, const struct table *table, unsigned width,
                 int64_t window, struct report_rows *rows) {
    struct report_gatherer *gathered = report_gatherer_new(report);
    *rows = (struct report_rows){0};
    if (gathered == NULL)
        return false;
    const struct table_taker taker = {take_copy, gathered};
    const bool well = table_read(table, width, window, &taker);
    return report_gatherer_end(gathered, well ? rows : NULL) && well;
}

void report_rows_free(struct report_rows *rows) {
    struct rows_memory *memory = rows->memory;
    if (memory != NULL) {
        free(memory->states);
        free(memory->keys);
    }
    free(memory);
    free(rows->row);
    *rows = (struct report_rows){0};
}
