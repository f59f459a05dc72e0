/* The header of the state file. Private to the library. By the thread that opens the file; later
 * with its mutex. */
#ifndef AFORO_COUNTERS_STATE_HEADER_H
#define AFORO_COUNTERS_STATE_HEADER_H

#include "counters/state/state_file.h"

/* Whether the numbers of a configuration are within their bounds. False fills why
 * (COUNTERS_WHY_MAX), as all below do. */
bool state_config_is_valid(const struct counters_config *config, char *why);

/* Fills counters->header for a new file. */
bool state_make_header(struct counters *counters, const struct counters_config *config, char *why);

/* Reads the header of an existing file into counters->header and checks it: is the file ours,
 * whole, of this version, and as long as the header says? */
bool state_read_header(struct counters *counters, char *why);

/* Whether the header that was read is what the configuration asks for: horizon, future, rings and
 * node. */
bool state_check_header(const struct counters *counters, const struct counters_config *config,
                        char *why);

/* Writes counters->header, with its check sum, to the file. */
bool state_write_header(struct counters *counters, char *why);

/* What `checksum` has to be. Pure. */
uint64_t state_checksum_header(const struct state_header *header);

/* The name of the machine's present boot, NUL-terminated; empty when the system does not tell. */
void state_read_boot_id(char boot[BOOT_ID_MAX]);

#endif
