/* One event is one transaction over all rows it touches: all of them change, or none.
 *
 *   file    | header | record of worker 0 | of worker 1 | ...       64 KiB each, memory-mapped
 *   record  | state | entries | window | count | (where, old value) (where, old value) ...
 *
 * Before a word of a row changes, its place and its old value are noted here. Who is killed within
 * a transaction leaves it open, and the next start puts the old values back, in reverse. A
 * committed transaction says what the count of the event's 10 ms window is once the event is in
 * the dense rings as well: these are counted in after the commit, and completed by the next start
 * when that is missing. So rows and windows always agree about which events were counted.
 * (PMDK's undo log, pmem.io, without the flushes: the pages belong to the kernel, which outlives
 * the process.)
 *
 * A processor retires stores in program order, so a killed thread has done a prefix of them; the
 * signal fences keep the compiler to the order and cost nothing. */
#ifndef AFORO_COUNTERS_ROWS_UNDO_H
#define AFORO_COUNTERS_ROWS_UNDO_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t word; /* every word of a row has one writer */

#define UNDO_BYTES 65536
#define UNDO_FILE_SHIFT 48 /* `where`: number of the file, then the word's number within it */

struct undo_entry {
    word where;
    word old;
};

/* What the commit says of the dense rings: shard of the state file, 10 ms window (number since the
 * epoch), and the window's count in that shard with this event. */
struct undo_count {
    uint64_t shard, window, count;
};

struct undo_record {
    _Alignas(64) word state; /* 2 n + 1: transaction n is open; 2 n: it is committed */
    word entries;
    word shard, window, count; /* struct undo_count of the last commit */
    struct undo_entry entry[];
};

#define UNDO_ENTRIES_MAX ((UNDO_BYTES - sizeof(struct undo_record)) / sizeof(struct undo_entry))

/* A worker's hold on its record; by its thread alone. */
struct undo {
    struct undo_record *record;
    uint64_t sequence; /* of the transaction that is open, or was committed last */
    uint32_t entries;
};

/* Where the words of a file are, and its number. */
struct undo_file {
    word *base;
    uint64_t tag; /* number of the file << UNDO_FILE_SHIFT */
};

static inline void undo_begin_owner(struct undo *undo) {
    undo->entries = 0;
    atomic_store_explicit(&undo->record->entries, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    undo->sequence++;
    atomic_store_explicit(&undo->record->state, undo->sequence * 2 + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Stores `value` in a word of the file, so that it can be undone. */
static inline void undo_put_owner(struct undo *undo, const struct undo_file *file, word *at,
                                  uint64_t value) {
    struct undo_entry *entry = &undo->record->entry[undo->entries];
    assert(undo->entries < UNDO_ENTRIES_MAX);
    atomic_store_explicit(&entry->where, file->tag | (uint64_t)(at - file->base),
                          memory_order_relaxed);
    atomic_store_explicit(&entry->old, atomic_load_explicit(at, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&undo->record->entries, ++undo->entries, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(at, value, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* A word, and what it is to hold. */
struct undo_change {
    word *at;
    uint64_t value;
};

/* Several words of one file, none twice. The first `marks` of them tell readers that the others are
 * about to change. */
struct undo_changes {
    struct undo_change *change;
    size_t marks, n;
};

/* Stores them all so that they can be undone. All are noted before the first is stored: one count
 * of notes for all of them, and none of the stores has to wait for the next note. */
static inline void undo_put_all_owner(struct undo *undo, const struct undo_file *file,
                                      const struct undo_changes *changes) {
    struct undo_entry *entry = &undo->record->entry[undo->entries];
    const struct undo_change *change = changes->change;
    const size_t marks = changes->marks, n = changes->n;
    /* as in undo_put_owner, with the subtraction done once: words are aligned */
    const uint64_t first = file->tag - (uintptr_t)file->base / sizeof(word);
    assert(n <= UNDO_ENTRIES_MAX - undo->entries);
    /* four at a time: an event has some 25, of which the loops' own steps were a third; 1.5 % of
     * all its instructions (examples/web.yaml) */
#pragma GCC unroll 4
    for (size_t i = 0; i < n; i++) {
        word *at = change[i].at;
        atomic_store_explicit(&entry[i].where, first + (uintptr_t)at / sizeof(word),
                              memory_order_relaxed);
        atomic_store_explicit(&entry[i].old, atomic_load_explicit(at, memory_order_relaxed),
                              memory_order_relaxed);
    }
    atomic_signal_fence(memory_order_seq_cst);
    undo->entries += (uint32_t)n;
    atomic_store_explicit(&undo->record->entries, undo->entries, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    for (size_t i = 0; i < marks; i++) {
        atomic_store_explicit(change[i].at, change[i].value, memory_order_relaxed);
    }
    /* Partner: the acquire fence of read_settled (table_read.c). Who sees one of the words that are
     * stored from here on sees the marks when it looks again. */
    atomic_thread_fence(memory_order_release);
#pragma GCC unroll 4
    for (size_t i = marks; i < n; i++) {
        atomic_store_explicit(change[i].at, change[i].value, memory_order_relaxed);
    }
    atomic_signal_fence(memory_order_seq_cst);
}

/* Release: who reads that this transaction is committed also sees all words it stored. */
static inline void undo_commit_owner(struct undo *undo, const struct undo_count *count) {
    atomic_store_explicit(&undo->record->shard, count->shard, memory_order_relaxed);
    atomic_store_explicit(&undo->record->window, count->window, memory_order_relaxed);
    atomic_store_explicit(&undo->record->count, count->count, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&undo->record->state, undo->sequence * 2, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif
