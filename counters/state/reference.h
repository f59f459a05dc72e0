/* What a state file held at one moment, kept in a file beside it. Private to the library and the
 * flush.
 *
 * A state directory may have two such files.
 *
 * opened.aforo has what the state file held when it was first opened since it last agreed with the
 * store. The store may have more from this node: an older copy of the state file may have been put
 * back. What the store has beyond this comes on top of what is counted since. So the file is on the
 * disk before the first event, stays as it is over any number of restarts, and goes when the store
 * was read back.
 *
 * others-<node>.aforo has what the state file holds that another server reports, under the name
 * that this one had: this one is a copy, which has taken a name of its own. It reports what comes
 * on top of this.
 *
 * What was read back from the store is in neither of them: the read-back shard has it.
 *
 * A file that was copied is told by its inode and its time of birth; where an older copy was
 * written over it, by holding less. */
#ifndef AFORO_COUNTERS_STATE_REFERENCE_H
#define AFORO_COUNTERS_STATE_REFERENCE_H

#include "counters/counters.h"

enum reference { REFERENCE_OPENED, REFERENCE_OTHERS, REFERENCES };

enum reference_kin {
    REFERENCE_NEW, /* nothing of this file was ever in the store */
    /* it had agreed with the store once: what it held then is in the store's part, or was on its
       way there */
    REFERENCE_AGREED,
    /* a copy of a file that was REFERENCE_NEW: which of the two will tell the store of it, nobody
       knows */
    REFERENCE_INHERITED
};

/* A chunk of it: count[slots of that resolution]. */
typedef void reference_each(void *cls, enum resolution r, int64_t chunk, const uint64_t *count);

/* Who takes them. */
struct reference_taker {
    reference_each *each;
    void *cls;
};

/* Which kind of reference there is, into *kin; REFERENCE_NEW when there is none. False fills why
 * (COUNTERS_WHY_MAX): it cannot be read, or is damaged. Before the threads start, and by the owner
 * of the read-back shard. */
bool counters_find_reference(const struct counters *counters, enum reference which,
                             enum reference_kin *kin, char *why);

/* Calls `each` for every chunk of a reference that holds counts; for none when there is no such
 * file. False, why and thread as above. */
bool counters_read_reference(const struct counters *counters, enum reference which,
                             reference_each *each, void *cls, char *why);

/* What a reference is written from: puts the next chunk that holds counts into the arguments, and
 * count[SLOTS_MAX]; false when there is none left. */
typedef bool reference_next(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count);

/* Takes a new name for good (a valid one), and writes its others-<node>.aforo from `next`. What was
 * noted as opened goes. By the owner of the read-back shard. False fills why: the name is the old
 * one, still. */
bool counters_become_copy_owner(struct counters *counters, const char *node, reference_next *next,
                                void *cls, char *why);

/* Is this a copy, which has taken a name of its own? Before the threads start, and by the owner of
 * the read-back shard. */
bool counters_is_copy(const struct counters *counters);

/* The sentence for a file that is REFERENCE_INHERITED, into why. */
void counters_explain_inherited(const struct counters *counters, char *why);

/* ---- for state_file.c ---- */

/* Sees to opened.aforo when the file was opened for writing. False fills why. */
bool reference_open(struct counters *counters, char *why);

/* Writes the others-<node>.aforo that goes with a copy of the file into its directory. False fills
 * why. */
bool reference_copy(const struct counters *counters, const struct counters *copy, char *why);

/* The store was read back: opened.aforo goes. False, errno set. */
bool reference_settle(struct counters *counters);

#endif
