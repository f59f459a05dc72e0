#include "ingest/field_names.h"
#include "ingest/number.h"

#include <strings.h>

static void take_target(struct record *record, struct field_target target, const char *text,
                        size_t len) {
    if (!field_claim(record, target.field, target.rank)) {
        return;
    }
    const bool number = target.decimals != FIELD_NO_NUMBER;
    const bool fits = len <= FIELD_TEXT_MAX;
    struct aforo_value *value = &record->value[target.field];
    value->text = text;
    value->len = (uint32_t)(fits ? len : FIELD_TEXT_MAX);
    value->kind = number ? AFORO_NUMBER : AFORO_TEXT;
    value->number = 0;
    if (!fits || (number && !number_read(text, len, target.decimals, &value->number))) {
        value->kind = AFORO_ABSENT;
        value->number = number ? FIELD_NOT_OF_ITS_TYPE : FIELD_TOO_LONG;
        record->unfit |= UINT64_C(1) << target.field;
    }
}

void record_take(struct record *record, const struct fields *fields, unsigned i, unsigned rank,
                 const char *text, size_t len) {
    const struct field *field = &fields->config.field[i];
    const struct field_target target = {(uint8_t)i, (uint8_t)rank, field_decimals(field)};
    take_target(record, target, text, len);
}

void field_take(const struct fields *fields, unsigned node, struct record *record, const char *text,
                size_t len) {
    const struct field_target *target = &fields->target[fields->node[node].target];
    for (unsigned left = fields->node[node].targets; left > 0; left--, target++) {
        take_target(record, *target, text, len);
    }
}

void field_take_unfit(const struct fields *fields, unsigned node, struct record *record,
                      enum field_unfit why) {
    const struct field_target *target = &fields->target[fields->node[node].target];
    for (unsigned left = fields->node[node].targets; left > 0; left--, target++) {
        if (field_claim(record, target->field, target->rank)) {
            record->value[target->field] =
                (struct aforo_value){.text = "", .kind = AFORO_ABSENT, .number = why};
            record->unfit |= UINT64_C(1) << target->field;
        }
    }
}

void field_take_room(const struct fields *fields, unsigned node, struct record *record,
                     size_t len) {
    if (len > field_room(record)) {
        field_take_unfit(fields, node, record, FIELD_TOO_LONG);
        return;
    }
    const char *value = record->room + record->room_used;
    record->room_used += len;
    field_take(fields, node, record, value, len);
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
        if (field_claim(record, i, request->rank[i])) {
            record->unfit |= request->unfit & left & -left;
            record->value[i] = request->value[i];
        }
    }
}
