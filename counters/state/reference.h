/* A reference: what a state file held at one moment, kept in a file beside it. Private to the
 * library and the flush. A state directory may have two of them.
 *
 * opened.aforo has what the state file held when it was first opened after it last agreed with the
 * store. The store may hold more from this node, because an older copy of the state file may have
 * been restored. What the store holds beyond the reference is added to what has been counted since.
 * So the file is on disk before the first event is counted, stays as it is across restarts, and is
 * deleted once the store was read back.
 *
 * others-<node>.aforo has what the state file holds that another server reports under the name this
 * node had before: this one is a copy that took a name of its own. It reports only what it counts
 * beyond this.
 *
 * What was read back from the store is in neither of them: the read-back shard has it.
 *
 * A copied file is recognized by its inode and birth time; an older copy written over the file, by
 * its holding less. */
#ifndef AFORO_COUNTERS_STATE_REFERENCE_H
#define AFORO_COUNTERS_STATE_REFERENCE_H

#include "counters/counters.h"

enum reference { REFERENCE_OPENED, REFERENCE_OTHERS, REFERENCES };

enum reference_kin {
    REFERENCE_NEW, /* nothing of this file was ever in the store */
    /* it once agreed with the store: what it held then is part of the store's counts, or was about
     * to be */
    REFERENCE_AGREED,
    /* a copy of a file that was REFERENCE_NEW: either of the two may send its counts to the
     * store */
    REFERENCE_INHERITED
};

/* Receives one chunk: count[slots of that resolution]. */
typedef void reference_each(void *cls, enum resolution r, int64_t chunk, const uint64_t *count);

/* A callback for chunks, with its argument. */
struct reference_taker {
    reference_each *each;
    void *cls;
};

/* Stores the kind of an existing reference in *kin, or REFERENCE_NEW when there is none. False
 * fills `why` (COUNTERS_WHY_MAX): it is unreadable or damaged. Before the threads start, and by the
 * owner of the read-back shard. */
bool counters_find_reference(const struct counters *counters, enum reference which,
                             enum reference_kin *kin, char *why);

/* Calls `each` for every chunk of a reference that holds counts; not at all when there is no such
 * file. Failure and threads as above. */
bool counters_read_reference(const struct counters *counters, enum reference which,
                             reference_each *each, void *cls, char *why);

/* The source that a reference is written from: stores the next chunk that holds counts in the
 * arguments and in count[SLOTS_MAX]; false when none is left. */
typedef bool reference_next(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count);

/* Takes a new, valid name for good, writes its others-<node>.aforo from `next`, and deletes
 * opened.aforo. By the owner of the read-back shard. False fills `why`: the old name is still in
 * force. */
bool counters_become_copy_owner(struct counters *counters, const char *node, reference_next *next,
                                void *cls, char *why);

/* Whether this is a copy that took a name of its own. Before the threads start, and by the owner of
 * the read-back shard. */
bool counters_is_copy(const struct counters *counters);

/* Writes the message for a file that is REFERENCE_INHERITED to `why`. */
void counters_explain_inherited(const struct counters *counters, char *why);

/* ---- for state_file.c ---- */

/* Creates or checks opened.aforo when the file was opened for writing. False fills `why`. */
bool reference_open(struct counters *counters, char *why);

/* Writes the others-<node>.aforo that belongs to a copy of the file into the copy's directory.
 * False fills `why`. */
bool reference_copy(const struct counters *counters, const struct counters *copy, char *why);

/* The store was read back: deletes opened.aforo. False with errno set on failure. */
bool reference_settle(struct counters *counters);

#endif
