/* `when:` of a report: which events it is about.
 *
 *   condition  := all { "or" all }           all := one { "and" one }
 *   one        := "not" one | "(" condition ")" | FIELD [ OP VALUE ] | FIELD "in" "(" VALUE, ...
 * ")" OP         := == != < <= > >=  (numbers), == != =~prefix* (text)
 *
 * A field alone: it is there. A field that is missing or unfit makes a comparison false. */
#ifndef AFORO_REPORTS_CONDITION_H
#define AFORO_REPORTS_CONDITION_H

#include "ingest/fields.h"

#include <stdbool.h>

#define CONDITION_WHY_MAX 256

struct condition;

/* Compiles text (NUL-terminated). NULL fills why and *at: the offset of the mistake. */
struct condition *condition_new(const struct fields_config *fields, const char *text, size_t *at,
                                char why[CONDITION_WHY_MAX]);
void condition_free(struct condition *condition);

/* Whether the record is meant. Any thread; no allocation. */
bool condition_holds(const struct condition *condition, const struct record *record);

/* Which fields it looks at: bit i. */
uint64_t condition_fields(const struct condition *condition);

#endif
