/* What a state file held at one moment, kept in a file beside it. Private to the library and the
 * flush.
 *
 * Two such files there may be in a state directory:
 *
 *   opened.aforo   what the file held when this copy of it was first opened since it last agreed
 *                  with the store. The store may have more from this node (an older copy of the
 *                  file was put back): what it has beyond this comes on top of what is counted
 *                  since. So it is written, and on the disk, before the first event, stays as it
 *                  is over any number of restarts, and goes when the store was read back.
 *   others-<node>.aforo
 *                  what the file holds that another server reports, under the name that this one
 *                  had: this one is a copy, which has taken a name of its own. It reports what
 *                  comes on top of this.
 *
 * What was read back from the store is in neither of them: the read-back shard has it.
 *
 * A file that was copied is another one: it is told by its inode and its time of birth, and, where
 * an older copy was written over it, by holding less. */
#ifndef AFORO_COUNTERS_REFERENCE_H
#define AFORO_COUNTERS_REFERENCE_H

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

/* Calls `each`, when not NULL, for every chunk of it that holds counts; *kin, when not NULL, says
 * what it was. True, and nothing is called, when there is no such file; false fills why
 * (COUNTERS_WHY_MAX) when it cannot be read or is damaged. Before the threads start, and by the
 * owner of the read-back shard. */
bool counters_reference(const struct counters *counters, enum reference which, reference_each *each,
                        void *cls, enum reference_kin *kin, char *why);

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
