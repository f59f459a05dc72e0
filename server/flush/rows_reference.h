/* What the rows of a report held at one moment, kept in a file beside its table, as
 * counters/state/reference.h does for the counts. It has only components that are added up; those
 * that join (minima, maxima and the like) need no reference. By the flush thread.
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

/* All zeros is an empty reference. */
struct rows_reference {
    struct rows_bytes record;
    struct rows_bytes at; /* size_t[]: where each record begins */
    const char **sorted;  /* [n] the records; made by rows_reference_sort */
    size_t n;
    bool failed; /* out of memory */
};

void rows_reference_free(struct rows_reference *reference);

/* Names one row. */
struct rows_reference_key {
    int64_t width_us, window;
    const char *key;
    size_t key_len;
};

/* Adds a record of the row: its components that are added up, and its events. */
void rows_reference_add(struct rows_reference *reference, const struct rows_place *place,
                        const struct rows_row *row);

/* To be called after the last addition and before the first search. */
void rows_reference_sort(struct rows_reference *reference);

/* The record of a row; NULL when there is none. The other two return what a record has: its events,
 * and the value of a component, 0 if it has none. */
const char *rows_reference_find(const struct rows_reference *reference,
                                const struct rows_reference_key *key);
uint64_t rows_reference_events(const char *record);
int64_t rows_reference_value(const char *record, const char *component);

/* Writes the file `name` in the folder dir_fd; it is durable on return. False fills why. */
bool rows_reference_save(const struct rows_reference *reference, int dir_fd, const char *name,
                         char why[ROWS_REFERENCE_WHY_MAX]);

/* Reads the file and sorts it. *there: whether the file exists. False fills why: it is damaged or
 * cannot be read. */
bool rows_reference_load(struct rows_reference *reference, int dir_fd, const char *name,
                         bool *there, char why[ROWS_REFERENCE_WHY_MAX]);

/* Removes the file. False, with errno set, when it is still there. */
bool rows_reference_remove(int dir_fd, const char *name);

#endif
