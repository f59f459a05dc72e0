/* `when:` of a report: selects its events.
 *
 *   condition  := all { "or" all }
 *   all        := one { "and" one }
 *   one        := "not" one | "(" condition ")" | FIELD [ test ]
 *   test       := OP VALUE | "in" "(" VALUE { "," VALUE } ")" | "starts" TEXT
 *   OP         := "==" "!=" for numbers and text, "<" "<=" ">" ">=" for numbers
 *   VALUE      := TEXT | NUMBER
 *   TEXT       := "..." with \" and \\; NUMBER := -12.34, with no more decimals than its field
 *
 * A field alone tests whether it is present. A comparison with a missing field is false. So is one
 * with an unfit field, but an event with an unfit field among condition_fields is never tested. */
#ifndef AFORO_REPORTS_CONDITION_H
#define AFORO_REPORTS_CONDITION_H

#include "ingest/fields.h"

#include <stdbool.h>

#define CONDITION_WHY_MAX 256
#define CONDITION_DEPTH_MAX 32 /* nested parentheses and `not` */
#define CONDITION_NODES_MAX 512
#define CONDITION_BYTES_MAX 8192 /* of a condition's text */

struct condition;

/* Compiles a NUL-terminated text. NULL fills `why` and *at: the offset of the mistake. Main's
 * thread. The caller frees the result with condition_free, which accepts NULL. */
struct condition *condition_new(const struct fields_config *fields, const char *text, size_t *at,
                                char why[CONDITION_WHY_MAX]);
void condition_free(struct condition *condition);

/* Whether the record satisfies the condition. Any thread; no allocation. */
bool condition_holds(const struct condition *condition, const struct record *record);

/* Which fields it uses: bit i for field i. */
uint64_t condition_fields(const struct condition *condition);

/* Writes the canonical text of a condition, which is the same for all its spellings: fields by
 * name, with uniform blanks, parentheses, numbers and `in`. Compiling it again gives the same
 * condition. NUL-terminated and cut to size; returns the full length. */
size_t condition_print(const struct condition *condition, const struct fields_config *fields,
                       char *text, size_t size);

#endif
