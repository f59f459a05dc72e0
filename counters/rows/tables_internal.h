/* The folder reports/ as this process has it. Private to the room. */
#ifndef AFORO_COUNTERS_ROWS_TABLES_INTERNAL_H
#define AFORO_COUNTERS_ROWS_TABLES_INTERNAL_H

#include "counters/rows/table_file.h"
#include "counters/rows/tables.h"

#include <pthread.h>

#define TABLES_MAX 4096

/* Which writer a worker is; its thread's own. */
struct writer_hold {
    _Atomic unsigned writer; /* stored with the mutex */
    uint32_t looked;         /* tables->asked when it was looked last whether there is room */
    bool stuck, stepped;     /* the clock was set since */
    int64_t now_us;
    int64_t offset_us; /* by so much the clock was set, in sum, since the start */
    int64_t look_us;   /* the clock's time from when on it is to be looked again */
};

/* By which clock a writer has counted what it holds; of whoever holds it, else with the mutex. */
struct writer_past {
    int64_t offset_us; /* the least of the last horizon; of windows up to to_us */
    int64_t to_us;     /* a clock's time */
    int64_t until_us;  /* without steps: when a horizon has passed since; 0: never noted */
};

/* It is written with each event: two workers on one line of the cache would take twice the time. */
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
    struct writer_undo *writer;    /* [TABLE_WRITERS_MOST] each one's, by whoever holds it */
    struct writer_past *past;      /* [TABLE_WRITERS_MOST] */
    pthread_mutex_t mutex;         /* guards who holds whom, and the lengths of files */
    bool held[TABLE_WRITERS_MOST]; /* by a worker; the read-back's is never free */
    _Atomic uint32_t asked;        /* how often a table was asked for that was not before */
    _Atomic size_t count;
    struct table *table[TABLES_MAX];
};

#endif
