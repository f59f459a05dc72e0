/* libaforo-counters: counts of events in 10 ms, 1 s and 1 min windows, kept in one memory-mapped
 * file.
 *
 * Every number has exactly one writer, only grows, and is read by anyone at any time. One worker
 * thread owns a shard; the total of a window is the sum over the shards. No globals, no I/O beyond
 * the mapping of the file.
 *
 * Calls are grouped by the thread that may make them. Times are microseconds since the epoch, UTC.
 */
#ifndef AFORO_COUNTERS_COUNTERS_H
#define AFORO_COUNTERS_COUNTERS_H

#include "counters/time/window.h"

#include <stddef.h>

#define COUNTERS_WHY_MAX 512
#define COUNTERS_NODE_MAX 64 /* bytes of a node id, with its NUL */
#define COUNTERS_WORKERS_MAX 256
#define COUNTERS_OWNER_MAX 96
/* in a file: a worker has more where the clock was set */
#define COUNTERS_SHARDS_MOST (3 * COUNTERS_WORKERS_MAX + 1)
#define COUNTERS_REASONS 8 /* reasons of refusal a shard keeps statistics of */

struct counters;
struct shard;

/* ---- before the threads start, and after they ended: one thread ---- */

struct counters_config {
    const char *dir; /* state directory: made when missing (its parent must exist) */
    /* 1..63 of [A-Za-z0-9._-]; NULL keeps the file's, or makes one up for a new file */
    const char *node_id;
    unsigned workers; /* shards for worker threads, 1..COUNTERS_WORKERS_MAX */
    /* how far back and ahead an event time is accepted: whole seconds, bounds in time/horizon.h */
    int64_t horizon_us, future_us;
    /* how long windows are kept; at least the horizon; 0 means 1 h, 24 h, 30 d */
    int64_t keep_us[RESOLUTIONS];
};

/* Whether id may name a node: see node_id above. Pure. */
bool counters_node_id_is_valid(const char *id);

/* Opens or makes the state file for writing and locks it; repairs what a crash left half done. NULL
 * on failure, with `why` (COUNTERS_WHY_MAX bytes) saying which file, what is wrong with it and what
 * to do. The file is never overwritten when it is of another version, another geometry or damaged.
 * `repaired`, when not NULL, gets the number of counts that recovery changed. The caller closes the
 * result with counters_close. */
struct counters *counters_open(const struct counters_config *config, uint64_t *repaired, char *why);

/* Opens the state file of `dir` to read only, whether a server has it or not. NULL and `why` as
 * above; a file that was closed in order is verified first. */
struct counters *counters_open_readonly(const char *dir, char *why);

/* Writes back, unlocks, unmaps and frees. No other call may be under way. NULL is allowed. */
void counters_close(struct counters *counters);

/* The shard of worker 0..workers-1; to be used by one thread only from then on. */
struct shard *counters_worker_shard(struct counters *counters, unsigned worker);

/* The shard that holds what was read back from the store; owned by the flush thread. */
struct shard *counters_readback_shard(struct counters *counters);

/* ---- the shard's owner: one thread per shard ---- */

enum shard_verdict { SHARD_COUNTED, SHARD_TOO_LATE, SHARD_TOO_FAR_AHEAD };

/* Whether the owner counts in the shard of the file that it had, in another one since the clock was
 * set, or ought to and cannot (no disk space, no memory, too many shards): events that find no
 * place are then refused as too late, and arrivals held at the oldest window that has one. */
enum shard_move { SHARD_STAYED, SHARD_MOVED, SHARD_STUCK };

/* Sets what "now" is for the accepted span [now - horizon, now + future]. Call it once a wake-up,
 * before adding. When what is counted lies so far ahead that it is in the way (the clock was set
 * back), it stays counted where it is, and this shard goes on in another one of the file. Only then
 * are there system calls. */
enum shard_move shard_set_now_owner(struct shard *shard, int64_t now_us);

/* The same when the clock has stepped ahead from from_us to now_us in no time: what was the present
 * then keeps its places, for as long as the horizon at least, in case the clock is set back. */
enum shard_move shard_step_ahead_owner(struct shard *shard, int64_t from_us, int64_t now_us);

/* Counts one event at its event time in all three rings. When it returns SHARD_COUNTED the event is
 * in the mapped file: it survives the death of the process. Otherwise nothing was changed.
 * Wait-free, no system call. */
enum shard_verdict shard_add_owner(struct shard *shard, int64_t event_us);

/* Counts us[0..n) one after the other and stops before the first that is outside the span. Returns
 * how many were counted; when less than n, *verdict says why us[that many] was not. */
size_t shard_add_batch_owner(struct shard *shard, const int64_t *us, size_t n,
                             enum shard_verdict *verdict);

/* Counts times[0..n), each as many events as it says, from us[i] on and all in the 10 ms window of
 * us[i]. Stops before the first whose events are not all inside the span for certain, and returns
 * how many were counted; *events is the sum of their times. */
size_t shard_add_windows_owner(struct shard *shard, const int64_t *us, const unsigned char *times,
                               size_t n, uint64_t *events);

/* Counts one event whose time is the arrival time: never refused. A time of more than a second
 * after the accepted span is held there until the next shard_set_now_owner; one that has no place
 * in the rings at the oldest window they have. */
void shard_add_arrival_owner(struct shard *shard, int64_t arrival_us);

/* Where an event would be counted: shard of the file, 10 ms window (number since the epoch), and
 * the count of that window in this shard with the event. */
struct shard_next {
    uint64_t shard, window, count;
    const struct second_place *place; /* the shard's own */
    int64_t held_us;
};

