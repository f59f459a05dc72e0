/* The names of keys; no other file knows them. Pure, any thread.
 *
 *   aforo:2:{1s:2026-11-20T11:11}   a chunk, a hash of:
 *       "07" -> 122                 the total of that window, for anybody to read
 *       "n:<node>" -> part          what that node has reported, see part.h
 *       "o:<owner>:<node>" -> part  what it had reported when another owner took over
 *       "until" -> seconds          since 1970; from then on it may be closed
 *       "final" -> 1                closed: no parts, and nothing changes any more
 *   aforo:2:{node:<node>}           the lease of a node's name, see lease.lua
 *   aforo:2:{lost}                  a number that changes when this Redis has lost something
 *                                   (lost.lua)
 *   aforo:2:{nodes}                 what each node reports about itself once a second (nodes.lua);
 *                                   one key, so that one command lists them all
 *   aforo:2:{final}                 an hour (since 1970): chunks from then on are not closed
 *
 * A total and its parts are in one key, so they live, expire, move, fail over, are evicted and are
 * deleted together. All nodes write to the chunk of the present second. In a cluster that key is on
 * one master, and the cluster would be no faster than that master. So the nodes of a cluster are
 * spread over groups, each with chunks of its own, which readers add up. "#5" is the group; group 0
 * has no mark:
 *
 *   aforo:2:{1s:2026-11-20T11:11#5} a chunk of the nodes of group 5 */
#ifndef AFORO_REDIS_SCHEMA_H
#define AFORO_REDIS_SCHEMA_H

#include "counters/time/horizon.h"
#include "counters/time/window.h"

#include <stddef.h>

#define SCHEMA_KEY_MAX 128
#define SCHEMA_GROUPS_MAX 8
#define SCHEMA_LOST_KEY "aforo:2:{lost}"
#define SCHEMA_NODES_KEY "aforo:2:{nodes}"
#define SCHEMA_FINAL_KEY "aforo:2:{final}"
/* how long after its end nodes may still report an hour: the longest possible horizon, and a
 * margin */
#define SCHEMA_OPEN_S (HORIZON_MAX_US / US_PER_S + INT64_C(2) * 3600)

/* The group of a node when there are `groups` of them (1 to SCHEMA_GROUPS_MAX): the same on every
 * machine. */
unsigned schema_group(const char *node, unsigned groups);

/* Each writes a NUL-terminated key or field to buf (SCHEMA_KEY_MAX) and returns its length. */
size_t schema_chunk_key(enum resolution r, int64_t chunk, unsigned group, char *buf);
size_t schema_lease_key(const char *node, char *buf);
size_t schema_node_field(const char *node, char *buf);
size_t schema_left_field(const char *node, uint32_t owner, char *buf);

/* Until when nodes may report a chunk, in seconds since 1970: 26 hours after the end of the hour it
 * lies in, which is the longest horizon and a margin. The same for all resolutions, so that they
 * are closed together. */
int64_t schema_until_s(enum resolution r, int64_t chunk);

/* The last hour (since 1970) whose chunks may all be closed at now_s, seconds since 1970. */
int64_t schema_closable_hour(int64_t now_s);

/* Writes the field of a slot (two digits and a NUL), and parses it; false when text[0..len) is no
 * field of that resolution. */
void schema_field(uint32_t slot, char buf[3]);
bool schema_slot(enum resolution r, const char *text, size_t len, uint32_t *slot);

/* Parses a count as stored in a hash: digits only, at most 2^53. */
bool schema_count(const char *text, size_t len, uint64_t *count);

#endif
