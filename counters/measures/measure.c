/* The list of measures: by name. */
#include "counters/measures/measure.h"

#include "counters/measures/kinds.h"
#include "counters/measures/own.h"

#include <string.h>

static const struct measure_kind *const kinds[] = {
#define MEASURE(kind) &measure_##kind,
#include "counters/measures/measures.def"
#undef MEASURE
};

#define KINDS (sizeof kinds / sizeof kinds[0])

const struct measure_kind *measure_at(size_t i) {
    return i < KINDS ? kinds[i] : own_at(i - KINDS);
}

const struct measure_kind *measure_find(const char *name) {
    const struct measure_kind *kind = NULL;
    for (size_t i = 0; (kind = measure_at(i)) && strcmp(kind->name, name) != 0;) {
        i++;
    }
    return kind;
}

bool measure_name(struct measure *measure, const char *text) {
    const size_t len = strlen(text), name_len = strcspn(text, "(");
    char name[MEASURE_TEXT_MAX];
    *measure = (struct measure){0};
    if (len >= sizeof name || (name_len < len && text[len - 1] != ')')) {
        return false;
    }
    memcpy(name, text, name_len);
    name[name_len] = '\0';
    measure->kind = measure_find(name);
    memcpy(measure->text, text, len + 1);
    if (name_len < len) {
        memcpy(measure->argument_text, text + name_len + 1, len - name_len - 2);
    }
    return measure->kind != NULL;
}
