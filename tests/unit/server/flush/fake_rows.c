/* The fake store's rows of reports: this node's parts, as rows.lua keeps them. */
#include "tests/unit/server/flush/fake_store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct fake_store *fake_of(struct store *store) {
    return (struct fake_store *)store; /* its first member */
}

static bool refuse(char why[STORE_WHY_MAX]) {
    snprintf(why, STORE_WHY_MAX, "refused");
    return false;
}

static bool is_of(const struct fake_row *row, const struct rows_place *place) {
    return row->window == place->window && row->width_us == place->width_us &&
           strcmp(row->report, place->report) == 0;
}

struct fake_row *fake_store_row(struct fake_store *fake, const struct rows_place *place,
                                const char *key) {
    for (size_t i = 0; i < fake->rows; i++) {
        if (is_of(&fake->row[i], place) && strcmp(fake->row[i].key, key) == 0) {
            return &fake->row[i];
        }
    }
    return NULL;
}

static struct rows_component *find_component(struct fake_row *row, const char *name) {
    for (size_t i = 0; i < row->n; i++) {
        if (strcmp(row->name[i], name) == 0) {
            return &row->component[i];
        }
    }
    return NULL;
}

int64_t fake_store_component(struct fake_store *fake, const struct rows_place *place,
                             const char *key, const char *component) {
    struct fake_row *row = fake_store_row(fake, place, key);
    const struct rows_component *there = row ? find_component(row, component) : NULL;
    return there ? there->value : -1;
}

void fake_store_put_row(struct fake_store *fake, const struct rows_place *place,
                        const struct rows_row *row) {
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)row->key_len, row->key);
    struct fake_row *there = fake_store_row(fake, place, key);
    if (!there) {
        assert(fake->rows < FAKE_ROWS && row->key_len < sizeof key);
        there = &fake->row[fake->rows++];
        *there = (struct fake_row){.width_us = place->width_us, .window = place->window};
        snprintf(there->report, sizeof there->report, "%s", place->report);
        snprintf(there->width, sizeof there->width, "%s", place->width);
        snprintf(there->key, sizeof there->key, "%s", key);
    }
    for (size_t i = 0; i < row->n; i++) {
        struct rows_component *component = find_component(there, row->component[i].name);
        if (!component) {
            assert(there->n < FAKE_COMPONENTS);
            snprintf(there->name[there->n], sizeof there->name[0], "%s", row->component[i].name);
            component = &there->component[there->n];
            *component = (struct rows_component){.rule = row->component[i].rule,
                                                 .value = row->component[i].value};
            component->name = there->name[there->n++];
        }
        if (component->rule == ROWS_MIN ? row->component[i].value < component->value
                                        : row->component[i].value > component->value) {
            component->value = row->component[i].value;
        }
    }
    there->count = row->count > there->count ? row->count : there->count;
}

static uint64_t sum_of(const struct fake_store *fake, const struct rows_place *place) {
    uint64_t sum = 0;
    for (size_t i = 0; i < fake->rows; i++) {
        sum += is_of(&fake->row[i], place) ? fake->row[i].count : 0;
    }
    return sum;
}

bool fake_tell_report(struct store *store, const struct store_report *report,
                      char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->told_reports++;
    snprintf(fake->last_definition, sizeof fake->last_definition, "%.*s",
             (int)report->definition_len, report->definition);
    snprintf(fake->last_windows, sizeof fake->last_windows, "%s", report->windows);
    return fake->rows_outcome != STORE_FAILED || refuse(why);
}

bool fake_send_rows(struct store *store, const struct store_rows *rows, struct store_ack *ack,
                    char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->row_sends++;
    fake->rows_sent += rows->n;
    fake->last_rows = *rows;
    fake->last_rows.row = NULL;
    *ack = (struct store_ack){fake->rows_outcome, 0, 0};
    if (fake->rows_outcome == STORE_STORED) {
        ack->had = sum_of(fake, &rows->place);
        for (size_t i = 0; i < rows->n; i++) {
            fake_store_put_row(fake, &rows->place, &rows->row[i]);
        }
        ack->has = sum_of(fake, &rows->place);
    }
    fake->connected =
        fake->connected && (fake->rows_outcome != STORE_FAILED || !fake->loses_connection);
    return fake->rows_outcome != STORE_FAILED || refuse(why);
}

bool fake_read_back_rows(struct store *store, const struct store_rows_range *range,
                         const struct store_rows_taker *taker, char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->rows_read_backs++;
    if (fake->read_back_fails) {
        return refuse(why);
    }
    struct rows_place place = range->first;
    for (uint32_t i = 0; i < range->n; i++, place.window++) {
        for (size_t j = 0; j < fake->rows; j++) {
            const struct fake_row *row = &fake->row[j];
            if (is_of(row, &place)) {
                taker->row(taker->cls, &place,
                           &(struct rows_row){row->key, strlen(row->key), row->count, row->n,
                                              row->component});
            }
        }
        if (sum_of(fake, &place)) {
            taker->window(taker->cls, &place, sum_of(fake, &place));
        }
    }
    return true;
}

bool fake_rows_sum(struct store *store, const struct rows_place *place, uint64_t *sum,
                   char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    *sum = sum_of(fake, place);
    return !fake->sums_fail || refuse(why);
}
