/* The file of the undo records, reports/undo.aforo. Private to the room.
 *
 *   file | header, one page | record of worker 0 | of worker 1 | ...     64 KiB each */
#ifndef AFORO_COUNTERS_ROWS_UNDO_FILE_H
#define AFORO_COUNTERS_ROWS_UNDO_FILE_H

#include "counters/rows/undo.h"
#include "counters/state/state_file.h"

#define UNDO_FILE_NAME "undo.aforo"
#define UNDO_VERSION 1
#define UNDO_HEADER_BYTES 4096

/* All fields before `checksum` are covered by it. */
struct undo_header {
    char magic[8];
    uint32_t version;
    uint32_t records;
    char boot[BOOT_ID_MAX]; /* the machine's boot in which it was last open for writing */
    uint64_t clean;         /* 1: closed cleanly, no transaction is open */
    uint64_t checksum;
};

#define UNDO_RECORDS_MOST COUNTERS_SHARDS_MOST

struct undo_map {
    int fd;
    unsigned char *map;
    size_t map_bytes;
    uint32_t mapped; /* records in `map`; each one added later has a mapping of its own */
    char path[320];
    struct undo_header header;
    bool fresh; /* the file is new: earlier transactions are unknown */
    _Atomic uint32_t records;
    struct undo_record *record[UNDO_RECORDS_MOST]; /* [records] */
};

static inline struct undo_record *undo_record_at(const struct undo_map *undo, unsigned worker) {
    return undo->record[worker];
}

/* The newest committed transaction of a worker. Acquire: the caller also sees all words that it
 * stored (partner: undo_commit_owner). A worker without a record has nothing open: UINT64_MAX. */
static inline uint64_t undo_committed(const struct undo_map *undo, unsigned worker) {
    if (worker >= atomic_load_explicit(&undo->records, memory_order_acquire)) {
        return UINT64_MAX;
    }
    const uint64_t state =
        atomic_load_explicit(&undo_record_at(undo, worker)->state, memory_order_acquire);
    return state % 2 ? state / 2 - 1 : state / 2;
}

/* Opens the file in the folder dir_fd, which messages call `dir`, or creates it when it is missing;
 * appends records until there are `records`. False fills `why`. */
bool undo_open_file(struct undo_map *undo, int dir_fd, const char *dir, uint32_t records,
                    char *why);
bool undo_open_file_readonly(struct undo_map *undo, int dir_fd, const char *dir, char *why);
void undo_close_file(struct undo_map *undo);

/* Appends a record while others are in use; its last transaction becomes number `sequence`. False
 * fills `why`, and nothing has changed. One thread at a time. */
bool undo_add_record(struct undo_map *undo, uint64_t sequence, char *why);

/* Writes all records to disk (msync). False with errno set on failure. */
bool undo_sync(const struct undo_map *undo);

/* Writes undo->header with its checksum to the file. False fills `why`. */
bool undo_write_header(struct undo_map *undo, char *why);

/* Finds the words of the file with a given number and stores how many there are in *words; NULL
 * when there is no such file. */
struct undo_places {
    word *(*find)(void *cls, uint64_t number, uint64_t *words);
    void *cls;
};

/* Restores what an open transaction of a worker changed. True when one was open. */
bool undo_roll_back(struct undo_record *record, const struct undo_places *places);

#endif
