/* A log in pieces, a file each, so that several threads can read it: their lines, block by block.
 * Each piece is of one node and shard; those of a shard stand one after the other, by their
 * numbers. A list is made by one thread and then constant; a piece is read by any thread. */
#ifndef AFORO_EVENTLOG_PIECES_H
#define AFORO_EVENTLOG_PIECES_H

#include "eventlog/read.h"

struct eventlog_piece {
    const char *dir, *node; /* the list's own */
    unsigned shard;
    uint64_t first; /* sequence of its first record */
    uint64_t next;  /* of the next piece of its shard; 0: there is none */
    bool sealed;
    uint64_t bytes; /* of the file, when it was listed */
};

struct eventlog_pieces {
    size_t n, nodes;
    struct eventlog_piece *piece;
    char **name; /* [names], of the folders and nodes */
    size_t names;
};

/* Adds the pieces of the log in `dir`; node not NULL: of that node alone. False fills why: the log
 * cannot be read at all, or there is none. eventlog_pieces_free frees what was added before, too.
 */
bool eventlog_pieces_add(struct eventlog_pieces *pieces, const char *dir, const char *node,
                         char why[EVENTLOG_READ_WHY_MAX]);

/* Whether no two pieces begin with the same record, as those of a folder that was added twice do.
 * False fills why. */
bool eventlog_pieces_are_once(const struct eventlog_pieces *pieces,
                              char why[EVENTLOG_READ_WHY_MAX]);
void eventlog_pieces_free(struct eventlog_pieces *pieces);

/* Lines that are whole, with their LFs; the first has number `sequence`. */
struct eventlog_lines {
    const struct eventlog_where *where;
    uint64_t sequence;
    const char *text;
    size_t len;
};

struct eventlog_lines_taker {
    /* false: it wants no more */
    bool (*lines)(void *cls, const struct eventlog_lines *lines);
    void (*damage)(void *cls, const struct eventlog_damage *damage);
    void *cls;
};

/* Gives the lines of a piece. Of a sealed one, blocks without a record in [from_us, to_us) are
 * passed over. A file that cannot be read is a damage. False: the taker wanted no more. */
bool eventlog_piece_read(const struct eventlog_piece *piece, int64_t from_us, int64_t to_us,
                         const struct eventlog_lines_taker *taker);

/* Calls `each` with the smallest and the largest time of each block of a sealed piece, without
 * unpacking it. False: its headers cannot be read one after the other, it ends before the next
 * piece begins, or it is not sealed. */
bool eventlog_piece_spans(const struct eventlog_piece *piece,
                          void (*each)(void *cls, int64_t min_us, int64_t max_us), void *cls);

#endif
