/* The header of the state file. Private to the library. For the thread that opens the file; after
 * that, with the mutex of struct counters held. */
#ifndef AFORO_COUNTERS_STATE_HEADER_H
#define AFORO_COUNTERS_STATE_HEADER_H

#include "counters/state/state_file.h"

/* Whether the values of a configuration are within their bounds. False fills `why`
 * (COUNTERS_WHY_MAX), as do all functions below. */
bool state_config_is_valid(const struct counters_config *config, char *why);

/* Fills counters->header for a new file. */
bool state_make_header(struct counters *counters, const struct counters_config *config, char *why);

/* Reads the header of an existing file into counters->header and checks that the file is an aforo
 * state file, complete, of this version, and of the length that the header states. */
bool state_read_header(struct counters *counters, char *why);

/* Whether the header just read matches the configuration: horizon, future, rings and node. */
bool state_check_header(const struct counters *counters, const struct counters_config *config,
                        char *why);

/* Writes counters->header with its checksum to the file. */
bool state_write_header(struct counters *counters, char *why);

/* What `checksum` must be. Pure. */
uint64_t state_checksum_header(const struct state_header *header);

/* The id of the machine's current boot, NUL-terminated; empty when the system does not provide
 * one. */
void state_read_boot_id(char boot[BOOT_ID_MAX]);

#endif
