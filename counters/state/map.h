/* Disk blocks and mapping of the state file. Private to the library. For the thread that opens the
 * file; after that, with the mutex of struct counters held. */
#ifndef AFORO_COUNTERS_STATE_MAP_H
#define AFORO_COUNTERS_STATE_MAP_H

#include "counters/state/state_file.h"

/* The length in bytes of a file with this header. */
size_t state_count_bytes(const struct state_header *header);

/* Reserves disk space for the first `bytes` bytes of the file. False fills `why`. */
bool state_reserve(const struct counters *counters, size_t bytes, char *why);

/* Maps the file to the length given by counters->header and binds its shards. False fills `why`;
 * even then state_unmap releases what was mapped. */
bool state_map_file(struct counters *counters, char *why);
void state_unmap(struct counters *counters);

/* Makes room for `shards` shards in all and updates counters->header; the caller writes it to the
 * file. On failure fills `why`, and nothing has changed. Before the file is mapped. */
bool state_lengthen(struct counters *counters, uint32_t shards, char *why);

/* Appends an empty shard to the file and publishes it; NULL with errno set on failure. Any thread,
 * with the mutex held. */
struct shard *state_add_shard(struct counters *counters);

#endif
