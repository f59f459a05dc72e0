/* What the keys are called: nobody else knows. Pure, any thread.
 *
 *   aforo:{1s:2026-11-20T11:11}           total of a chunk, a hash: field "07" -> count
 *   aforo:{1s:2026-11-20T11:11}:<node>    what that node has reported, same fields
 *
 * The braces put both keys into one slot of a cluster: they live, move and fail over together. All nodes would then write
 * to one slot at a time, and the cluster were no faster than its one master of this second. So in a cluster the nodes are
 * spread over groups, each with totals of its own, which readers add up; "#5" is the group, and group 0 has no mark:
 *
 *   aforo:{1s:2026-11-20T11:11#5}         total of the nodes of group 5 */
#ifndef AFORO_REDIS_SCHEMA_H
#define AFORO_REDIS_SCHEMA_H

#include "counters/window.h"

#include <stddef.h>

#define SCHEMA_KEY_MAX 128
#define SCHEMA_GROUPS_MAX 8

/* The group of a node where there are so many of them (1 to SCHEMA_GROUPS_MAX): the same everywhere, for ever. */
unsigned schema_group(const char *node, unsigned groups);

/* Each writes a NUL-terminated key to buf (SCHEMA_KEY_MAX) and returns its length. */
size_t schema_total_key(enum resolution r, int64_t chunk, unsigned group, char *buf);
size_t schema_node_key(enum resolution r, int64_t chunk, unsigned group, const char *node, char *buf);

/* The field of a slot (two digits and a NUL) and back; false when text[0..len) is no field of that
 * resolution. */
void schema_field(uint32_t slot, char buf[3]);
bool schema_slot(enum resolution r, const char *text, size_t len, uint32_t *slot);

/* A count as it stands in a hash: digits only, at most 2^53. */
bool schema_count(const char *text, size_t len, uint64_t *count);

#endif
