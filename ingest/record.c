#include "ingest/field_names.h"
#include "ingest/number.h"

#include <strings.h>

/* Whether a value from that place is the one that counts; if so it is noted as there. */
static bool claim(struct record *record, unsigned i, unsigned rank) {
    const uint64_t bit = UINT64_C(1) << i;
    if ((record->present & bit) && record->rank[i] <= rank) {
        return false;
    }
    record->present |= bit;
    record->unfit &= ~bit;
    record->rank[i] = (uint8_t)rank;
    return true;
}

void record_take(struct record *record, const struct fields *fields, unsigned i, unsigned rank,
                 const char *text, size_t len) {
    if (!claim(record, i, rank)) {
        return;
    }
    const struct field *field = &fields->config.field[i];
    const bool number = field->type != FIELD_TEXT;
    struct aforo_value *value = &record->value[i];
    *value = (struct aforo_value){.text = text, .kind = number ? AFORO_NUMBER : AFORO_TEXT};
    const bool fits = len <= FIELD_TEXT_MAX;
    value->len = (uint32_t)(fits ? len : FIELD_TEXT_MAX);
    if (!fits || (number && !number_read(text, len, field->decimals, &value->number))) {
        value->kind = AFORO_ABSENT;
        record->unfit |= UINT64_C(1) << i;
    }
}

static void take_unfit(struct record *record, unsigned i, unsigned rank) {
    if (claim(record, i, rank)) {
        record->value[i] = (struct aforo_value){.text = "", .kind = AFORO_ABSENT};
        record->unfit |= UINT64_C(1) << i;
    }
}

void field_take(const struct fields *fields, unsigned node, struct record *record, const char *text,
                size_t len) {
    const struct field_target *target = &fields->target[fields->node[node].target];
    for (unsigned left = fields->node[node].targets; left > 0; left--, target++) {
        record_take(record, fields, target->field, target->rank, text, len);
    }
}

void field_take_unfit(const struct fields *fields, unsigned node, struct record *record) {
    const struct field_target *target = &fields->target[fields->node[node].target];
    for (unsigned left = fields->node[node].targets; left > 0; left--, target++) {
        take_unfit(record, target->field, target->rank);
    }
}

void record_take_header(struct record *record, const struct fields *fields, unsigned header,
                        const char *text, size_t len) {
    const char *name = fields_header(fields, header);
    for (unsigned i = 0; i < fields->config.n; i++) {
        const struct field *field = &fields->config.field[i];
        for (unsigned rank = 0; rank < field->places; rank++) {
            if (field->place[rank].source == FIELD_HEADER &&
                strcasecmp(field->place[rank].name, name) == 0) {
                record_take(record, fields, i, rank, text, len);
            }
        }
    }
}

void record_inherit(struct record *record, const struct record *request) {
    for (uint64_t left = request->present; left != 0; left &= left - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(left);
        if (claim(record, i, request->rank[i])) {
            record->unfit |= request->unfit & left & -left;
            record->value[i] = request->value[i];
        }
    }
}
