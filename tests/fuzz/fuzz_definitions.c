/* Any text as definitions of reports. What is refused is told in one line of printable characters;
 * of what is taken each report's own definition is taken again and is the same report. */
#include "reports/definitions.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct definitions_for purpose = {.span = {1, 3600 * US_PER_S, 10 * US_PER_S},
                                               .file = "r"};

static void check_why(const char *why) {
    if (strncmp(why, "r:", 2) != 0) {
        abort();
    }
    for (; *why; why++) {
        if (*why < ' ' || *why > '~') {
            abort();
        }
    }
}

static void check_again(const struct report *report) {
    char why[DEFINITIONS_WHY_MAX];
    const struct table_config *table = &report->table;
    struct definitions *again =
        definitions_read(table->definition, table->definition_len, &purpose, why);
    if (!again || again->reports != 1) {
        abort();
    }
    const struct report *second = &again->report[0];
    if (strcmp(second->definition, report->definition) != 0 ||
        strcmp(second->table.digest, table->digest) != 0 ||
        strcmp(second->table.name, table->name) != 0 ||
        second->table.state_words != table->state_words || second->table.memory != table->memory ||
        second->measures != report->measures) {
        abort();
    }
    definitions_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[DEFINITIONS_WHY_MAX] = "";
    definitions_seal_measures(); /* whatever file a text names, it is not loaded here */
    struct definitions *definitions = definitions_read((const char *)data, size, &purpose, why);
    if (!definitions) {
        check_why(why);
        return 0;
    }
    for (unsigned i = 0; i < definitions->reports; i++) {
        check_again(&definitions->report[i]);
    }
    definitions_free(definitions);
    return 0;
}
