/* The blocks and the mapping of the state file. Private to the library. By the thread that opens
 * the file; later with its mutex. */
#ifndef AFORO_COUNTERS_STATE_MAP_H
#define AFORO_COUNTERS_STATE_MAP_H

#include "counters/state/state_file.h"

/* How long a file of this header is, in bytes. */
size_t state_count_bytes(const struct state_header *header);

/* Reserves the first `bytes` bytes of the file on the disk. False fills why. */
bool state_reserve(const struct counters *counters, size_t bytes, char *why);

/* Maps the file as long as counters->header says, and binds its shards. False fills why; what is
 * mapped goes with state_unmap. */
bool state_map_file(struct counters *counters, char *why);
void state_unmap(struct counters *counters);

/* Makes room for so many shards in all, and says so in counters->header; the header in the file
 * still has to be told. On failure, why filled, nothing has changed. Before the file is mapped. */
bool state_lengthen(struct counters *counters, uint32_t shards, char *why);

/* Appends an empty shard to the file and publishes it; NULL, errno set, when that cannot be. With
 * the mutex, by any thread. */
struct shard *state_add_shard(struct counters *counters);

#endif
