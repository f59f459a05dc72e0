/* What the parts of definitions share: definitions.c (files, the whole), definitions_fields.c
 * (`fields:`), definitions_measures.c (`measures:`), definitions_reports.c (`reports:`),
 * definitions_show.c (`show:`), definitions_sizes.c (what a report is bounded by),
 * definitions_text.c (its canonical text). Private to these. */
#ifndef AFORO_REPORTS_DEFINITIONS_INTERNAL_H
#define AFORO_REPORTS_DEFINITIONS_INTERNAL_H

#include "reports/definitions.h"
#include "reports/tree.h"

/* One reading of definitions. */
struct reading {
    const struct definitions_for *purpose;
    struct definitions *definitions;
    char *why; /* DEFINITIONS_WHY_MAX; written at the first mistake, which ends the reading */
    /* `own:` of stored definitions: the measures of one's own, and the words of their states */
    const struct tree_node *own;
    /* why a report that could not be read is set aside, instead of a mistake */
    const struct own_aside *aside;
};

/* Says what is wrong, and at which node. Returns false, so that whoever finds it returns it. */
__attribute__((format(printf, 3, 4))) bool
definitions_mistake(struct reading *reading, const struct tree_node *at, const char *format, ...);

/* The same at byte `offset` of a scalar. */
__attribute__((format(printf, 4, 5))) bool definitions_mistake_within(struct reading *reading,
                                                                      const struct tree_node *at,
                                                                      size_t offset,
                                                                      const char *format, ...);

/* Names that are known at some place of the text. */
struct definitions_names {
    const char *what; /* "key", "field", ...: what they are in a sentence */
    const char *const *name;
    size_t n;
};

/* The name that text[0..len) is probably a slip of; NULL: none. */
const char *definitions_nearest(const char *text, size_t len,
                                const struct definitions_names *names);

/* Which of the names the scalar is; false, and it is told what is near, when it is none. */
bool definitions_find(struct reading *reading, const struct tree_node *scalar,
                      const struct definitions_names *names, size_t *found);

/* The keys of a map into node[names->n]: NULL for those that are not there. */
bool definitions_read_map(struct reading *reading, const struct tree_node *map,
                          const struct definitions_names *names, const struct tree_node **node);

/* Whether a node is of the kind that is meant; `meant` is an example of it. */
bool definitions_want(struct reading *reading, const struct tree_node *node, enum tree_kind kind,
                      const char *meant);

/* A list, or one scalar where a list of one is meant: its first scalar; NULL: a mistake. Go on with
 * `next`. */
const struct tree_node *definitions_read_list(struct reading *reading, const struct tree_node *node,
                                              unsigned most, const char *meant);

/* The number of the declared field of that name; false: a mistake. */
bool definitions_find_field(struct reading *reading, const struct tree_node *at, const char *name,
                            unsigned *field);

/* ---- the parts ---- */

bool definitions_read_measures(struct reading *reading, const struct tree_node *node);
/* Whether stored definitions have a measure of that text, of so many words. */
bool definitions_find_own(const struct reading *reading, const char *text, size_t *words);
bool definitions_read_fields(struct reading *reading, const struct tree_node *node);
bool definitions_read_report(struct reading *reading, const struct tree_node *node,
                             struct report *report);
bool definitions_read_show(struct reading *reading, const struct tree_node *node,
                           struct report *report);

/* What a report says of its bounds; NULL where it says nothing. */
struct definitions_sizes {
    const struct tree_node *report, *keys, *keep, *memory;
    int64_t keep_us, memory_bytes; /* as given; 0: not given */
};

/* Reads them. `keys` into the report; the others into sizes. */
bool definitions_read_sizes(struct reading *reading, struct definitions_sizes *sizes,
                            struct report *report);

/* Settles what the report keeps and how much memory it gets; after definitions_write, since the
 * definition is in the file, too. */
bool definitions_settle_sizes(struct reading *reading, const struct definitions_sizes *sizes,
                              struct report *report);

/* How many words one event notes for undo in this report, at the most. */
uint64_t definitions_puts(const struct report *report);

/* Makes the report's definition and its digest. */
bool definitions_write(struct reading *reading, const struct definitions_sizes *sizes,
                       struct report *report);

#endif
