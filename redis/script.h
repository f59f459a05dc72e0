/* What Redis runs for us: each script's text, which EVAL takes, and its SHA1, which EVALSHA takes.
 * NUL-terminated, constant, any thread. What each does stands at the head of its file. */
#ifndef AFORO_REDIS_SCRIPT_H
#define AFORO_REDIS_SCRIPT_H

struct script {
    const char *text;
    const char *sha;
};

extern const struct script script_merge;      /* merge.lua: a node's part of a chunk */
extern const struct script script_close;      /* close.lua: a chunk that nothing changes any more */
extern const struct script script_final;      /* final.lua: how far they are closed */
extern const struct script script_lease;      /* lease.lua: a node's name */
extern const struct script script_lost;       /* lost.lua: tell all nodes of a loss */
extern const struct script script_nodes;      /* nodes.lua: what a node says of itself */
extern const struct script script_rows;       /* rows.lua: a node's rows of a window of a report */
extern const struct script script_rows_close; /* rows_close.lua: one that nothing changes any more
                                               */

#endif
