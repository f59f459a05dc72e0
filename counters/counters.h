/* libaforo-counters: counts of events in 10 ms, 1 s and 1 min windows, kept in one memory-mapped
 * file.
 *
 * Every counter has exactly one writer, only grows, and may be read by any thread at any time. One
 * worker thread owns a shard; the total of a window is the sum over the shards. The library has no
 * globals and does no I/O beyond the mapping of the file.
 *
 * Calls are grouped by the thread that may make them. Times are microseconds since the epoch,
 * UTC. */
#ifndef AFORO_COUNTERS_COUNTERS_H
#define AFORO_COUNTERS_COUNTERS_H

#include "counters/time/window.h"

#include <stddef.h>

#define COUNTERS_WHY_MAX 512
#define COUNTERS_NODE_MAX 64 /* bytes of a node id, with its NUL */
#define COUNTERS_WORKERS_MAX 256
#define COUNTERS_OWNER_MAX 96
/* shards in one file: a worker takes further ones when the clock is set */
#define COUNTERS_SHARDS_MOST (3 * COUNTERS_WORKERS_MAX + 1)
#define COUNTERS_REASONS 8 /* reasons of refusal that a shard counts separately */

struct counters;
struct shard;

/* ---- before the threads start, and after they ended: one thread ---- */

struct counters_config {
    const char *dir; /* state directory: created when missing (its parent must exist) */
    /* 1..63 of [A-Za-z0-9._-]; NULL keeps the file's name, or makes up one for a new file */
    const char *node_id;
    unsigned workers; /* shards for worker threads, 1..COUNTERS_WORKERS_MAX */
    /* how far back and ahead an event time is accepted: whole seconds, bounds in time/horizon.h */
    int64_t horizon_us, future_us;
    /* how long windows are kept; at least the horizon; 0 means 1 h, 24 h, 30 d */
    int64_t keep_us[RESOLUTIONS];
};

/* Whether `id` may be a node's name (see node_id above). Pure. */
bool counters_node_id_is_valid(const char *id);

/* Opens or creates the state file for writing, locks it, and repairs what a crash left half done.
 * Returns NULL on failure and fills `why` (COUNTERS_WHY_MAX bytes) with the file, what is wrong
 * with it and what to do. A file of another version or geometry, or a damaged one, is never
 * overwritten. `repaired`, unless NULL, receives the number of counts that recovery changed. The
 * caller closes the result with counters_close. */
struct counters *counters_open(const struct counters_config *config, uint64_t *repaired, char *why);

/* Opens the state file of `dir` read-only, whether or not a server has it open. A file that was
 * closed cleanly is verified first. NULL fills `why` as above; the caller closes the result. */
struct counters *counters_open_readonly(const char *dir, char *why);

/* Writes back, unlocks, unmaps and frees. No other call may be in progress. NULL is allowed. */
void counters_close(struct counters *counters);

/* The shard of worker 0..workers-1. From then on only one thread may use it. Owned by
 * `counters`. */
struct shard *counters_worker_shard(struct counters *counters, unsigned worker);

/* The shard that holds what was read back from the store; the flush thread owns it. */
struct shard *counters_readback_shard(struct counters *counters);

/* ---- the shard's owner: one thread per shard ---- */

enum shard_verdict { SHARD_COUNTED, SHARD_TOO_LATE, SHARD_TOO_FAR_AHEAD };

/* Where the owner counts: in the shard of the file that it had, or in another one because the clock
 * was set. SHARD_STUCK: it needs another one and cannot have it (no disk space, no memory, too many
 * shards). Events that then find no place are refused as too late, and arrivals are counted in the
 * oldest window that has a place. */
enum shard_move { SHARD_STAYED, SHARD_MOVED, SHARD_STUCK };

/* Sets "now" for the accepted span [now - horizon, now + future]. Call it once per wake-up, before
 * adding. When the clock was set back so far that windows counted ahead occupy the places needed,
 * they stay where they are and this shard goes on in another one of the file. Only then are system
 * calls made. */
enum shard_move shard_set_now_owner(struct shard *shard, int64_t now_us);

/* The same after the clock has jumped ahead from from_us to now_us: what was the present until then
 * keeps its places for at least the horizon, in case the clock is set back. */
