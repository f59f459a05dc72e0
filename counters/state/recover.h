/* Decides what to trust of a file's rings when it is opened. Private to the library. Before the
 * threads start. */
#ifndef AFORO_COUNTERS_STATE_RECOVER_H
#define AFORO_COUNTERS_STATE_RECOVER_H

#include "counters/state/state_file.h"

/* Repairs what a crash left half done, adds the number of changed counts to *repaired, and checks
 * every invariant. False fills `why`: the file is damaged. */
bool state_recover(struct counters *counters, enum recovery recovery, uint64_t *repaired,
                   char *why);

/* For a file opened read-only: checks that no shard claims to hold windows of a time that no
 * timestamp can express. False fills `why`. */
bool state_check_spans(const struct counters *counters, char *why);

/* For a file opened read-only: checks every invariant if it was closed cleanly. False fills
 * `why`. */
bool state_check_closed(struct counters *counters, char *why);

#endif
