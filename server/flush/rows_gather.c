#include "server/flush/rows_gather.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_AT_ONCE 2000
#define COMPONENTS_AT_ONCE 8000
#define BYTES_AT_ONCE (1 << 20)

struct rows_at {
    size_t name, bytes;
};

static const enum rows_rule rule_of[] = {
    [COMPONENT_ADD] = ROWS_ADD, [COMPONENT_WRAP] = ROWS_WRAP, [COMPONENT_MIN] = ROWS_MIN,
    [COMPONENT_MAX] = ROWS_MAX, [COMPONENT_HLL] = ROWS_HLL,   [COMPONENT_BLOB] = ROWS_BLOB,
};

void rows_gather_begin(struct rows_gather *gather) {
    gather->row.len = gather->component.len = gather->text.len = gather->at.len = 0;
    gather->n = 0;
    gather->failed = false;
}

void rows_gather_free(struct rows_gather *gather) {
    free(gather->row.bytes);
    free(gather->component.bytes);
    free(gather->text.bytes);
    free(gather->at.bytes);
    *gather = (struct rows_gather){0};
}

bool rows_gather_is_full(const struct rows_gather *gather) {
    return gather->n >= ROWS_AT_ONCE || gather->text.len >= BYTES_AT_ONCE ||
           gather->component.len >= COMPONENTS_AT_ONCE * sizeof(struct rows_component);
}

static void take_component(void *cls, const struct component *component) {
    struct rows_gather *gather = cls;
    const struct rows_at at = {gather->text.len, gather->text.len + strlen(component->name) + 1};
    const struct rows_component taken = {
        .rule = rule_of[component->rule], .value = component->value, .len = component->len};
    gather->failed =
        gather->failed ||
        !rows_bytes_put(&gather->text, component->name, strlen(component->name) + 1) ||
        (component->bytes && !rows_bytes_put(&gather->text, component->bytes, component->len)) ||
        !rows_bytes_put(&gather->component, &taken, sizeof taken) ||
        !rows_bytes_put(&gather->at, &at, sizeof at);
}

void rows_gather_add(struct rows_gather *gather, const struct report *report,
                     const struct rows_one *row) {
    const size_t before = gather->component.len;
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        if (!(row->lacking >> i &
              1)) { /* the store keeps what it has, which tells of how many events */
            measure->kind->emit(measure, row->state + measure->at,
                                &(struct component_taker){take_component, gather});
        }
    }
    const struct rows_row added = {.key = row->key,
                                   .key_len = row->key_len,
                                   .count = row->state[0],
                                   .n = (gather->component.len - before) /
                                        sizeof(struct rows_component)};
    gather->failed = gather->failed || !rows_bytes_put(&gather->row, &added, sizeof added);
    gather->n++;
}

struct rows_row *rows_gather_end(struct rows_gather *gather) {
    struct rows_row *row = (struct rows_row *)(void *)gather->row.bytes;
    struct rows_component *component = (struct rows_component *)(void *)gather->component.bytes;
    const struct rows_at *at = (const struct rows_at *)(void *)gather->at.bytes;
    if (gather->failed) {
        return NULL;
    }
    for (size_t i = 0; i < gather->n; i++) {
        row[i].component = component;
        for (size_t j = 0; j < row[i].n; j++, at++, component++) {
            component->name = gather->text.bytes + at->name;
            component->bytes = (const unsigned char *)gather->text.bytes + at->bytes;
        }
    }
    return row;
}

int64_t rows_value(const struct rows_row *row, const char *component) {
    for (size_t i = 0; row && i < row->n; i++) {
        if (strcmp(row->component[i].name, component) == 0) {
            return row->component[i].value;
        }
    }
    return 0;
}

struct component rows_to_component(const struct rows_component *component) {
    struct component made = {.name = component->name,
                             .value = component->value,
                             .bytes = component->bytes,
                             .len = component->len};
    for (int rule = COMPONENT_ADD; rule <= COMPONENT_BLOB; rule++) {
        if (rule_of[rule] == component->rule) {
            made.rule = (enum component_rule)rule;
        }
    }
    return made;
}