/* What shard_add_owner would return now, and when that is SHARD_COUNTED where it would count.
 * Nothing that counts is changed; the windows' places may be taken from what is past the horizon.
 */
enum shard_verdict shard_look_owner(struct shard *shard, int64_t event_us, struct shard_next *next);

/* The same for shard_add_arrival_owner. Returns the time that the event would be held at. */
int64_t shard_look_arrival_owner(struct shard *shard, int64_t arrival_us, struct shard_next *next);

/* Counts an event where it was looked at, when nothing else was done with the shard since. */
void shard_add_next_owner(struct shard *shard, const struct shard_next *next);

/* Statistics of this shard, for ever (they are in the file): events received, counted, and refused
 * by reason. Readers see one call's changes all at once, so received = counted + sum of refused
 * holds at every moment. */
struct shard_tally {
    uint64_t received;
    uint64_t counted;
    uint64_t refused[COUNTERS_REASONS];
};
void shard_tally_owner(struct shard *shard, const struct shard_tally *delta);
/* The same for one event counted: the hot way. */
void shard_tally_counted_owner(struct shard *shard);

/* Raises one window of one resolution of the read-back shard by `by`, in that resolution only. Too
 * old: ignored. */
void shard_raise_owner(struct shard *shard, enum resolution r, int64_t window, uint64_t by);

/* Notes that what the store had was read back: from now on the file holds at least what the store
 * has, and that is on the disk. By the owner of the read-back shard. False, errno set, when it
 * could not be written. */
bool counters_set_read_back_owner(struct counters *counters);

/* ---- any thread, at any time ---- */

/* Sums windows [first, first + n) of a resolution over all shards into out[0..n). A window that is
 * no longer (or not yet) held is 0. Each count is one that was true at some moment during the call.
 */
void counters_read(const struct counters *counters, enum resolution r, int64_t first, uint32_t n,
                   uint64_t *out);

/* The same for windows that the rings have moved past, too: what no shard has recycled yet. When
 * some have, the sum is a part of what was counted: never too much, and so good enough to tell the
 * store of. */
void counters_read_rest(const struct counters *counters, enum resolution r, int64_t first,
                        uint32_t n, uint64_t *out);

/* The same for the read-back shard alone. */
void counters_read_back_shard(const struct counters *counters, enum resolution r, int64_t first,
                              uint32_t n, uint64_t *out);

/* The count of a 10 ms window in one shard of the file; 0 when it is not held, or there is no such
 * shard. */
uint64_t counters_shard_count(const struct counters *counters, uint64_t shard, int64_t window);

/* Sum over the shards of a chunk's total. Unchanged since last time means none of its windows
 * changed: it is stored after the count that it includes, so read it before reading the windows. */
uint64_t counters_chunk_total(const struct counters *counters, enum resolution r, int64_t chunk);

/* The same for chunks that the rings have moved past, too: the partner of counters_read_rest. */
uint64_t counters_chunk_total_rest(const struct counters *counters, enum resolution r,
                                   int64_t chunk);

/* Says what the present is while no worker of this process counts: now + future is the newest time
 * that is not ahead. Workers say it by shard_set_now_owner. Until somebody has, nothing is ahead.
 */
void counters_set_now(struct counters *counters, int64_t now_us);

/* The newest and the oldest chunk of the present that may hold counts: false when there is none.
 * Older ones are gone; newer ones are of a clock that was ahead, and wait until their time has
 * come. */
bool counters_span(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                   int64_t *newest_chunk);

/* The same with what lies ahead by a day at the most, or by as much as the rings go back. */
bool counters_span_ahead(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                         int64_t *newest_chunk);

/* How far the newest window that was ever counted in lies beyond the accepted span; 0 when it does
 * not. */
int64_t counters_ahead_us(const struct counters *counters);

/* The oldest chunk that is kept: what was counted in it or later is there, older ones may have been
 * let go. */
int64_t counters_oldest_kept(const struct counters *counters, enum resolution r);

/* The sum of all shards' statistics; consistent per shard. */
void counters_tally(const struct counters *counters, struct shard_tally *out);

/* The node's name. It may change once in a long while (see reference.h); what was returned stays
 * readable. */
const char *counters_node_id(const struct counters *counters);

/* Who has this file open, and nobody else in the world: boot id, device, inode. */
void counters_owner(const struct counters *counters, char owner[COUNTERS_OWNER_MAX]);

int64_t counters_horizon_us(const struct counters *counters);
int64_t counters_future_us(const struct counters *counters);
/* all in the file, those of earlier runs too */
unsigned counters_shards(const struct counters *counters);

/* Writes what changed to the disk and waits for it (msync): a power loss then costs no more than
 * what came after. One thread at a time, and none that has anything urgent to do. False, errno set,
 * when the disk refused. */
bool counters_sync(struct counters *counters);

/* Whether the state file is still where it was opened; false, with `why` as above, when it was
 * deleted, moved or replaced. Any thread. */
bool counters_is_in_place(const struct counters *counters, char *why);

/* Writes a copy of the state file of directory `from` into directory `to`, which is made when
 * missing and must hold none; whether a server counts in it or not. What was acknowledged before
 * the call is in the copy. False and `why` as above. */
bool counters_backup(const char *from, const char *to, char *why);

/* ---- when no shard is being written to ---- */

/* Checks every invariant: each chunk's total is the sum of its windows, stands in its place, and
 * equals the window of the next resolution. True when all hold; otherwise `why` names the first
 * that does not. */
bool counters_verify(const struct counters *counters, char *why);

#endif
