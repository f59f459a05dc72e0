/* See condition.h. Evaluates and prints conditions. */
#include "reports/condition.h"

#include "reports/condition_node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void condition_free(struct condition *condition) {
    free(condition);
}

uint64_t condition_fields(const struct condition *condition) {
    return condition->fields;
}

/* Without a branch per kind: a bit each tells whether less, equal and greater satisfy it. */
static inline bool number_holds(enum condition_kind kind, int64_t number, int64_t limit) {
    enum { LESS = 1, EQUAL = 2, GREATER = 4 };
    static const uint8_t takes[] = {
        [CONDITION_NUMBER_EQ] = EQUAL,   [CONDITION_NUMBER_NE] = LESS | GREATER,
        [CONDITION_NUMBER_LT] = LESS,    [CONDITION_NUMBER_LE] = LESS | EQUAL,
        [CONDITION_NUMBER_GT] = GREATER, [CONDITION_NUMBER_GE] = GREATER | EQUAL,
    };
    return takes[kind] >> (1 + (number > limit) - (number < limit)) & 1;
}

static bool text_holds(const struct condition *condition, const struct condition_node *node,
                       const struct aforo_value *value) {
    const char *text = condition->text + node->at;
    if (node->kind == CONDITION_TEXT_STARTS)
        return value->len >= node->len && memcmp(value->text, text, node->len) == 0;
    const bool same = value->len == node->len && memcmp(value->text, text, node->len) == 0;
    return same == (node->kind == CONDITION_TEXT_EQ);
}

static inline bool comparison_holds(const struct condition *condition,
                                    const struct condition_node *node,
                                    const struct record *record) {
    if (!((record->present & ~record->unfit) >> node->field & 1))
        return false;
    const struct aforo_value *value = &record->value[node->field];
    return node->kind >= CONDITION_TEXT_EQ ? text_holds(condition, node, value)
                                           : number_holds(node->kind, value->number, node->number);
}

static bool node_holds(const struct condition *condition, const struct condition_node *node,
                       const struct record *record);

/* Most nodes are comparisons, which are evaluated without a call. */
static inline bool child_holds(const struct condition *condition, const struct condition_node *node,
                               const struct record *record) {
    return node->kind > CONDITION_THERE ? comparison_holds(condition, node, record)
                                        : node_holds(condition, node, record);
}

/* The depth is limited by the parser: CONDITION_DEPTH_MAX. */
static bool node_holds(const struct condition *condition, const struct condition_node *node,
                       const struct record *record) {
    if (node->kind == CONDITION_THERE)
        return record->present >> node->field & 1;
    if (node->kind == CONDITION_NOT)
        return !child_holds(condition, &condition->node[node->child], record);
    const bool any = node->kind == CONDITION_ANY;
    for (uint16_t i = node->child; i != CONDITION_NO_NODE; i = condition->node[i].next) {
        if (child_holds(condition, &condition->node[i], record) == any)
            return any;
    }
    return !any;
}

bool condition_holds(const struct condition *condition, const struct record *record) {
    return child_holds(condition, &condition->node[condition->root], record);
}

/* ---- printing ---- */

struct printer {
    const struct condition *condition;
    const struct fields_config *fields;
    char *text;
    size_t size, len;
};

static void print_byte(struct printer *printer, char byte) {
    if (printer->len + 1 < printer->size)
        printer->text[printer->len] = byte;
    printer->len++;
}

static void print(struct printer *printer, const char *text) {
    for (; *text != '\0'; text++)
        print_byte(printer, *text);
}

static void print_text(struct printer *printer, const struct condition_node *node) {
    const char *text = printer->condition->text + node->at;
    print_byte(printer, '"');
    for (uint16_t i = 0; i < node->len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            print_byte(printer, '\\');
        print_byte(printer, text[i]);
    }
    print_byte(printer, '"');
}

/* 1250 with 2 decimals is 12.5: trailing zeros are dropped. */
static void print_number(struct printer *printer, const struct condition_node *node) {
    const struct field *field = &printer->fields->field[node->field];
    unsigned decimals = field->type == FIELD_DECIMAL ? field->decimals : 0;
    uint64_t number = node->number < 0 ? -(uint64_t)node->number : (uint64_t)node->number;
    uint64_t scale = 1;
    for (; decimals > 0 && number % 10 == 0; decimals--)
        number /= 10;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    char text[48];
    if (decimals > 0)
        snprintf(text, sizeof text, "%s%" PRIu64 ".%0*" PRIu64, node->number < 0 ? "-" : "",
                 number / scale, (int)decimals, number % scale);
    else
        snprintf(text, sizeof text, "%s%" PRIu64, node->number < 0 ? "-" : "", number);
    print(printer, text);
}

static void print_node(struct printer *printer, uint16_t number);

/* Puts children that have several parts in parentheses. */
static void print_child(struct printer *printer, uint16_t number) {
    const bool parts = printer->condition->node[number].kind <= CONDITION_ANY;
    print(printer, parts ? "(" : "");
    print_node(printer, number);
    print(printer, parts ? ")" : "");
}

static void print_node(struct printer *printer, uint16_t number) {
    static const char *const operators[] = {
        [CONDITION_NUMBER_EQ] = " == ",      [CONDITION_NUMBER_NE] = " != ",
        [CONDITION_NUMBER_LT] = " < ",       [CONDITION_NUMBER_LE] = " <= ",
        [CONDITION_NUMBER_GT] = " > ",       [CONDITION_NUMBER_GE] = " >= ",
        [CONDITION_TEXT_EQ] = " == ",        [CONDITION_TEXT_NE] = " != ",
        [CONDITION_TEXT_STARTS] = " starts "};
    const struct condition_node *node = &printer->condition->node[number];
    if (node->kind == CONDITION_NOT) {
        print(printer, "not ");
        print_child(printer, node->child);
        return;
    }
    if (node->kind <= CONDITION_ANY) {
        for (uint16_t i = node->child; i != CONDITION_NO_NODE;
             i = printer->condition->node[i].next) {
            if (i != node->child)
                print(printer, node->kind == CONDITION_ALL ? " and " : " or ");
            print_child(printer, i);
        }
        return;
    }
    print(printer, printer->fields->field[node->field].name);
    if (node->kind == CONDITION_THERE)
        return;
    print(printer, operators[node->kind]);
    if (node->kind >= CONDITION_TEXT_EQ)
        print_text(printer, node);
    else
        print_number(printer, node);
}

size_t condition_print(const struct condition *condition, const struct fields_config *fields,
                       char *text, size_t size) {
    struct printer printer = {condition, fields, text, size, 0};
    print_node(&printer, condition->root);
    if (size > 0)
        text[printer.len < size ? printer.len : size - 1] = '\0';
    return printer.len;
}
