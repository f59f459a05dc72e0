/* A report's canonical text: the definition that is stored beside its rows, and the input of its
 * digest. See definitions.h. */
#define XXH_INLINE_ALL
#include "reports/definitions_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The code point at *text, which is UTF-8; advances *text. */
static uint32_t next_character(const unsigned char **text) {
    const unsigned char first = *(*text)++;
    if (first < 0x80)
        return first;
    uint32_t character = first & (first >= 0xf0 ? 0x07 : first >= 0xe0 ? 0x0f : 0x1f);
    while ((**text & 0xc0) == 0x80)
        character = character << 6 | (*(*text)++ & 0x3f);
    return character;
}

/* Writes a text in double quotes, in ASCII only. */
static void write_quoted(FILE *out, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', out);
    while (*at != '\0') {
        const uint32_t character = next_character(&at);
        if (character == '"' || character == '\\')
            fprintf(out, "\\%c", (int)character);
        else if (character >= ' ' && character <= '~')
            fputc((int)character, out);
        else if (character <= 0xffff)
            fprintf(out, "\\u%04" PRIX32, character);
        else
            fprintf(out, "\\U%08" PRIX32, character);
    }
    fputc('"', out);
}

/* ---- fields ---- */

static void write_field(FILE *out, const struct field *field) {
    static const char *const sources[FIELD_SOURCES] = {[FIELD_FORM] = "form",
                                                       [FIELD_QUERY] = "query",
                                                       [FIELD_JSON] = "json",
                                                       [FIELD_LINE] = "line",
                                                       [FIELD_HEADER] = "header"};
    fprintf(out, "  %s: {from: [", field->name);
    for (unsigned i = 0; i < field->places; i++) {
        char place[FIELD_PLACE_MAX + 16];
        snprintf(place, sizeof place, "%s.%s", sources[field->place[i].source],
                 field->place[i].name);
        fputs(i > 0 ? ", " : "", out);
        write_quoted(out, place);
    }
    if (field->type == FIELD_DECIMAL)
        fprintf(out, "], type: decimal%u}\n", field->decimals);
    else
        fprintf(out, "], type: %s}\n", field->type == FIELD_INT ? "int" : "text");
}

/* Bit i: the report uses field i. */
static uint64_t find_used(const struct report *report) {
    uint64_t used = report->needs;
    if (report->when != NULL)
        used |= condition_fields(report->when);
    for (unsigned i = 0; i < report->measures; i++) {
        for (unsigned j = 0; j < report->measure[i].arguments; j++)
            used |= UINT64_C(1) << report->measure[i].field[j];
    }
    return used;
}

static void write_fields(FILE *out, const struct definitions *definitions,
                         const struct report *report) {
    const uint64_t used = find_used(report);
    if (used == 0)
        return;
    fputs("fields:\n", out);
    for (unsigned i = 0; i < definitions->fields.n; i++) {
        if (used >> definitions->sorted[i] & 1)
            write_field(out, &definitions->fields.field[definitions->sorted[i]]);
    }
}

/* ---- the report ---- */

static void write_when(FILE *out, const struct definitions *definitions,
                       const struct report *report) {
    char text[CONDITION_BYTES_MAX];
    if (report->when == NULL)
        return;
    condition_print(report->when, &definitions->fields, text, sizeof text);
    fputs("    when: ", out);
    write_quoted(out, text);
    fputc('\n', out);
}

static void write_by(FILE *out, const struct definitions *definitions,
                     const struct report *report) {
    for (unsigned i = 0; i < report->by; i++)
        fprintf(out, "%s%s%s", i == 0 ? "    by: [" : ", ",
                definitions->fields.field[report->by_field[i]].name,
                i + 1 == report->by ? "]\n" : "");
}

static void write_windows(FILE *out, const struct report *report) {
    for (unsigned i = 0; i < report->table.widths; i++) {
        char name[16];
        report_width_name(report->table.width_us[i], name);
        fprintf(out, "%s%s%s", i == 0 ? "    windows: [" : ", ", name,
                i + 1 == report->table.widths ? "]\n" : "");
    }
}

