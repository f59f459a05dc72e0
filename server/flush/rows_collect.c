#include "server/flush/rows_collect.h"

#include "reports/read.h"

#include <stdlib.h>
#include <string.h>

/* Rows are copied as they come, state and key; pointers to them are made at the end. */
struct gathering {
    const struct rows_question *question;
    size_t state_words;
    uint64_t *words;
    size_t n_words, words_cap;
    size_t *at; /* where each row begins in words: length of key, changed, lacking, state, key */
    size_t n, cap;
    bool failed;
};

#define HEAD_WORDS 3

/* Makes room for another row of that many words. */
static bool make_room(struct gathering *gathering, size_t words) {
    if (gathering->words_cap - gathering->n_words < words) {
        const size_t cap = 2 * gathering->words_cap + words;
        uint64_t *grown = realloc(gathering->words, cap * sizeof *grown);
        if (!grown) {
            return false;
        }
        gathering->words = grown;
        gathering->words_cap = cap;
    }
    if (gathering->n == gathering->cap) {
        const size_t cap = 2 * gathering->cap + 64;
        size_t *grown = realloc(gathering->at, cap * sizeof *grown);
        if (!grown) {
            return false;
        }
        gathering->at = grown;
        gathering->cap = cap;
    }
    return true;
}

static bool take_copy(void *cls, const struct table_copy *copy) {
    struct gathering *gathering = cls;
    const struct rows_question *question = gathering->question;
    const bool keyed = table_config(question->table)->keyed;
    const char *key = copy->key ? copy->key : keyed ? REPORT_OTHER : "";
    const size_t key_len = copy->key ? copy->key_len : strlen(key);
    const size_t words =
        HEAD_WORDS + gathering->state_words + (key_len + sizeof(uint64_t)) / sizeof(uint64_t);
    if (question->sections == ROWS_COUNTED && copy->worker == 0) {
        return true;
    }
    if (!make_room(gathering, words)) {
        gathering->failed = true;
        return false;
    }
    uint64_t *row = gathering->words + gathering->n_words;
    row[0] = key_len;
    row[1] = !question->touched || copy->worker >= question->touched_n ||
             copy->touched > question->touched[copy->worker];
    row[2] = copy->worker == 0 ? report_lacking(question->report, copy->state) : 0;
    memcpy(row + HEAD_WORDS, copy->state, gathering->state_words * sizeof *row);
    memcpy(row + HEAD_WORDS + gathering->state_words, key, key_len);
    gathering->at[gathering->n++] = gathering->n_words;
    gathering->n_words += words;
    return true;
}

static int compare_keys(const void *one, const void *two) {
    const struct rows_one *a = one, *b = two;
    const size_t least = a->key_len < b->key_len ? a->key_len : b->key_len;
    const int order = least ? memcmp(a->key, b->key, least) : 0;
    return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

void rows_merge(const struct report *report, uint64_t *into, const uint64_t *from) {
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        measure->kind->merge(measure, into + measure->at, from + measure->at);
    }
}

/* Sorts the rows and merges those with equal keys. */
static void settle(const struct gathering *gathering, struct rows_collected *collected) {
    for (size_t i = 0; i < gathering->n; i++) {
        uint64_t *row = gathering->words + gathering->at[i];
        collected->row[i] =
            (struct rows_one){.key = (const char *)(row + HEAD_WORDS + gathering->state_words),
                              .key_len = row[0],
                              .state = row + HEAD_WORDS,
                              .lacking = row[2],
                              .changed = row[1]};
    }
    qsort(collected->row, gathering->n, sizeof *collected->row, compare_keys);
    for (size_t i = 0; i < gathering->n; i++) {
        const struct rows_one *row = &collected->row[i];
        struct rows_one *last = collected->n ? &collected->row[collected->n - 1] : NULL;
        if (last && compare_keys(last, row) == 0) {
            rows_merge(gathering->question->report, last->state, row->state);
            last->lacking |= row->lacking;
            last->changed = last->changed || row->changed;
        } else {
            collected->row[collected->n++] = *row;
        }
    }
}

bool rows_collect(const struct rows_question *question, struct rows_collected *collected) {
    struct gathering gathering = {.question = question,
                                  .state_words = table_config(question->table)->state_words};
    *collected = (struct rows_collected){0};
    const bool ok = table_read(question->table, question->width, question->window,
                               &(struct table_taker){take_copy, &gathering}) &&
                    !gathering.failed;
    collected->memory = gathering.words;
    collected->row = ok ? calloc(gathering.n + 1, sizeof *collected->row) : NULL;
    if (collected->row) {
        settle(&gathering, collected);
    }
    free(gathering.at);
    return collected->row != NULL;
}

const struct rows_one *rows_collected_find(const struct rows_collected *collected, const char *key,
                                           size_t key_len) {
    const struct rows_one wanted = {.key = key, .key_len = key_len};
    return collected->n
               ? bsearch(&wanted, collected->row, collected->n, sizeof wanted, compare_keys)
               : NULL;
}

void rows_collected_free(struct rows_collected *collected) {
    free(collected->row);
    free(collected->memory);
    *collected = (struct rows_collected){0};
}