enum shard_move shard_step_ahead_owner(struct shard *shard, int64_t from_us, int64_t now_us);

/* Counts one event at its event time in all three rings. Once it returns SHARD_COUNTED the event is
 * in the mapped file and survives the death of the process; any other result means nothing changed.
 * Wait-free, no system call. */
enum shard_verdict shard_add_owner(struct shard *shard, int64_t event_us);

/* Counts us[0..n) in order and stops before the first that is outside the span. Returns how many
 * were counted; when that is less than n, *verdict says why the next one was not. */
size_t shard_add_batch_owner(struct shard *shard, const int64_t *us, size_t n,
                             enum shard_verdict *verdict);

/* Counts n groups of events: group i has times[i] events, starting at us[i] and all in the 10 ms
 * window of us[i]. Stops before the first group that may not lie wholly inside the span. Returns
 * the number of groups counted; *events receives the number of events in them. */
size_t shard_add_windows_owner(struct shard *shard, const int64_t *us, const unsigned char *times,
                               size_t n, uint64_t *events);

/* Counts one event whose event time is its arrival time, which is never refused. A time more than a
 * second beyond the accepted span is counted at that limit until the next shard_set_now_owner; one
 * that has no place in the rings is counted in the oldest window they have. */
void shard_add_arrival_owner(struct shard *shard, int64_t arrival_us);

/* Where an event would be counted: the shard of the file, the 10 ms window (its number since the
 * epoch), and the count of that window in this shard including the event. */
struct shard_next {
    uint64_t shard, window, count;
    const struct second_place *place; /* the shard's own */
    int64_t held_us;
};

/* What shard_add_owner would return now and, when that is SHARD_COUNTED, where it would count. No
 * count changes, but places of windows past the horizon may be recycled for it. */
enum shard_verdict shard_look_owner(struct shard *shard, int64_t event_us, struct shard_next *next);

/* The same for shard_add_arrival_owner. Returns the time at which the event would be counted. */
int64_t shard_look_arrival_owner(struct shard *shard, int64_t arrival_us, struct shard_next *next);

/* Counts an event at the place that was looked up, provided nothing else was done with the shard
 * since. */
void shard_add_next_owner(struct shard *shard, const struct shard_next *next);

/* Statistics of this shard since the file was made: events received, counted, and refused by
 * reason. Readers see the changes of one call all at once, so received = counted + sum of refused
 * holds at every moment. */
struct shard_tally {
    uint64_t received;
    uint64_t counted;
    uint64_t refused[COUNTERS_REASONS];
};
/* Adds `delta` to the statistics. */
void shard_tally_owner(struct shard *shard, const struct shard_tally *delta);
/* The same for one counted event: the fast path. */
void shard_tally_counted_owner(struct shard *shard);

/* Raises one window of one resolution of the read-back shard by `by`, in that resolution only. A
 * window that is too old is ignored. By the owner of the read-back shard. */
void shard_raise_owner(struct shard *shard, enum resolution r, int64_t window, uint64_t by);

/* Records that the store was read back: from now on the file holds at least what the store holds,
 * and that is on disk. By the owner of the read-back shard. False with errno set when it could not
 * be written. */
bool counters_set_read_back_owner(struct counters *counters);

/* What the flush notes in the file for its next run, in which the clock may show another time. */
struct counters_flush_note {
    /* Both clocks when it last compared them (steady: since the machine's boot); 0: unknown. */
    int64_t wall_us, steady_us;
    /* Chunks of which it has not sent everything, although they are not of the present; left_to 0:
     * none. */
    int64_t left_from[RESOLUTIONS], left_to[RESOLUTIONS];
};

/* Stores the note, unless the file has it already; it survives the death of the process. By the
 * owner of the read-back shard. */
void counters_note_flush_owner(struct counters *counters, const struct counters_flush_note *note);

/* Reads the note. The clocks are 0 when it is of another boot of the machine, and nothing is left
 * when it was written under another name: then it is another server's. By the same owner. */
void counters_find_flush_note_owner(const struct counters *counters,
                                    struct counters_flush_note *note);

/* ---- any thread, at any time ---- */

/* Sums windows [first, first + n) of a resolution over all shards into out[0..n). A window that is
 * not held, because it is too old or too new, is 0. Each count was correct at some moment during
 * the call. */
