/* The open end of a shard's log, which its worker alone appends to.
 *
 *   file    | line | line | ... | zeros ... | trailer (one page) |       memory-mapped, reserved
 *   trailer | what it is | committed length | note                       before anything is written
 *
 * A line is written behind the committed length, where nobody looks. Then the note says which
 * length it will be, and what the count of the events' 10 ms window will be with them; then they
 * are counted; then the length is stored. Who is killed in between leaves a note that is ahead of
 * the length, and the next start looks at the count: when it is what the note says, the events were
 * counted and the length goes forward, else they were not and the lines are as if never written. So
 * the counts decide and the log follows: no event is in one of them alone.
 *
 * A processor retires stores in program order, so a killed thread has done a prefix of them; the
 * signal fences keep the compiler to the order and cost nothing. */
#ifndef AFORO_EVENTLOG_TAIL_H
#define AFORO_EVENTLOG_TAIL_H

#include "eventlog/block.h"
#include "eventlog/files.h"

#include <stdatomic.h>

#define TAIL_PAGE 4096
#define TAIL_VERSION 1

struct tail_note {
    _Atomic uint64_t end; /* the length with what it is of; 0 while it changes */
    _Atomic uint64_t shard, window, count;
};

struct tail_trailer {
    char magic[8];
    uint32_t version;
    uint32_t shard;
    uint64_t first;
    char node[EVENTLOG_NODE_MAX];
    _Alignas(64) _Atomic uint64_t length; /* bytes of lines that are committed */
    _Alignas(64) struct tail_note note;
};

_Static_assert(sizeof(struct tail_trailer) <= TAIL_PAGE, "the trailer is one page");

struct tail {
    struct tail *next; /* in the list of those that are to be sealed */
    unsigned shard;
    uint64_t first;
    int fd;
    bool wide;  /* in pages as large as the kernel can; the log thread's */
    char *base; /* NULL: closed */
    size_t room;
    struct tail_trailer *trailer;
};

/* Whose it will be. */
struct tail_owner {
    int dir_fd;
    const char *node;
    unsigned shard;
};

/* Makes a file with room for that many bytes of lines (whole pages), under a temporary name, so
 * that no write to it can fail for want of space. NULL, errno set. */
struct tail *tail_make(const struct tail_owner *owner, const char *temporary, size_t room);

/* Has the kernel make its pages now, by the thread that calls, and not one by one when they are
 * written; and makes them large, which takes a fifth of the time. As far as the kernel can do that.
 */
void tail_touch(struct tail *tail);

/* Gives large pages back, since one is written to the disk as a whole for each line that was added
 * meanwhile. What is in them is on the disk already, or stays where it is. Any thread, also while
 * the worker writes. */
void tail_narrow(struct tail *tail);

/* Gives it its number and its name. False, errno set. */
bool tail_begin(struct tail *tail, int dir_fd, const char *temporary, uint64_t first);

/* Cuts the file behind what is committed, and unmaps it: what is left is lines alone. False, errno
 * set, when it could not be cut. */
bool tail_close(struct tail *tail);

/* Unmaps and frees it; the file stays as it is. */
void tail_free(struct tail *tail);

/* ---- what an earlier run left ---- */

/* Whether the count of a 10 ms window of a shard of the state file is that one. */
struct tail_judge {
    bool (*is_counted)(void *cls, uint64_t shard, uint64_t window, uint64_t count);
    void *cls;
};

struct tail_settled {
    uint64_t records, bytes;
    bool completed; /* a note was ahead, and its events were counted */
    bool torn;      /* pages were missing: what came after them was cut off */
};

/* Settles a tail as the head of this page says, and closes it. Before anything writes to it. False,
 * errno set. */
bool tail_settle(int dir_fd, const struct log_file *file, const struct tail_judge *judge,
                 struct tail_settled *settled);

/* The committed length of an open file of that many bytes, by its trailer; false: it has none, all
 * of it is lines. */
bool tail_read_length(int fd, uint64_t file_bytes, uint64_t *length);

#define TAIL_FOREIGN "it says that it is of another node or shard: a copy"

/* Whether an open file of that many bytes may be that shard's: one with a trailer says whose it is.
 */
bool tail_is_of(int fd, uint64_t file_bytes, const char *node, unsigned shard);

/* How many bytes of lines it has. Its writer may cut it at any moment, after which it is lines
 * alone. */
uint64_t tail_find_length(int fd, uint64_t file_bytes);

#endif
