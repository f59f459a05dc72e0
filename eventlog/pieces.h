/* Splits a log into pieces, one per file, so that several threads can read it; a piece yields its
 * lines block by block. Each piece belongs to one node and shard, and the pieces of a shard are
 * adjacent, in the order of their sequences. A list is built by one thread and then constant; any
 * thread may read a piece. */
#ifndef AFORO_EVENTLOG_PIECES_H
#define AFORO_EVENTLOG_PIECES_H

#include "eventlog/read.h"

struct eventlog_piece {
    const char *dir, *node; /* owned by the list */
    unsigned shard;
    uint64_t first; /* sequence of its first record */
    uint64_t next;  /* of the next piece of its shard; 0: none */
    bool sealed;
    uint64_t bytes; /* size of the file when it was listed */
};

struct eventlog_pieces {
    size_t n, nodes;
    struct eventlog_piece *piece;
    char **name; /* [names] folders and nodes */
    size_t names;
};

/* Adds the pieces of the log in `dir`, of `node` alone unless it is NULL. False fills `why`: there
 * is no log, or it cannot be read at all. Even then the caller must call eventlog_pieces_free. */
bool eventlog_pieces_add(struct eventlog_pieces *pieces, const char *dir, const char *node,
                         char why[EVENTLOG_READ_WHY_MAX]);

/* Whether no two pieces begin with the same record, as happens when a folder was added twice. False
 * fills `why`. */
bool eventlog_pieces_are_once(const struct eventlog_pieces *pieces,
                              char why[EVENTLOG_READ_WHY_MAX]);
void eventlog_pieces_free(struct eventlog_pieces *pieces);

/* Complete lines with their LFs; the first has number `sequence`. Valid during the taker's call
 * only. */
struct eventlog_lines {
    const struct eventlog_where *where;
    uint64_t sequence;
    const char *text;
    size_t len;
};

struct eventlog_lines_taker {
    /* returns false to stop */
    bool (*lines)(void *cls, const struct eventlog_lines *lines);
    void (*damage)(void *cls, const struct eventlog_damage *damage);
    void *cls;
};

/* Passes the lines of a piece to the taker. In a sealed piece, blocks without a record in [from_us,
 * to_us) are skipped. An unreadable file is reported as damage. False when the taker stopped. */
bool eventlog_piece_read(const struct eventlog_piece *piece, int64_t from_us, int64_t to_us,
                         const struct eventlog_lines_taker *taker);

/* Calls `each` with the smallest and the largest time of each block of a sealed piece, without
 * decompressing it. False when its headers cannot be read one after another, when it ends before
 * the next piece begins, or when it is not sealed. */
bool eventlog_piece_spans(const struct eventlog_piece *piece,
                          void (*each)(void *cls, int64_t min_us, int64_t max_us), void *cls);

#endif
