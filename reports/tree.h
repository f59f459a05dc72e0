/* A YAML text as a tree of scalars, lists and maps, each with its place in the text. One document,
 * bounded in depth and size; without anchors, aliases and tags, which definitions do not need and
 * which small texts can be made huge with. Any thread, one tree at a time. */
#ifndef AFORO_REPORTS_TREE_H
#define AFORO_REPORTS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define TREE_WHY_MAX 256
#define TREE_DEPTH_MAX 8
#define TREE_ENTRIES_MAX 256 /* of one list or map */
#define TREE_SHOWN_MAX 48    /* of a scalar as a sentence quotes it, with its NUL */

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
    enum tree_kind kind;
    unsigned line, column; /* from 1 on; columns are characters */
    unsigned entries;      /* of a list or map */
    struct tree_node *child, *next;
    struct tree_node *value; /* of a key in a map: what it is given; keys are the map's children */
    struct tree_node *made_before; /* for tree_free */
    bool quoted;
    bool in_place; /* what stands in the text is what the scalar says, byte for byte */
    size_t len;
    char text[]; /* of a scalar: UTF-8, NUL-terminated, no other NUL */
};

struct tree {
    struct tree_node *root;
    struct tree_node *made; /* the newest */
    unsigned line, column;  /* of a mistake */
    char why[TREE_WHY_MAX];
};

/* False fills line, column and why. tree_free in either case. */
bool tree_read(const char *text, size_t len, struct tree *tree);
void tree_free(struct tree *tree);

/* Whether nothing is given: `~`, `null`, or no word at all. */
bool tree_is_null(const struct tree_node *node);

/* The column of a scalar's byte number `at`; its own column when its text is not in place. */
unsigned tree_column(const struct tree_node *node, size_t at);

/* A scalar for a sentence: printable ASCII, cut. Returns shown. */
const char *tree_show(const struct tree_node *node, char shown[TREE_SHOWN_MAX]);

/* "text", "a list", "a map" or "nothing". */
const char *tree_kind_name(const struct tree_node *node);

#endif
