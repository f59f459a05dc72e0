/* A reference as bytes on the disk. Private to the library; what references are for: reference.h.
 */
#ifndef AFORO_COUNTERS_STATE_REFERENCE_FILE_H
#define AFORO_COUNTERS_STATE_REFERENCE_FILE_H

#include "counters/state/reference.h"
#include "counters/state/state_file.h"

#define REFERENCE_NAME_MAX (COUNTERS_NODE_MAX + 24) /* bytes of a file's name, with its NUL */
#define REFERENCE_PATH_MAX 400

struct reference_header {
    char magic[8];
    uint32_t version;
    uint32_t which; /* enum reference */
    uint64_t kin;   /* enum reference_kin */
    uint64_t inode;
    int64_t birth_ns; /* 0 where the file system does not know */
    char node[COUNTERS_NODE_MAX];
};

/* The header of a reference of that kind for `node`; no state file is named in it. */
struct reference_header reference_make_header(enum reference which, enum reference_kin kin,
                                              const char *node);

/* Notes in *header which file the state file is. False, errno set. */
bool reference_identify(const struct counters *counters, struct reference_header *header);

/* The file's name, NUL-terminated; returns `name`. What others report is a file for each name that
 * this node has had, so that a crash while it takes a new one leaves the old one's as it was. */
const char *reference_name(enum reference which, const char *node, char name[REFERENCE_NAME_MAX]);

/* The path of a reference of the present name, for messages; returns `path`. */
const char *reference_path(const struct counters *counters, enum reference which,
                           char path[REFERENCE_PATH_MAX]);

/* Writes the reference that *header names from `next`, under another name until it is whole. False
 * fills why. */
bool reference_write(const struct counters *counters, const struct reference_header *header,
                     reference_next *next, void *cls, char *why);

/* Reads and checks a reference, and gives its chunks to `taker` unless that is NULL. *header is
 * zeroed, and the answer true, when there is no such file. False fills why: it cannot be read, or
 * is damaged. */
bool reference_read(const struct counters *counters, enum reference which,
                    struct reference_header *header, const struct reference_taker *taker,
                    char *why);

/* All bytes of a reference's file, *n of them; the caller frees them. NULL, errno set (0: it is too
 * short, or changed meanwhile). */
unsigned char *reference_load(const struct counters *counters, enum reference which, size_t *n);

#endif
