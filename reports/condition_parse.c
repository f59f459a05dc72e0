/* See condition.h. Parses a condition: recursive descent, one function per line of the grammar. */
#include "reports/condition.h"

#include "common/usage.h"
#include "reports/condition_node.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LIMIT (INT64_C(1) << 53)
#define SHOWN_MAX 40 /* bytes of a word quoted in a message */

struct parser {
    const struct fields_config *fields;
    const char *text, *at; /* at: what is read next */
    struct condition *condition;
    unsigned depth;
    char *why;
    const char *fault; /* where the mistake is */
};

/* Returns "no node", for the caller to return. */
__attribute__((format(printf, 3, 4))) static uint16_t mistake(struct parser *parser, const char *at,
                                                              const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->why, CONDITION_WHY_MAX, format, arguments);
    va_end(arguments);
    parser->fault = at;
    return CONDITION_NO_NODE;
}

static bool is_word_byte(char byte) {
    return isalnum((unsigned char)byte) || byte == '_';
}

static void skip_blanks(struct parser *parser) {
    parser->at += strspn(parser->at, " \t\r\n");
}

static size_t word_len(const char *at) {
    size_t len = 0;
    while (is_word_byte(at[len]))
        len++;
    return len;
}

static bool word_is(const char *at, const char *word) {
    return word_len(at) == strlen(word) && strncmp(at, word, strlen(word)) == 0;
}

/* Skips a word or sign if it comes next. */
static bool take_word(struct parser *parser, const char *word) {
    skip_blanks(parser);
    if (!word_is(parser->at, word))
        return false;
    parser->at += strlen(word);
    return true;
}

static bool take_sign(struct parser *parser, const char *sign) {
    skip_blanks(parser);
    if (strncmp(parser->at, sign, strlen(sign)) != 0)
        return false;
    parser->at += strlen(sign);
    return true;
}

/* What comes next, as quoted in a message. */
static const char *shown(const char *at, char quoted[SHOWN_MAX + 8]) {
    size_t len = word_len(at);
    if (*at == '\0')
        return "the end";
    if (len == 0) {
        len = strcspn(at, " \t\r\n()\",");
        len = len == 0 ? 1 : len;
    }
    len = len > SHOWN_MAX ? SHOWN_MAX : len;
    size_t n = 0;
    quoted[n++] = '`';
    for (size_t i = 0; i < len; i++)
        quoted[n++] = (char)(at[i] >= ' ' && at[i] <= '~' ? at[i] : '?');
    quoted[n++] = '`';
    quoted[n] = '\0';
    return quoted;
}

static uint16_t new_node(struct parser *parser, enum condition_kind kind) {
    struct condition *condition = parser->condition;
    if (condition->nodes == CONDITION_NODES_MAX)
        return mistake(parser, parser->at, "more than %d comparisons in one condition",
                       CONDITION_NODES_MAX);
    condition->node[condition->nodes] = (struct condition_node){
        .kind = (uint8_t)kind, .child = CONDITION_NO_NODE, .next = CONDITION_NO_NODE};
    return condition->nodes++;
}

/* ---- values ---- */

static const char *type_name(const struct field *field) {
    return field->type == FIELD_TEXT ? "text" : field->type == FIELD_INT ? "an int" : "a decimal";
}

static bool read_text(struct parser *parser, struct condition_node *node) {
    struct condition *condition = parser->condition;
    const char *const begin = parser->at++;
    const size_t at = condition->text_len;
    for (; *parser->at != '"'; parser->at++) {
        if (*parser->at == '\\' && parser->at[1] != '"' && parser->at[1] != '\\') {
            mistake(parser, parser->at, "after a \\ within text comes \" or \\");
            return false;
        }
        parser->at += *parser->at == '\\';
        if (*parser->at == '\0') {
            mistake(parser, begin, "this text has no \" at its end");
            return false;
        }
        condition->text[condition->text_len++] = *parser->at; /* never longer than what was read */
    }
    parser->at++;
    if (condition->text_len - at > FIELD_TEXT_MAX) {
        mistake(parser, begin, "longer than the %d bytes that a field may have", FIELD_TEXT_MAX);
        return false;
    }
    node->at = (uint32_t)at;
    node->len = (uint16_t)(condition->text_len - at);
    return true;
}

