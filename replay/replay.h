/* A kept log, counted again: its events go through the same readers, reports and counting library
 * as in a server, on several threads, into a state directory, which anybody reads as one.
 *
 * A state holds a horizon of windows, a log may be as old as you like: it is worked through in
 * stretches of event time, each into a state of its own. One thread opens and runs. */
#ifndef AFORO_REPLAY_REPLAY_H
#define AFORO_REPLAY_REPLAY_H

#include "eventlog/pieces.h"
#include "reports/definitions.h"

#include <stdatomic.h>

#define REPLAY_WHY_MAX 512
#define REPLAY_HOUR_US (3600 * US_PER_S)
#define REPLAY_DAY_US (24 * REPLAY_HOUR_US)

struct replay_config {
    const char *const *dir; /* [dirs], folders of --event-log */
    unsigned dirs;
    const char *node;         /* of it alone; NULL: of all */
    int64_t from_us, to_us;   /* of events' times: [from, to) */
    bool late;                /* also events that were refused as too late */
    unsigned threads;         /* at least 1 */
    const _Atomic bool *stop; /* set by anybody: whatever is under way ends soon; NULL: never */
};

struct replay;

/* Lists the log and finds out which hours it has events of. NULL fills why: which folder, what is
 * wrong with it. The strings of config must outlive the result. */
struct replay *replay_open(const struct replay_config *config, char why[REPLAY_WHY_MAX]);
void replay_close(struct replay *replay);

/* How many nodes there are, and the name of the only one; NULL: there are several. */
const char *replay_node(const struct replay *replay);

struct replay_stretch {
    int64_t from_us, to_us;
};

/* The stretches of [k * length_us, (k + 1) * length_us) that events may be in, ascending; length_us
 * divides a day and is whole hours. 0: no events. The result is the caller's to free. */
size_t replay_stretches(const struct replay *replay, int64_t length_us,
                        struct replay_stretch **stretches);

/* The same as one stretch, from the first hour to the last. False: no events. */
bool replay_span(const struct replay *replay, struct replay_stretch *span);

/* The shortest stretches that windows of all reports fit into. */
int64_t replay_stretch_length(const struct definitions *definitions);

/* Where the events go. */
struct replay_target {
    const char *dir;     /* the state directory, made when missing; it must hold no state */
    const char *node_id; /* NULL: one is made up */
    int64_t future_us;   /* of the state; its horizon is as long as the stretch */
    bool goes_on; /* a server of that name is to go on with it: the store may have its counts */
    const struct definitions *definitions; /* for as many workers as threads; NULL: no reports */
    /* what is known on the way, by any thread; may be NULL */
    void (*progress)(void *cls, uint64_t events, uint64_t bytes);
    void (*damage)(void *cls, const struct eventlog_damage *damage); /* one thread at a time */
    void *cls;
};

struct replay_tally {
    uint64_t counted;  /* with those that are */
    uint64_t late;     /* events that were too late then */
    uint64_t refused;  /* records of events that were not counted, and are not now */
    uint64_t unread;   /* counted, but their bodies cannot be read as they were */
    uint64_t unplaced; /* no window had a place: never, but for a damaged state */
    uint64_t damages;
};

/* Bytes of the log's files that a stretch reads. */
uint64_t replay_bytes(const struct replay *replay, const struct replay_stretch *stretch);

/* Tells the target what cannot be read, so that nobody knows which stretch it is of; once. The
 * tally is added to. replay_run does it as well: this is for a log without stretches. */
void replay_name_damages(struct replay *replay, const struct replay_target *target,
                         struct replay_tally *tally);

/* Counts the events of a stretch of at most a day into the target, whose state is closed when this
 * returns. The tally is added to. False fills why, also when it was stopped. */
bool replay_run(struct replay *replay, const struct replay_stretch *stretch,
                const struct replay_target *target, struct replay_tally *tally,
                char why[REPLAY_WHY_MAX]);

#endif
