/* The folder reports/ in this process's memory. Private to the room. */
#ifndef AFORO_COUNTERS_ROWS_TABLES_INTERNAL_H
#define AFORO_COUNTERS_ROWS_TABLES_INTERNAL_H

#include "counters/rows/table_file.h"
#include "counters/rows/tables.h"

#include <pthread.h>

#define TABLES_MAX 4096

/* Which writer a worker is. Belongs to the worker's thread. */
struct writer_hold {
    _Atomic unsigned writer; /* stored with the mutex held */
    uint32_t looked;         /* tables->asked when room was last looked for */
    bool stuck, stepped;     /* stepped: the clock was set since then */
    int64_t now_us;
    int64_t offset_us; /* sum of all steps of the clock since the start */
    int64_t look_us;   /* time of the clock from which to look again */
};

/* Which clock a writer's rows were counted by. Belongs to whoever holds the writer, else needs the
 * mutex. */
struct writer_past {
    int64_t offset_us; /* least offset within the last horizon, for windows up to to_us */
    int64_t to_us;     /* time of the clock */
    int64_t until_us;  /* one horizon later, not counting steps; 0: never noted */
};

/* Written with each event. Two workers sharing a cache line would each take twice the time. */
struct writer_undo {
    _Alignas(64) struct undo undo;
};

struct tables {
    int dir_fd;
    char dir[TABLE_PATH_MAX - TABLE_NAME_MAX - TABLE_DIGEST_MAX - 8];
    bool writable;
    struct undo_map undo;
    struct table_span span;
    struct writer_hold *hold;      /* [workers + 1] */
    struct writer_undo *writer;    /* [TABLE_WRITERS_MOST] used by whoever holds the writer */
    struct writer_past *past;      /* [TABLE_WRITERS_MOST] */
    pthread_mutex_t mutex;         /* guards who holds which writer, and the lengths of files */
    bool held[TABLE_WRITERS_MOST]; /* by a worker; the read-back's always is */
    _Atomic uint32_t asked;        /* how often a table was asked for the first time */
    _Atomic size_t count;
    struct table *table[TABLES_MAX];
};

#endif
