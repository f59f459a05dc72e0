/* `fields:` of definitions. See definitions.h. */
#include "reports/definitions_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const source_names[FIELD_SOURCES] = {[FIELD_FORM] = "form",
                                                        [FIELD_QUERY] = "query",
                                                        [FIELD_JSON] = "json",
                                                        [FIELD_LINE] = "line",
                                                        [FIELD_HEADER] = "header"};

/* Where to look for a field that does not say where it is, in this order. */
static const enum field_source usual_places[] = {FIELD_FORM, FIELD_JSON, FIELD_LINE, FIELD_QUERY};

static const char place_example[] =
    "form.NAME, query.NAME, json.PATH, line.NAME or header.NAME, or a list of these";

/* ---- places ---- */

static bool is_token_byte(char byte) {
    return isalnum((unsigned char)byte) ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* The first byte of a name that is not allowed in such a place, or the name's end. */
static const char *find_odd_byte(enum field_source source, const char *name) {
    for (; *name != '\0'; name++) {
        const unsigned char byte = (unsigned char)*name;
        if (byte < ' ' || byte == 0x7f || (source == FIELD_HEADER && !is_token_byte(*name)) ||
            (source == FIELD_LINE && (byte == ' ' || byte == '=' || byte == '"')))
            break;
    }
    return name;
}

static bool check_place_name(struct reading *reading, const struct tree_node *node,
                             enum field_source source, const char *name) {
    const size_t begin = (size_t)(name - node->text), len = strlen(name);
    const size_t odd = (size_t)(find_odd_byte(source, name) - name);
    if (len == 0)
        return definitions_mistake(reading, node, "a name is missing behind `%s`", node->text);
    if (len >= FIELD_PLACE_MAX)
        return definitions_mistake(reading, node, "a name of %zu bytes; at most %d", len,
                                   FIELD_PLACE_MAX - 1);
    if (odd < len)
        return definitions_mistake_within(reading, node, begin + odd,
                                          "this byte is in no name of %s", source_names[source]);
    if (source == FIELD_JSON &&
        (*name == '.' || name[len - 1] == '.' || strstr(name, "..") != NULL))
        return definitions_mistake(reading, node,
                                   "a path of JSON is names with a point between: json.user.id");
    return true;
}

static bool same_place(const struct field_place *a, const struct field_place *b) {
    return a->source == b->source && strcmp(a->name, b->name) == 0;
}

static bool add_place(struct reading *reading, const struct tree_node *node, struct field *field,
                      const struct field_place *place) {
    char shown[TREE_SHOWN_MAX];
    for (unsigned i = 0; i < field->places; i++) {
        if (same_place(&field->place[i], place))
            return definitions_mistake(reading, node, "`%s` is here twice", tree_show(node, shown));
    }
    field->place[field->places++] = *place;
    return true;
}

static bool read_place(struct reading *reading, const struct tree_node *node, struct field *field) {
    const struct definitions_names names = {"place", source_names, FIELD_SOURCES};
    const size_t len = strcspn(node->text, ".");
    char shown[TREE_SHOWN_MAX];
    struct field_place place = {0};
    for (unsigned i = 0; i < FIELD_SOURCES; i++) {
        if (strlen(source_names[i]) != len || strncmp(source_names[i], node->text, len) != 0 ||
            node->text[len] != '.')
            continue;
        const char *name = node->text + len + 1;
        place.source = (enum field_source)i;
        if (!check_place_name(reading, node, place.source, name))
            return false;
        for (size_t at = 0; name[at] != '\0'; at++) /* names of headers are case-insensitive */
            place.name[at] =
                (char)(i == FIELD_HEADER ? tolower((unsigned char)name[at]) : name[at]);
        return add_place(reading, node, field, &place);
    }
    const char *nearest = definitions_nearest(node->text, len, &names);
    return definitions_mistake(
        reading, node, "`%s` is no place of a field; %s%s%s", tree_show(node, shown),
        nearest != NULL ? "did you mean `" : "there are ",
        nearest != NULL ? nearest : place_example, nearest != NULL ? ".NAME`?" : "");
}

static bool read_places(struct reading *reading, const struct tree_node *node,
                        struct field *field) {
    if (node == NULL || tree_is_null(node)) {
        for (size_t i = 0; i < sizeof usual_places / sizeof *usual_places; i++) {
            struct field_place *place = &field->place[field->places++];
            place->source = usual_places[i];
            memcpy(place->name, field->name, sizeof field->name);
        }
        return true;
    }
    const struct tree_node *first =
        definitions_read_list(reading, node, FIELD_PLACES_MAX, place_example);
    for (const struct tree_node *place = first; place != NULL; place = place->next) {
        if (!read_place(reading, place, field))
            return false;
    }
    return first != NULL;
}

/* ---- types and names ---- */

/* Translates the names of types in other languages. */
static const char *translate_type(const char *type) {
    static const char *const words[][2] = {{"integer", "int"},    {"number", "int"},
                                           {"string", "text"},    {"str", "text"},
                                           {"float", "decimal2"}, {"double", "decimal2"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i][0], type) == 0)
            return words[i][1];
    }
    return NULL;
}

