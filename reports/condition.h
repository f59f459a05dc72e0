/* `when:` of a report: which events it is about.
 *
 *   condition  := all { "or" all }
 *   all        := one { "and" one }
 *   one        := "not" one | "(" condition ")" | FIELD [ test ]
 *   test       := OP VALUE | "in" "(" VALUE { "," VALUE } ")" | "starts" TEXT
 *   OP         := "==" "!=" of numbers and text, "<" "<=" ">" ">=" of numbers
 *   VALUE      := TEXT | NUMBER
 *   TEXT       := "..." with \" and \\; NUMBER := -12.34, no finer than its field is
 *
 * A field alone: it is there. A field that is missing makes a comparison false; so does an unfit
 * one, but of an event where one of condition_fields is unfit nobody asks. */
#ifndef AFORO_REPORTS_CONDITION_H
#define AFORO_REPORTS_CONDITION_H

#include "ingest/fields.h"

#include <stdbool.h>

#define CONDITION_WHY_MAX 256
#define CONDITION_DEPTH_MAX 32 /* parentheses and `not` within each other */
#define CONDITION_NODES_MAX 512
#define CONDITION_BYTES_MAX 8192 /* of a condition's text */

struct condition;

/* Compiles text (NUL-terminated). NULL fills why and *at: the offset of the mistake. Main's thread;
 * the caller frees the result with condition_free, which takes NULL, too. */
struct condition *condition_new(const struct fields_config *fields, const char *text, size_t *at,
                                char why[CONDITION_WHY_MAX]);
void condition_free(struct condition *condition);

/* Whether the record is meant. Any thread; no allocation. */
bool condition_holds(const struct condition *condition, const struct record *record);

/* Which fields it looks at: bit i. */
uint64_t condition_fields(const struct condition *condition);

/* Writes the one text that all spellings of a condition have: fields by name, blanks, parentheses,
 * numbers and `in` made alike. Reading it again gives the same condition. NUL-terminated, cut to
 * size; returns the whole length. */
size_t condition_print(const struct condition *condition, const struct fields_config *fields,
                       char *text, size_t size);

#endif