/* Reads the digits after the point, `wanted` of them; any further ones must be zeros. */
static bool read_decimals(struct parser *parser, const struct field *field, const char *begin,
                          int64_t *number) {
    const unsigned wanted = field->type == FIELD_DECIMAL ? field->decimals : 0;
    unsigned digits = 0;
    const bool point = *parser->at == '.';
    parser->at += point;
    for (; point && isdigit((unsigned char)*parser->at); parser->at++, digits++) {
        if (digits < wanted && *number < NUMBER_LIMIT) {
            *number = *number * 10 + (*parser->at - '0');
        } else if (*parser->at != '0') {
            mistake(parser, begin, "finer than `%s`, which is %s of %u decimals", field->name,
                    type_name(field), wanted);
            return false;
        }
    }
    if (point && digits == 0) {
        mistake(parser, parser->at, "digits are missing behind the point");
        return false;
    }
    for (; digits < wanted && *number < NUMBER_LIMIT; digits++)
        *number *= 10;
    return true;
}

static bool read_number(struct parser *parser, const struct field *field, int64_t *out) {
    const char *const begin = parser->at;
    char quoted[SHOWN_MAX + 8];
    int64_t number = 0;
    parser->at += *begin == '-';
    const char *const first = parser->at;
    for (; isdigit((unsigned char)*parser->at); parser->at++) {
        if (number < NUMBER_LIMIT)
            number = number * 10 + (*parser->at - '0');
    }
    if (parser->at == first) {
        mistake(parser, begin, "a number was meant before %s", shown(begin, quoted));
        return false;
    }
    if (!read_decimals(parser, field, begin, &number))
        return false;
    if (is_word_byte(*parser->at) || *parser->at == '.') {
        mistake(parser, begin, "this is no number: %s stands behind it", shown(parser->at, quoted));
        return false;
    }
    if (number >= NUMBER_LIMIT) {
        mistake(parser, begin, "numbers are smaller than 2^53, with the decimals of `%s`",
                field->name);
        return false;
    }
    *out = *begin == '-' ? -number : number;
    return true;
}

/* Reads the value that a field is compared with. */
static bool read_value(struct parser *parser, struct condition_node *node) {
    const struct field *field = &parser->fields->field[node->field];
    char quoted[SHOWN_MAX + 8];
    skip_blanks(parser);
    const char *const begin = parser->at;
    if (*begin == '"' && field->type != FIELD_TEXT) {
        mistake(parser, begin, "`%s` is %s: a number is meant, without quotes", field->name,
                type_name(field));
        return false;
    }
    if (*begin == '"')
        return read_text(parser, node);
    if (field->type == FIELD_TEXT) {
        mistake(parser, begin, "`%s` is text: a value in double quotes is meant before %s",
                field->name, shown(begin, quoted));
        return false;
    }
    return read_number(parser, field, &node->number);
}

/* ---- comparisons ---- */

static uint16_t find_field(struct parser *parser, const char *at, size_t len) {
    const char *words[FIELDS_MAX + 5] = {"and", "or", "not", "in", "starts"};
    size_t n = 5;
    for (unsigned i = 0; i < parser->fields->n; i++) {
        const char *name = parser->fields->field[i].name;
        if (strlen(name) == len && strncmp(name, at, len) == 0)
            return (uint16_t)i;
        words[n++] = name;
    }
    char word[SHOWN_MAX + 1], quoted[SHOWN_MAX + 8];
    snprintf(word, sizeof word, "%.*s", (int)(len > SHOWN_MAX ? SHOWN_MAX : len), at);
    const char *nearest = usage_nearest(word, words, n);
    return mistake(parser, at, "%s is no field of `fields:`%s%s%s", shown(at, quoted),
                   nearest ? "; did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
}

/* Reads a comparison of a field by one operator; the value comes next. */
static uint16_t read_comparison(struct parser *parser, unsigned field, enum condition_kind kind) {
    const uint16_t number = new_node(parser, kind);
    if (number == CONDITION_NO_NODE)
        return number;
    struct condition_node *node = &parser->condition->node[number];
    node->field = (uint8_t)field;
    return read_value(parser, node) ? number : CONDITION_NO_NODE;
}

/* FIELD in (VALUE, ...): the same as FIELD == VALUE or ... */
static uint16_t read_list(struct parser *parser, unsigned field, enum condition_kind equal) {
    char quoted[SHOWN_MAX + 8];
    if (!take_sign(parser, "("))
        return mistake(parser, parser->at,
                       "behind `in` comes a list: in (1, 2), in (\"a\", \"b\")");
    const uint16_t first = read_comparison(parser, field, equal);
    uint16_t last = first;
    if (first == CONDITION_NO_NODE || take_sign(parser, ")"))
        return first;
    const uint16_t any = new_node(parser, CONDITION_ANY);
    if (any == CONDITION_NO_NODE)
        return any;
    parser->condition->node[any].child = first;
    while (take_sign(parser, ",")) {
        const uint16_t next = read_comparison(parser, field, equal);
        if (next == CONDITION_NO_NODE)
            return next;
        parser->condition->node[last].next = next;
        last = next;
    }
    return take_sign(parser, ")") ? any
                                  : mistake(parser, parser->at, "`,` or `)` is missing before %s",
                                            shown(parser->at, quoted));
}

/* Explains signs that are often written by mistake. */
static uint16_t explain_sign(struct parser *parser) {
    static const char *const slips[][2] = {{"=~", "starts"}, {"=", "=="},  {"<>", "!="},
                                           {"&&", "and"},    {"||", "or"}, {"!", "not"}};
    char quoted[SHOWN_MAX + 8];
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        if (strncmp(parser->at, slips[i][0], strlen(slips[i][0])) == 0)
            return mistake(parser, parser->at, "`%s` is no word of conditions; did you mean `%s`?",
                           slips[i][0], slips[i][1]);
    }
    return mistake(parser, parser->at, "%s was not expected here", shown(parser->at, quoted));
}

