/* See tree.h. */
#include "reports/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct builder {
    struct tree *tree;
    const char *text;
    size_t len;
    yaml_parser_t parser;
    unsigned depth;
    struct tree_node *open[TREE_DEPTH_MAX]; /* lists and maps that have not ended */
    struct tree_node *last[TREE_DEPTH_MAX]; /* the last child of each */
};

__attribute__((format(printf, 3, 4))) static bool
mistake(struct builder *builder, const yaml_mark_t *at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(builder->tree->why, TREE_WHY_MAX, format, arguments);
    va_end(arguments);
    builder->tree->line = (unsigned)at->line + 1;
    builder->tree->column = (unsigned)at->column + 1;
    return false;
}

/* ---- what libyaml says ---- */

/* Converts a byte offset to a position, for mistakes that libyaml reports without a line. */
static yaml_mark_t mark_of(const struct builder *builder, size_t at) {
    yaml_mark_t mark = {.index = at};
    for (size_t i = 0; i < at && i < builder->len; i++) {
        const unsigned char byte = (unsigned char)builder->text[i];
        mark.line += byte == '\n';
        mark.column = byte == '\n' ? 0 : mark.column + ((byte & 0xc0) != 0x80);
    }
    return mark;
}

static bool explain_parser(struct builder *builder) {
    const yaml_parser_t *parser = &builder->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return mistake(builder, &parser->mark, "out of memory");
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) {
        const yaml_mark_t mark = mark_of(builder, parser->problem_offset);
        return mistake(builder, &mark, "not YAML in UTF-8: %s", problem);
    }
    return mistake(builder, &parser->problem_mark, "not YAML: %s%s%s", problem,
                   parser->context != NULL ? ", " : "",
                   parser->context != NULL ? parser->context : "");
}

/* ---- nodes ---- */

static struct tree_node *new_node(struct builder *builder, enum tree_kind kind,
                                  const yaml_event_t *event, size_t len) {
    struct tree_node *node = calloc(1, sizeof *node + len + 1);
    if (node == NULL) {
        mistake(builder, &event->start_mark, "out of memory");
        return NULL;
    }
    node->kind = kind;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    node->len = len;
    node->made_before = builder->tree->made;
    builder->tree->made = node;
    return node;
}

/* The earlier key of the same name in the map. */
static const struct tree_node *find_twin(const struct tree_node *map, const struct tree_node *key) {
    for (const struct tree_node *other = map->child; other != NULL; other = other->next) {
        if (other->len == key->len && memcmp(other->text, key->text, key->len) == 0)
            return other;
    }
    return NULL;
}

static bool add_entry(struct builder *builder, struct tree_node *node, const yaml_event_t *event) {
    struct tree_node *parent = builder->open[builder->depth - 1];
    struct tree_node **last = &builder->last[builder->depth - 1];
    char shown[TREE_SHOWN_MAX];
    if (++parent->entries > TREE_ENTRIES_MAX)
        return mistake(builder, &event->start_mark, "more than %d entries in %s", TREE_ENTRIES_MAX,
                       tree_kind_name(parent));
    if (parent->kind == TREE_MAP && node->kind != TREE_SCALAR)
        return mistake(builder, &event->start_mark, "a name is meant here, not %s",
                       tree_kind_name(node));
    const struct tree_node *twin = parent->kind == TREE_MAP ? find_twin(parent, node) : NULL;
    if (twin != NULL)
        return mistake(builder, &event->start_mark, "`%s` is here twice; first in line %u",
                       tree_show(node, shown), twin->line);
    if (*last == NULL)
        parent->child = node;
    else
        (*last)->next = node;
    *last = node;
    return true;
}

/* Inserts a node where the tree continues: in the open list or map, or as its root. */
static bool place_node(struct builder *builder, struct tree_node *node, const yaml_event_t *event) {
    if (node == NULL)
        return false;
    if (builder->depth == 0) {
        builder->tree->root = node;
        return true;
    }
    struct tree_node *parent = builder->open[builder->depth - 1];
    struct tree_node *key = builder->last[builder->depth - 1];
    if (parent->kind == TREE_MAP && key != NULL && key->value == NULL) {
        key->value = node;
        return true;
    }
    return add_entry(builder, node, event);
}

static bool open_node(struct builder *builder, enum tree_kind kind, const yaml_event_t *event) {
    struct tree_node *node = new_node(builder, kind, event, 0);
    if (!place_node(builder, node, event))
        return false;
    if (builder->depth == TREE_DEPTH_MAX)
        return mistake(builder, &event->start_mark, "more than %d lists and maps within each other",
                       TREE_DEPTH_MAX);
    builder->open[builder->depth] = node;
    builder->last[builder->depth++] = NULL;
    return true;
}

