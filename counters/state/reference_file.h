/* How a reference is stored on disk. Private to the library; what references are for:
 * reference.h. */
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
    int64_t birth_ns; /* 0 where the file system does not record it */
    char node[COUNTERS_NODE_MAX];
};

/* The header of such a reference for `node`; it does not identify a state file yet. */
struct reference_header reference_make_header(enum reference which, enum reference_kin kin,
                                              const char *node);

/* Stores the identity of the state file in *header. False with errno set on failure. */
bool reference_identify(const struct counters *counters, struct reference_header *header);

/* The file's name, NUL-terminated; returns `name`. There is an others-<node>.aforo for each name
 * that this node has had, so that a crash while it takes a new name leaves the old one's file
 * intact. */
const char *reference_name(enum reference which, const char *node, char name[REFERENCE_NAME_MAX]);

/* The path of a reference under the node's present name, for messages; returns `path`. */
const char *reference_path(const struct counters *counters, enum reference which,
                           char path[REFERENCE_PATH_MAX]);

/* Writes the reference that *header describes from `next`, under a temporary name until it is
 * complete. False fills `why`. */
bool reference_write(const struct counters *counters, const struct reference_header *header,
                     reference_next *next, void *cls, char *why);

/* Reads and checks a reference and passes its chunks to `taker`, unless that is NULL. When there is
 * no such file, returns true with *header zeroed. False fills `why`: it is unreadable or
 * damaged. */
bool reference_read(const struct counters *counters, enum reference which,
                    struct reference_header *header, const struct reference_taker *taker,
                    char *why);

/* Reads a reference's file into memory, *n bytes; the caller frees it. NULL with errno set (0: the
 * file is too short, or changed meanwhile). */
unsigned char *reference_load(const struct counters *counters, enum reference which, size_t *n);

#endif
