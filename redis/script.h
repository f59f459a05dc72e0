/* The scripts that Redis runs: the text for EVAL and its SHA1 for EVALSHA. NUL-terminated,
 * constant, any thread. The top of each file says what it does. */
#ifndef AFORO_REDIS_SCRIPT_H
#define AFORO_REDIS_SCRIPT_H

struct script {
    const char *text;
    const char *sha;
};

extern const struct script script_merge;      /* merge.lua: a node's part of a chunk */
extern const struct script script_close;      /* close.lua: closes a chunk */
extern const struct script script_final;      /* final.lua: how far chunks are closed */
extern const struct script script_lease;      /* lease.lua: a node's name */
extern const struct script script_lost;       /* lost.lua: tells all nodes of a loss */
extern const struct script script_nodes;      /* nodes.lua: what a node reports about itself */
extern const struct script script_rows;       /* rows.lua: a node's rows of a window */
extern const struct script script_rows_close; /* rows_close.lua: closes such a window */

#endif
