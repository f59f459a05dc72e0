/* What the rows of a report held at one moment, kept in a file beside its table: as
 * counters/state/reference.h for the dense windows. Only what is added up is in it; what joins
 * needs no reference. By the flush thread.
 *
 *   file     magic (8)  bytes of the records (8)  records  checksum (8)
 *   record   bytes (4)  width (8)  window (8)  events (8)  length of key (2)  components (2)  key
 *            for each: rule (1)  length of name (1)  value (8)  name */
#ifndef AFORO_SERVER_FLUSH_ROWS_REFERENCE_H
#define AFORO_SERVER_FLUSH_ROWS_REFERENCE_H

#include "redis/rows_pack.h"

#include <stdbool.h>

#define ROWS_REFERENCE_WHY_MAX 256
#define ROWS_REFERENCE_NAME_MAX 256

/* All zeros is an empty one. */
struct rows_reference {
    struct rows_bytes record;
    struct rows_bytes at; /* size_t[]: where each record begins */
    const char **sorted;  /* [n] the records; made by rows_reference_sort */
    size_t n;
    bool failed; /* out of memory */
};

void rows_reference_free(struct rows_reference *reference);

/* Which row is meant. */
struct rows_reference_key {
    int64_t width_us, window;
    const char *key;
    size_t key_len;
};

/* Notes what is added up of a row: its components, and its events. */
void rows_reference_add(struct rows_reference *reference, const struct rows_place *place,
                        const struct rows_row *row);

/* Before anything is looked for, and when nothing is to be added any more. */
void rows_reference_sort(struct rows_reference *reference);

/* The record of a row; NULL when there is none. And what it has of a component, 0 when nothing. */
const char *rows_reference_find(const struct rows_reference *reference,
                                const struct rows_reference_key *key);
uint64_t rows_reference_events(const char *record);
int64_t rows_reference_value(const char *record, const char *component);

/* The file `name` in the folder dir_fd; durable when it returns. False fills why. */
bool rows_reference_save(const struct rows_reference *reference, int dir_fd, const char *name,
                         char why[ROWS_REFERENCE_WHY_MAX]);

/* Reads and sorts it. *there: there was one. False fills why: damaged, or cannot be read. */
bool rows_reference_load(struct rows_reference *reference, int dir_fd, const char *name,
                         bool *there, char why[ROWS_REFERENCE_WHY_MAX]);

/* False, errno set, when it is still there. */
bool rows_reference_remove(int dir_fd, const char *name);

#endif
