#include "reports/left_out.h"

#include "counters/rows/table.h"
#include "reports/read.h"

#include <stdio.h>

#define NUMBER_TEXT_MAX 32

static void explain_unfit(const struct field *field, const struct aforo_value *value,
                          char why[LEFT_OUT_WHY_MAX]) {
    static const char *const types[] = {
        [FIELD_TEXT] = "a text", [FIELD_INT] = "an int", [FIELD_DECIMAL] = "a number of its type"};
    const char *type = types[field->type];
    switch (value->number) {
    case FIELD_TOO_LONG:
        snprintf(why, LEFT_OUT_WHY_MAX, "longer than %d bytes", FIELD_TEXT_MAX);
        break;
    case FIELD_IS_ARRAY:
        snprintf(why, LEFT_OUT_WHY_MAX, "not %s: an array", type);
        break;
    case FIELD_IS_OBJECT:
        snprintf(why, LEFT_OUT_WHY_MAX, "not %s: an object", type);
        break;
    default:
        snprintf(why, LEFT_OUT_WHY_MAX, "not %s", type);
    }
}

/* For a number that the measure never accepts: tells which ones it does. */
static void explain_too_large(const struct measure *measure, const struct field *field,
                              char why[LEFT_OUT_WHY_MAX]) {
    char most[NUMBER_TEXT_MAX];
    const unsigned decimals = field->type == FIELD_DECIMAL ? field->decimals : 0;
    const size_t len = report_key_number(measure->kind->end - 1, decimals, most, sizeof most);
    snprintf(why, LEFT_OUT_WHY_MAX, "too large, and %s takes up to %.*s", measure->text, (int)len,
             most);
}

static bool is_too_large(const struct measure *measure, const struct aforo_value *value) {
    const int64_t end = measure->kind->end;
    return end > 0 && (value->number >= end || value->number <= -end);
}

static void explain_measure(const struct measure *measure, const struct field *field,
                            const struct aforo_value *value, char why[LEFT_OUT_WHY_MAX]) {
    if (is_too_large(measure, value))
        explain_too_large(measure, field, why);
    else if (!measure->kind->from_zero)
        snprintf(why, LEFT_OUT_WHY_MAX, "its sum would leave the range of 2^53");
    else if (value->number < 0)
        snprintf(why, LEFT_OUT_WHY_MAX, "negative, and %s takes 0 and more", measure->text);
    else
        snprintf(why, LEFT_OUT_WHY_MAX, "%s has room for no more like it", measure->text);
}

void left_out_explain(const struct left_out *out, const struct field *field, unsigned i,
                      const struct record *record, char why[LEFT_OUT_WHY_MAX]) {
    const struct aforo_value *value = &record->value[i];
    if (out->key_too_long)
        snprintf(why, LEFT_OUT_WHY_MAX, "the key is longer than %d bytes with it", TABLE_KEY_MAX);
    else if (out->measure != NULL)
        explain_measure(out->measure, field, value, why);
    else if (record->present >> i & 1)
        explain_unfit(field, value, why);
    else
        snprintf(why, LEFT_OUT_WHY_MAX, "missing");
}