static uint16_t read_test(struct parser *parser, unsigned field) {
    static const struct {
        const char *sign;
        enum condition_kind number;
    } operators[] = {{"==", CONDITION_NUMBER_EQ}, {"!=", CONDITION_NUMBER_NE},
                     {"<=", CONDITION_NUMBER_LE}, {">=", CONDITION_NUMBER_GE},
                     {"<", CONDITION_NUMBER_LT},  {">", CONDITION_NUMBER_GT}};
    const struct field *its = &parser->fields->field[field];
    const bool text = its->type == FIELD_TEXT;
    skip_blanks(parser);
    const char *const begin = parser->at;
    if (strncmp(begin, "<>", 2) == 0)
        return explain_sign(parser);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!take_sign(parser, operators[i].sign))
            continue;
        if (text && i > 1)
            return mistake(parser, begin, "`%s` is text: `%s` compares numbers", its->name,
                           operators[i].sign);
        return read_comparison(parser, field,
                               text ? (i == 0 ? CONDITION_TEXT_EQ : CONDITION_TEXT_NE)
                                    : operators[i].number);
    }
    if (take_word(parser, "in"))
        return read_list(parser, field, text ? CONDITION_TEXT_EQ : CONDITION_NUMBER_EQ);
    if (take_word(parser, "starts"))
        return text ? read_comparison(parser, field, CONDITION_TEXT_STARTS)
                    : mistake(parser, begin, "`%s` is %s: `starts` is a question about text",
                              its->name, type_name(its));
    const uint16_t there = new_node(parser, CONDITION_THERE);
    if (there != CONDITION_NO_NODE)
        parser->condition->node[there].field = (uint8_t)field;
    return there;
}

/* ---- the rest of the grammar ---- */

static uint16_t read_condition(struct parser *parser);

static uint16_t read_within(struct parser *parser) {
    char quoted[SHOWN_MAX + 8];
    const uint16_t within = read_condition(parser);
    if (within == CONDITION_NO_NODE || take_sign(parser, ")"))
        return within;
    if (*parser->at != '\0' && !is_word_byte(*parser->at))
        return explain_sign(parser);
    return mistake(parser, parser->at, "`)` is missing before %s", shown(parser->at, quoted));
}

static uint16_t read_one(struct parser *parser);

static uint16_t read_not(struct parser *parser) {
    const uint16_t not_node = new_node(parser, CONDITION_NOT);
    if (not_node == CONDITION_NO_NODE)
        return not_node;
    const uint16_t child = read_one(parser);
    parser->condition->node[not_node].child = child;
    return child == CONDITION_NO_NODE ? child : not_node;
}

