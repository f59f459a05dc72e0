/* A YAML text as a tree of scalars, lists and maps, each with its place in the text. One document,
 * limited in depth and size. Anchors, aliases and tags are not supported: definitions do not need
 * them, and they allow small texts to expand hugely. Any thread, one tree at a time. */
#ifndef AFORO_REPORTS_TREE_H
#define AFORO_REPORTS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define TREE_WHY_MAX 256
#define TREE_DEPTH_MAX 8
#define TREE_ENTRIES_MAX 256 /* entries of one list or map */
#define TREE_SHOWN_MAX 48    /* a scalar as quoted in a message, with its NUL */

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
    enum tree_kind kind;
    unsigned line, column; /* from 1; columns count characters */
    unsigned entries;      /* in a list or map */
    struct tree_node *child, *next;
    struct tree_node *value;       /* of a key, which is a child of its map: the key's value */
    struct tree_node *made_before; /* for tree_free */
    bool quoted;
    bool in_place; /* the scalar's text is in the input byte for byte */
    size_t len;
    char text[]; /* of a scalar: UTF-8, NUL-terminated, no other NUL */
};

struct tree {
    struct tree_node *root;
    struct tree_node *made; /* the newest */
    unsigned line, column;  /* of a mistake */
    char why[TREE_WHY_MAX];
};

/* False fills line, column and why. Call tree_free in either case. */
bool tree_read(const char *text, size_t len, struct tree *tree);
void tree_free(struct tree *tree);

/* Whether no value is given: `~`, `null`, or nothing at all. */
bool tree_is_null(const struct tree_node *node);

/* The column of byte `at` of a scalar; the scalar's own column when its text is not in place. */
unsigned tree_column(const struct tree_node *node, size_t at);

/* Formats a scalar for a message: printable ASCII, truncated. Returns `shown`. */
const char *tree_show(const struct tree_node *node, char shown[TREE_SHOWN_MAX]);

/* "text", "a list", "a map" or "nothing". */
const char *tree_kind_name(const struct tree_node *node);

#endif