static bool read_type(struct reading *reading, const struct tree_node *node, struct field *field) {
    static const char *const types[] = {"text",     "int",      "decimal1", "decimal2",
                                        "decimal3", "decimal4", "decimal5", "decimal6",
                                        "decimal7", "decimal8", "decimal9"};
    const struct definitions_names names = {"type", types, sizeof types / sizeof *types};
    size_t found;
    if (!definitions_want(reading, node, TREE_SCALAR, "text, int, or decimal1 to decimal9"))
        return false;
    if (translate_type(node->text) != NULL)
        return definitions_mistake(reading, node, "unknown type `%s`; did you mean `%s`?",
                                   node->text, translate_type(node->text));
    if (!definitions_find(reading, node, &names, &found))
        return false;
    field->type = found == 0 ? FIELD_TEXT : found == 1 ? FIELD_INT : FIELD_DECIMAL;
    field->decimals = found > 1 ? (unsigned)found - 1 : 0;
    return true;
}

static bool read_name(struct reading *reading, const struct tree_node *key, struct field *field) {
    static const char *const words[] = {"and", "or", "not", "in", "starts", "null"};
    char shown[TREE_SHOWN_MAX];
    bool well = key->len > 0 && !isdigit((unsigned char)key->text[0]);
    for (size_t i = 0; i < key->len; i++)
        well = well && (isalnum((unsigned char)key->text[i]) || key->text[i] == '_');
    if (!well)
        return definitions_mistake(
            reading, key, "`%s` is no name of a field: letters, digits and _, no digit first",
            tree_show(key, shown));
    if (key->len >= FIELD_NAME_MAX)
        return definitions_mistake(reading, key, "`%s` is longer than %d bytes",
                                   tree_show(key, shown), FIELD_NAME_MAX - 1);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], key->text) == 0)
            return definitions_mistake(
                reading, key, "`%s` has a meaning of its own here: no field's name", words[i]);
    }
    memcpy(field->name, key->text, key->len + 1);
    return true;
}

static bool read_field(struct reading *reading, const struct tree_node *key, struct field *field) {
    static const char *const keys[] = {"from", "type"};
    const struct definitions_names names = {"key", keys, 2};
    const struct tree_node *given[2] = {NULL, NULL};
    if (!read_name(reading, key, field))
        return false;
    if (key->value->kind != TREE_MAP)
        given[0] = key->value;
    else if (!definitions_read_map(reading, key->value, &names, given))
        return false;
    return read_places(reading, given[0], field) &&
           (given[1] == NULL || read_type(reading, given[1], field));
}

/* Sorts by name, so that text written in this order does not depend on the order of declaration. */
static void sort_fields(struct definitions *definitions) {
    const struct field *field = definitions->fields.field;
    for (unsigned i = 0; i < definitions->fields.n; i++) {
        unsigned at = i;
        for (; at > 0 && strcmp(definitions->sorted_name[at - 1], field[i].name) > 0; at--) {
            definitions->sorted[at] = definitions->sorted[at - 1];
            definitions->sorted_name[at] = definitions->sorted_name[at - 1];
        }
        definitions->sorted[at] = (uint8_t)i;
        definitions->sorted_name[at] = field[i].name;
    }
}

bool definitions_read_fields(struct reading *reading, const struct tree_node *node) {
    struct fields_config *fields = &reading->definitions->fields;
    if (!definitions_want(reading, node, TREE_MAP, "NAME: PLACE"))
        return false;
    if (node->entries > FIELDS_MAX)
        return definitions_mistake(reading, node, "%u fields; at most %d", node->entries,
                                   FIELDS_MAX);
    for (const struct tree_node *key = node->child; key != NULL; key = key->next) {
        if (!read_field(reading, key, &fields->field[fields->n]))
            return false;
        fields->n++;
    }
    sort_fields(reading->definitions);
    return true;
}