static uint16_t read_one(struct parser *parser) {
    char quoted[SHOWN_MAX + 8];
    skip_blanks(parser);
    const char *const begin = parser->at;
    const bool is_not = take_word(parser, "not");
    if (is_not || take_sign(parser, "(")) {
        if (++parser->depth > CONDITION_DEPTH_MAX)
            return mistake(parser, begin, "more than %d parentheses and `not` within each other",
                           CONDITION_DEPTH_MAX);
        const uint16_t one = is_not ? read_not(parser) : read_within(parser);
        parser->depth--;
        return one;
    }
    const size_t len = word_len(begin);
    if (len == 0 && strncmp(begin, "!", 1) == 0)
        return explain_sign(parser);
    if (len == 0 || isdigit((unsigned char)*begin))
        return mistake(parser, begin, "a field's name was meant before %s", shown(begin, quoted));
    parser->at += len;
    const uint16_t field = find_field(parser, begin, len);
    if (field == CONDITION_NO_NODE)
        return field;
    parser->condition->fields |= UINT64_C(1) << field;
    return read_test(parser, field);
}

/* Appends a node to a parent's children; for a node of the parent's kind appends its children,
 * which means the same. Returns the last child then. */
static uint16_t append_child(struct condition *condition, uint16_t parent, uint16_t last,
                             uint16_t number) {
    struct condition_node *node = condition->node;
    const uint16_t first = node[number].kind == node[parent].kind ? node[number].child : number;
    if (last == CONDITION_NO_NODE)
        node[parent].child = first;
    else
        node[last].next = first;
    for (last = first; node[last].next != CONDITION_NO_NODE; last = node[last].next)
        ;
    return last;
}

/* Reads what `word` joins: a single part as it is, several under a node of that kind. */
static uint16_t read_joined(struct parser *parser, const char *word, enum condition_kind kind,
                            uint16_t (*read)(struct parser *)) {
    const uint16_t first = read(parser);
    if (first == CONDITION_NO_NODE || !take_word(parser, word))
        return first;
    const uint16_t joined = new_node(parser, kind);
    if (joined == CONDITION_NO_NODE)
        return joined;
    uint16_t last = append_child(parser->condition, joined, CONDITION_NO_NODE, first);
    do {
        const uint16_t next = read(parser);
        if (next == CONDITION_NO_NODE)
            return next;
        last = append_child(parser->condition, joined, last, next);
    } while (take_word(parser, word));
    return joined;
}

static uint16_t read_all(struct parser *parser) {
    return read_joined(parser, "and", CONDITION_ALL, read_one);
}

static uint16_t read_condition(struct parser *parser) {
    return read_joined(parser, "or", CONDITION_ANY, read_all);
}

/* The nesting of parentheses and `not` as condition_print writes them. */
static unsigned printed_depth(const struct condition *condition, uint16_t number) {
    const struct condition_node *node = &condition->node[number];
    unsigned deepest = 0;
    for (uint16_t i = node->child; i != CONDITION_NO_NODE; i = condition->node[i].next) {
        const unsigned depth =
            printed_depth(condition, i) + (condition->node[i].kind <= CONDITION_ANY);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (node->kind == CONDITION_NOT);
}

/* What is printed must be parsable again. */
static void check_printed(struct parser *parser) {
    if (printed_depth(parser->condition, parser->condition->root) > CONDITION_DEPTH_MAX)
        mistake(parser, parser->text, "`and`, `or` and `not` more than %d within each other",
                CONDITION_DEPTH_MAX);
    else if (condition_print(parser->condition, parser->fields, NULL, 0) >= CONDITION_BYTES_MAX)
        mistake(parser, parser->text, "longer than %d bytes when each `in` is spelled out",
                CONDITION_BYTES_MAX - 1);
}

struct condition *condition_new(const struct fields_config *fields, const char *text, size_t *at,
                                char why[CONDITION_WHY_MAX]) {
    struct condition *condition = calloc(1, sizeof *condition);
    struct parser parser = {fields, text, text, condition, 0, why, NULL};
    *at = 0;
    if (condition == NULL) {
        snprintf(why, CONDITION_WHY_MAX, "out of memory");
        return NULL;
    }
    if (strlen(text) >= CONDITION_BYTES_MAX) {
        mistake(&parser, text, "longer than %d bytes", CONDITION_BYTES_MAX - 1);
    } else {
        condition->root = read_condition(&parser);
        skip_blanks(&parser);
        if (parser.fault == NULL && *parser.at != '\0')
            explain_sign(&parser);
        else if (parser.fault == NULL)
            check_printed(&parser);
    }
    if (parser.fault == NULL)
        return condition;
    *at = (size_t)(parser.fault - text);
    free(condition);
    return NULL;
}
