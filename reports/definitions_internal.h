/* What the parts of definitions share: definitions.c (files, the whole), definitions_fields.c
 * (`fields:`), definitions_measures.c (`measures:`), definitions_reports.c (`reports:`),
 * definitions_show.c (`show:`), definitions_sizes.c (a report's limits), definitions_text.c (its
 * canonical text). Private to these. */
#ifndef AFORO_REPORTS_DEFINITIONS_INTERNAL_H
#define AFORO_REPORTS_DEFINITIONS_INTERNAL_H

#include "reports/definitions.h"
#include "reports/tree.h"

/* The state of one reading. */
struct reading {
    const struct definitions_for *purpose;
    struct definitions *definitions;
    char *why; /* DEFINITIONS_WHY_MAX; filled at the first mistake, which ends the reading */
    /* `own:` of stored definitions: measures of one's own and the size of their states */
    const struct tree_node *own;
    /* set instead of reporting a mistake: the measure that makes a report be set aside */
    const struct own_aside *aside;
};

/* Reports what is wrong at a node. Returns false, for the caller to return. */
__attribute__((format(printf, 3, 4))) bool
definitions_mistake(struct reading *reading, const struct tree_node *at, const char *format, ...);

/* The same at byte `offset` of a scalar. */
__attribute__((format(printf, 4, 5))) bool definitions_mistake_within(struct reading *reading,
                                                                      const struct tree_node *at,
                                                                      size_t offset,
                                                                      const char *format, ...);

/* The names that are allowed at some place. */
struct definitions_names {
    const char *what; /* what a message calls them: "key", "field", ... */
    const char *const *name;
    size_t n;
};

/* The name that text[0..len) was probably meant to be; NULL: none. */
const char *definitions_nearest(const char *text, size_t len,
                                const struct definitions_names *names);

/* Finds a scalar among the names. False reports a mistake and suggests the nearest name. */
bool definitions_find(struct reading *reading, const struct tree_node *scalar,
                      const struct definitions_names *names, size_t *found);

/* Stores the values of a map's keys in node[names->n], NULL for missing ones. False reports a
 * mistake. */
bool definitions_read_map(struct reading *reading, const struct tree_node *map,
                          const struct definitions_names *names, const struct tree_node **node);

/* Whether a node is of the expected kind. False reports a mistake; `meant` is an example. */
bool definitions_want(struct reading *reading, const struct tree_node *node, enum tree_kind kind,
                      const char *meant);

/* The first scalar of a list, or a lone scalar, which counts as a list of one; NULL reports a
 * mistake. Continue with `next`. */
const struct tree_node *definitions_read_list(struct reading *reading, const struct tree_node *node,
                                              unsigned most, const char *meant);

/* Finds the declared field of that name; false reports a mistake. */
bool definitions_find_field(struct reading *reading, const struct tree_node *at, const char *name,
                            unsigned *field);

/* ---- the parts ---- */

bool definitions_read_measures(struct reading *reading, const struct tree_node *node);
/* Whether stored definitions list a measure with that text, and the words of its state. */
bool definitions_find_own(const struct reading *reading, const char *text, size_t *words);
bool definitions_read_fields(struct reading *reading, const struct tree_node *node);
bool definitions_read_report(struct reading *reading, const struct tree_node *node,
                             struct report *report);
bool definitions_read_show(struct reading *reading, const struct tree_node *node,
                           struct report *report);

/* A report's own limits; NULL where it gives none. */
struct definitions_sizes {
    const struct tree_node *report, *keys, *keep, *memory;
    int64_t keep_us, memory_bytes; /* as given; 0: not given */
};

/* Reads them: `keys` into the report, the others into `sizes`. */
bool definitions_read_sizes(struct reading *reading, struct definitions_sizes *sizes,
                            struct report *report);

/* Decides how long the report keeps windows and how much memory it gets. After definitions_write,
 * because the file also contains the definition. */
bool definitions_settle_sizes(struct reading *reading, const struct definitions_sizes *sizes,
                              struct report *report);

/* The most words that one event notes for undo in this report. */
uint64_t definitions_puts(const struct report *report);

/* Writes the report's canonical definition and its digest. */
bool definitions_write(struct reading *reading, const struct definitions_sizes *sizes,
                       struct report *report);

#endif