static size_t characters(const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static bool add_scalar(struct builder *builder, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    const size_t len = event->data.scalar.length;
    if (memchr(text, '\0', len) != NULL)
        return mistake(builder, &event->start_mark, "a NUL is no part of any text here");
    struct tree_node *node = new_node(builder, TREE_SCALAR, event, len);
    if (node == NULL)
        return false;
    memcpy(node->text, text, len);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->in_place = event->start_mark.line == event->end_mark.line &&
                     event->end_mark.column - event->start_mark.column ==
                         characters(text, len) + (node->quoted ? 2 : 0);
    return place_node(builder, node, event);
}

/* ---- events ---- */

static bool refuse_extras(struct builder *builder, const yaml_event_t *event,
                          const yaml_char_t *anchor, const yaml_char_t *tag) {
    if (anchor != NULL)
        return mistake(builder, &event->start_mark, "anchors (&) have no meaning here");
    if (tag != NULL)
        return mistake(builder, &event->start_mark, "tags (!) have no meaning here");
    return true;
}

static bool take_event(struct builder *builder, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return builder->tree->root == NULL ||
               mistake(builder, &event->start_mark, "a second document (---) has no meaning here");
    case YAML_ALIAS_EVENT:
        return mistake(builder, &event->start_mark, "aliases (*) have no meaning here");
    case YAML_SCALAR_EVENT:
        return refuse_extras(builder, event, event->data.scalar.anchor, event->data.scalar.tag) &&
               add_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return refuse_extras(builder, event, event->data.sequence_start.anchor,
                             event->data.sequence_start.tag) &&
               open_node(builder, TREE_LIST, event);
    case YAML_MAPPING_START_EVENT:
        return refuse_extras(builder, event, event->data.mapping_start.anchor,
                             event->data.mapping_start.tag) &&
               open_node(builder, TREE_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return true;
    default:
        return true;
    }
}

static bool build(struct builder *builder) {
    bool well = true, at_end = false;
    while (well && !at_end) {
        yaml_event_t event;
        if (yaml_parser_parse(&builder->parser, &event) == 0)
            return explain_parser(builder);
        at_end = event.type == YAML_STREAM_END_EVENT;
        well = take_event(builder, &event);
        yaml_event_delete(&event);
    }
    const yaml_mark_t begin = {0};
    if (well && (builder->tree->root == NULL || tree_is_null(builder->tree->root)))
        return mistake(builder, &begin, "there is nothing in it");
    return well;
}

bool tree_read(const char *text, size_t len, struct tree *tree) {
    struct builder builder = {.tree = tree, .text = text, .len = len};
    *tree = (struct tree){.line = 1, .column = 1};
    if (yaml_parser_initialize(&builder.parser) == 0) {
        snprintf(tree->why, sizeof tree->why, "out of memory");
        return false;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, len);
    const bool well = build(&builder);
    yaml_parser_delete(&builder.parser);
    return well;
}

void tree_free(struct tree *tree) {
    while (tree->made != NULL) {
        struct tree_node *node = tree->made;
        tree->made = node->made_before;
        free(node);
    }
    tree->root = NULL;
}

bool tree_is_null(const struct tree_node *node) {
    return node->kind == TREE_SCALAR && !node->quoted &&
           (node->len == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

unsigned tree_column(const struct tree_node *node, size_t at) {
    if (!node->in_place)
        return node->column;
    return node->column + node->quoted +
           (unsigned)characters(node->text, at < node->len ? at : node->len);
}

const char *tree_show(const struct tree_node *node, char shown[TREE_SHOWN_MAX]) {
    size_t n = 0;
    for (; n < node->len && n + 1 < TREE_SHOWN_MAX; n++)
        shown[n] = (char)(node->text[n] >= ' ' && node->text[n] <= '~' ? node->text[n] : '?');
    shown[n] = '\0';
    if (n < node->len)
        memcpy(shown + TREE_SHOWN_MAX - 4, "...", 4);
    return shown;
}

const char *tree_kind_name(const struct tree_node *node) {
    static const char *const names[] = {
        [TREE_SCALAR] = "text", [TREE_LIST] = "a list", [TREE_MAP] = "a map"};
    return tree_is_null(node) ? "nothing" : names[node->kind];
}