void counters_read(const struct counters *counters, enum resolution r, int64_t first, uint32_t n,
                   uint64_t *out);

/* The same, including windows that the rings have moved past but no shard has recycled yet. Where
 * some shards have, the sum is only a part of what was counted: never too much, so it may still be
 * sent to the store. */
void counters_read_rest(const struct counters *counters, enum resolution r, int64_t first,
                        uint32_t n, uint64_t *out);

/* Like counters_read_rest, for the read-back shard alone. */
void counters_read_back_shard(const struct counters *counters, enum resolution r, int64_t first,
                              uint32_t n, uint64_t *out);

/* The count of a 10 ms window in one shard of the file; 0 when the window is not held or the shard
 * does not exist. */
uint64_t counters_shard_count(const struct counters *counters, uint64_t shard, int64_t window);

/* Sum over the shards of a chunk's total. If it is unchanged since last time, none of the chunk's
 * windows changed. The total is stored after the count it includes, so read it before the
 * windows. */
uint64_t counters_chunk_total(const struct counters *counters, enum resolution r, int64_t chunk);

/* The same, including chunks that the rings have moved past: goes with counters_read_rest. */
uint64_t counters_chunk_total_rest(const struct counters *counters, enum resolution r,
                                   int64_t chunk);

/* Tells readers what the present is while no worker of this process counts: now + future is the
 * newest time that is not ahead. Workers do this through shard_set_now_owner. Until either is
 * called, nothing is considered ahead. */
void counters_set_now(struct counters *counters, int64_t now_us);

/* The oldest and the newest chunk of the present that may hold counts; false when there is none.
 * Older chunks are gone. Newer ones were counted while the clock was ahead, and are not reported
 * until their time comes. */
bool counters_span(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                   int64_t *newest_chunk);

/* The same, including what lies ahead by up to a day or the length of the ring, whichever is
 * more. */
bool counters_span_ahead(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                         int64_t *newest_chunk);

/* The newest chunk up to number `chunk` that any shard holds, whatever the present is; 0 when there
 * is none. Slow, unless `chunk` is newer than all: it looks at all places. */
int64_t counters_find_held(const struct counters *counters, enum resolution r, int64_t chunk);

/* How far the newest window ever counted in lies beyond the accepted span; 0 when it does not. */
int64_t counters_ahead_us(const struct counters *counters);

/* The oldest chunk that is kept: everything counted in it or later is held, while older chunks may
 * have been dropped. */
int64_t counters_oldest_kept(const struct counters *counters, enum resolution r);

/* The sum of all shards' statistics; consistent per shard. */
void counters_tally(const struct counters *counters, struct shard_tally *out);

/* The node's name. It may change, though rarely (see reference.h); a pointer returned earlier stays
 * readable until counters_close. */
const char *counters_node_id(const struct counters *counters);

/* A text that identifies this open file uniquely in the world: boot id, device, inode. */
void counters_owner(const struct counters *counters, char owner[COUNTERS_OWNER_MAX]);

/* How far back and ahead of now events are accepted, and how many shards there are. */
int64_t counters_horizon_us(const struct counters *counters);
int64_t counters_future_us(const struct counters *counters);
/* all shards in the file, those of earlier runs too */
unsigned counters_shards(const struct counters *counters);

/* Writes changes to disk and waits (msync), so that a power loss costs no more than what came
 * after. One thread at a time, and never one with urgent work. False with errno set on failure. */
bool counters_sync(struct counters *counters);

/* Whether the state file is still where it was opened. False fills `why` when it was deleted, moved
 * or replaced. Any thread. */
bool counters_is_in_place(const struct counters *counters, char *why);

/* Copies the state file of directory `from` into directory `to`, which is created when missing and
 * must not have one, whether or not a server counts in `from`. What was acknowledged before the
 * call is in the copy. False fills `why`. */
bool counters_backup(const char *from, const char *to, char *why);

/* ---- when no shard is being written to ---- */

/* Checks every invariant: each chunk's total is the sum of its windows, is stored in its own place,
 * and equals the window of the next resolution. True when all hold; otherwise `why` names the first
 * that does not. */
bool counters_verify(const struct counters *counters, char *why);

#endif
