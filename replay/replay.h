/* Counts a log again: its events pass through the same readers, reports and counting library as in
 * a server, on several threads, into a state directory that is read like any other.
 *
 * A state holds windows for one horizon only, while a log may be of any age. So the log is
 * processed in stretches of event time, each into a state of its own. One thread opens and runs. */
#ifndef AFORO_REPLAY_REPLAY_H
#define AFORO_REPLAY_REPLAY_H

#include "eventlog/pieces.h"
#include "reports/definitions.h"

#include <stdatomic.h>

#define REPLAY_WHY_MAX 512
#define REPLAY_HOUR_US (3600 * US_PER_S)
#define REPLAY_DAY_US (24 * REPLAY_HOUR_US)

struct replay_config {
    const char *const *dir; /* [dirs] folders of --event-log */
    unsigned dirs;
    const char *node;         /* this node only; NULL: all */
    int64_t from_us, to_us;   /* event times, [from, to) */
    bool late;                /* include events that were refused as too late */
    unsigned threads;         /* at least 1 */
    const _Atomic bool *stop; /* set by any thread to stop soon; NULL: never */
};

struct replay;

/* Lists the log and finds out which hours it has events of. NULL fills `why`: which folder, and
 * what is wrong with it. The strings of `config` must outlive the result. Close it with
 * replay_close. */
struct replay *replay_open(const struct replay_config *config, char why[REPLAY_WHY_MAX]);
void replay_close(struct replay *replay);

/* The name of the only node in the log; NULL when there are several or none. */
const char *replay_node(const struct replay *replay);

struct replay_stretch {
    int64_t from_us, to_us;
};

/* The stretches [k * length_us, (k + 1) * length_us) that may have events, ascending; length_us is
 * whole hours and divides a day. Returns their number; 0: no events. The caller frees
 * *stretches. */
size_t replay_stretches(const struct replay *replay, int64_t length_us,
                        struct replay_stretch **stretches);

/* The same as one stretch, from the first hour to the last. False: no events. */
bool replay_span(const struct replay *replay, struct replay_stretch *span);

/* The shortest stretch that the windows of all reports divide. */
int64_t replay_stretch_length(const struct definitions *definitions);

/* Where the events are counted. */
struct replay_target {
    const char *dir;     /* the state directory, created when missing; must hold no state */
    const char *node_id; /* NULL: one is made up */
    int64_t future_us;   /* of the state; its horizon is the length of the stretch */
    bool goes_on;        /* a server of that name will continue it: the store may have its counts */
    const struct definitions *definitions; /* for as many workers as threads; NULL: no reports */
    /* reports progress, from any thread; may be NULL */
    void (*progress)(void *cls, uint64_t events, uint64_t bytes);
    void (*damage)(void *cls, const struct eventlog_damage *damage); /* one thread at a time */
    void *cls;
};

struct replay_tally {
    uint64_t counted;  /* includes `late` and `unread` */
    uint64_t late;     /* events that had been refused as too late */
    uint64_t refused;  /* records of events that were not counted and are not now */
    uint64_t unread;   /* counted, but their bodies can no longer be read */
    uint64_t unplaced; /* no window had a place: only if the state is damaged */
    uint64_t damages;
    /* events of each report in `(other)`, in its width with the most of them */
    uint64_t other[REPORTS_MAX];
};

/* Bytes of the log's files that a stretch reads. */
uint64_t replay_bytes(const struct replay *replay, const struct replay_stretch *stretch);

/* Reports to the target, once, what cannot be read and so belongs to no known stretch. Adds to the
 * tally. replay_run does this too: this function is for a log without stretches. */
void replay_name_damages(struct replay *replay, const struct replay_target *target,
                         struct replay_tally *tally);

/* Counts the events of a stretch of at most a day into the target, whose state is closed on return.
 * Adds to the tally. False fills `why`, also when it was stopped. */
bool replay_run(struct replay *replay, const struct replay_stretch *stretch,
                const struct replay_target *target, struct replay_tally *tally,
                char why[REPLAY_WHY_MAX]);

#endif
