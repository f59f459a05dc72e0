/* The open end of a shard's log, which only its worker appends to.
 *
 *   file    | line | line | ... | zeros ... | trailer (one page) |       memory-mapped; reserved
 *   trailer | what it is | committed length | note                       before any write
 *
 * A line is written after the committed length, where nobody looks. Then the note records what the
 * length will be and what the count of the events' 10 ms window will be with them. Then they are
 * counted, and finally the length is stored. A process killed in between leaves a note that is
 * ahead of the length. The next start then looks at the count: if it is what the note says, the
 * events were counted and the length moves forward; otherwise they were not, and the lines are
 * dropped. So the counts decide and the log follows: no event is in only one of them.
 *
 * A processor retires stores in program order, so a killed thread has executed a prefix of them.
 * The signal fences keep the compiler to that order and cost nothing. */
#ifndef AFORO_EVENTLOG_TAIL_H
#define AFORO_EVENTLOG_TAIL_H

#include "eventlog/block.h"
#include "eventlog/files.h"

#include <stdatomic.h>

#define TAIL_PAGE 4096
#define TAIL_VERSION 1

struct tail_note {
    _Atomic uint64_t end; /* the length including the noted lines; 0 while the note changes */
    _Atomic uint64_t shard, window, count;
};

struct tail_trailer {
    char magic[8];
    uint32_t version;
    uint32_t shard;
    uint64_t first;
    char node[EVENTLOG_NODE_MAX];
    _Alignas(64) _Atomic uint64_t length; /* bytes of committed lines */
    _Alignas(64) struct tail_note note;
};

_Static_assert(sizeof(struct tail_trailer) <= TAIL_PAGE, "the trailer is one page");

struct tail {
    struct tail *next; /* in the list of tails waiting to be sealed */
    unsigned shard;
    uint64_t first;
    int fd;
    bool wide;  /* mapped in pages as large as possible; used by the log thread */
    char *base; /* NULL: closed */
    size_t room;
    struct tail_trailer *trailer;
};

/* Which shard the tail is for. */
struct tail_owner {
    int dir_fd;
    const char *node;
    unsigned shard;
};

/* Creates a file under a temporary name and reserves `room` bytes for lines (whole pages), so that
 * no write to it can fail for lack of space. NULL with errno set on failure. */
struct tail *tail_make(const struct tail_owner *owner, const char *temporary, size_t room);

/* Has the kernel allocate the tail's pages now, in the calling thread, instead of one by one when
 * they are first written; large pages where possible, which takes a fifth of the time. */
void tail_touch(struct tail *tail);

/* Splits large pages again, because a large page is written to disk as a whole after each line
 * added. The contents are on disk already or stay in place. Any thread, even while the worker
 * writes. */
void tail_narrow(struct tail *tail);

/* Gives the tail its first sequence and its final name. False with errno set on failure. */
bool tail_begin(struct tail *tail, int dir_fd, const char *temporary, uint64_t first);

/* Truncates the file to what is committed, so that only lines remain, and unmaps it. False with
 * errno set when truncating failed. */
bool tail_close(struct tail *tail);

/* Unmaps and frees the tail; the file is not changed. */
void tail_free(struct tail *tail);

/* ---- what an earlier run left ---- */

/* Tells whether a 10 ms window of a shard of the state file has this count. */
struct tail_judge {
    bool (*is_counted)(void *cls, uint64_t shard, uint64_t window, uint64_t count);
    void *cls;
};

struct tail_settled {
    uint64_t records, bytes;
    bool completed; /* a note was ahead, and its events were counted */
    bool torn;      /* pages were missing: what followed them was cut off */
};

/* Settles a tail as described at the top of this file, and closes it. Before anything writes to it.
 * False with errno set on failure. */
bool tail_settle(int dir_fd, const struct log_file *file, const struct tail_judge *judge,
                 struct tail_settled *settled);

/* Reads the committed length from the trailer of an open file of that size. False when it has no
 * trailer: then all of it is lines. */
bool tail_read_length(int fd, uint64_t file_bytes, uint64_t *length);

#define TAIL_FOREIGN "it says that it is of another node or shard: a copy"

/* Whether an open file of that size can belong to that shard; one with a trailer names its
 * owner. */
bool tail_is_of(int fd, uint64_t file_bytes, const char *node, unsigned shard);

/* How many bytes of lines the file has. Its writer may truncate it at any moment; then all of it is
 * lines. */
uint64_t tail_find_length(int fd, uint64_t file_bytes);

#endif
