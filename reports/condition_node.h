/* A condition as a tree in an array. Private to reports/condition*.c. */
#ifndef AFORO_REPORTS_CONDITION_NODE_H
#define AFORO_REPORTS_CONDITION_NODE_H

#include "reports/condition.h"

enum condition_kind {
    CONDITION_ALL, /* all children hold; there are at least two */
    CONDITION_ANY, /* at least one child holds */
    CONDITION_NOT, /* its child does not hold */
    CONDITION_THERE,
    CONDITION_NUMBER_EQ, /* of numbers */
    CONDITION_NUMBER_NE,
    CONDITION_NUMBER_LT,
    CONDITION_NUMBER_LE,
    CONDITION_NUMBER_GT,
    CONDITION_NUMBER_GE,
    CONDITION_TEXT_EQ, /* of text */
    CONDITION_TEXT_NE,
    CONDITION_TEXT_STARTS
};

#define CONDITION_NO_NODE UINT16_MAX

struct condition_node {
    uint8_t kind; /* enum condition_kind */
    uint8_t field;
    uint16_t child; /* the first; CONDITION_NO_NODE: none */
    uint16_t next;  /* next child of the same parent */
    uint16_t len;   /* of the text */
    uint32_t at;    /* offset of the text in `text` */
    int64_t number; /* times 10^decimals of the field */
};

struct condition {
    uint64_t fields; /* bit i: field i is used */
    uint16_t root;
    uint16_t nodes;
    size_t text_len;
    struct condition_node node[CONDITION_NODES_MAX];
    char text[CONDITION_BYTES_MAX]; /* the bytes of all literals */
};

#endif