/* How many values a field may have; 0: no limit, or it is not in `by`. */
static uint64_t find_field_max(const struct report *report, unsigned field) {
    for (unsigned i = 0; i < report->by; i++) {
        if (report->by_field[i] == field)
            return report->table.field_max[i];
    }
    return 0;
}

static void write_keys(FILE *out, const struct definitions *definitions,
                       const struct report *report) {
    bool any = false;
    if (report->by == 0)
        return;
    fprintf(out, "    keys: {max: %" PRIu64, report->table.keys_max);
    for (unsigned i = 0; i < definitions->fields.n; i++) {
        const uint64_t most = find_field_max(report, definitions->sorted[i]);
        if (most == 0)
            continue;
        fprintf(out, "%s%s: %" PRIu64, any ? ", " : ", per_field: {", definitions->sorted_name[i],
                most);
        any = true;
    }
    fputs(any ? "}}\n" : "}\n", out);
}

static void write_memory(FILE *out, const struct definitions_sizes *sizes) {
    if (sizes->memory != NULL)
        fprintf(out, "    memory: %" PRId64 "\n", sizes->memory_bytes);
}

/* Writes the loaded measures and the words of a row that each occupies, so that the rest can be
 * read without loading them. */
static void write_own(FILE *out, const struct report *report) {
    bool any = false;
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        if (measure->kind->wants != MEASURE_WANTS_OWN)
            continue;
        fputs(any ? ", " : "own: {", out);
        write_quoted(out, measure->text);
        fprintf(out, ": %zu", measure->words);
        any = true;
    }
    fputs(any ? "}\n" : "", out);
}

/* Writes what is needed to read the same report again. */
static void write_definition(FILE *out, const struct definitions *definitions,
                             const struct definitions_sizes *sizes, const struct report *report) {
    write_fields(out, definitions, report);
    write_own(out, report);
    fprintf(out, "reports:\n  - name: \"%s\"\n", report->table.name);
    write_when(out, definitions, report);
    write_by(out, definitions, report);
    write_windows(out, report);
    for (unsigned i = 0; i < report->figures; i++)
        fprintf(out, "%s\"%s\"%s", i == 0 ? "    show: [" : ", ", report->figure[i].text,
                i + 1 == report->figures ? "]\n" : "");
    write_keys(out, definitions, report);
    if (sizes->keep != NULL)
        fprintf(out, "    keep: %" PRId64 "us\n", sizes->keep_us);
    write_memory(out, sizes);
}

/* Writes what determines the contents of its rows. */
static void write_meaning(FILE *out, const struct definitions *definitions,
                          const struct definitions_sizes *sizes, const struct report *report) {
    fputs("report 1\n", out); /* version of this text and of the measures' states */
    write_fields(out, definitions, report);
    write_when(out, definitions, report);
    write_by(out, definitions, report);
    write_windows(out, report);
    for (unsigned i = 0; i < report->measures; i++)
        fprintf(out, "    measure: %s %u %zu\n", report->measure[i].text,
                report->measure[i].parameter, report->measure[i].words);
    write_keys(out, definitions, report);
    write_memory(out, sizes);
}

bool definitions_write(struct reading *reading, const struct definitions_sizes *sizes,
                       struct report *report) {
    char *meaning = NULL;
    size_t meaning_len = 0, len = 0;
    FILE *out = open_memstream(&meaning, &meaning_len),
         *definition = open_memstream(&report->definition, &len);
    bool well = out != NULL && definition != NULL;
    if (well) {
        write_meaning(out, reading->definitions, sizes, report);
        write_definition(definition, reading->definitions, sizes, report);
    }
    well = (out == NULL || fclose(out) == 0) && well;
    well = (definition == NULL || fclose(definition) == 0) && well;
    if (well)
        snprintf(report->table.digest, TABLE_DIGEST_MAX, "%016" PRIx64,
                 (uint64_t)XXH3_64bits(meaning, meaning_len));
    free(meaning);
    report->table.definition = report->definition;
    report->table.definition_len = len;
    if (!well)
        return definitions_mistake(reading, sizes->report, "out of memory");
    return len <= TABLE_DEFINITION_MAX ||
           definitions_mistake(reading, sizes->report,
                               "the definition of report `%s` takes %zu bytes, with the fields it "
                               "uses; at most %d",
                               report->table.name, len, TABLE_DEFINITION_MAX);
}
