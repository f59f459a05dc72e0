/* One event is one transaction over all rows it touches: all of them change, or none does.
 *
 *   file    | header | record of worker 0 | of worker 1 | ...       64 KiB each, memory-mapped
 *   record  | state | entries | window | count | (where, old value) (where, old value) ...
 *
 * Before a word of a row changes, its place and its old value are noted here. A process killed
 * within a transaction leaves it open, and the next start restores the old values in reverse order.
 * A commit also records what the count of the event's 10 ms window will be once the event is in the
 * dense rings too. Those are counted after the commit, and the next start completes them when that
 * did not happen. So rows and windows always agree about which events were counted. (This is PMDK's
 * undo log, pmem.io, without the flushes: the pages belong to the kernel, which outlives the
 * process.)
 *
 * A processor retires stores in program order, so a killed thread has executed a prefix of them.
 * The signal fences keep the compiler to that order and cost nothing. */
#ifndef AFORO_COUNTERS_ROWS_UNDO_H
#define AFORO_COUNTERS_ROWS_UNDO_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t word; /* every word of a row has one writer */

#define UNDO_BYTES 65536
#define UNDO_FILE_SHIFT 48 /* in `where`: number of the file, then of the word in it */

struct undo_entry {
    word where;
    word old;
};

/* What a commit records about the dense rings: shard of the state file, 10 ms window (its number
 * since the epoch), and the window's count in that shard including this event. */
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

/* A worker's hold on its record; used by its thread only. */
struct undo {
    struct undo_record *record;
    uint64_t sequence; /* the open transaction, or the last committed one */
    uint32_t entries;
};

/* Where the words of a file are, and the file's number. */
struct undo_file {
    word *base;
    uint64_t tag; /* number of the file << UNDO_FILE_SHIFT */
};

/* Opens a transaction. None may be open. */
static inline void undo_begin_owner(struct undo *undo) {
    undo->entries = 0;
    atomic_store_explicit(&undo->record->entries, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    undo->sequence++;
    atomic_store_explicit(&undo->record->state, undo->sequence * 2 + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Stores `value` in a word of the file after noting the old value. */
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

/* Undo notes written before the first of their words is stored. One update of the record's entry
 * count covers them all, so that no store has to wait for the next note. Notes have no effect until
 * they are counted: a caller that finds nothing to change just drops them. */
struct undo_notes {
    struct undo_entry *next;
    uint64_t first; /* `where` of a word is its address in words plus this */
};

/* `most`: an upper bound on the number of words noted. */
static inline struct undo_notes undo_notes_begin_owner(const struct undo *undo,
                                                       const struct undo_file *file, size_t most) {
    assert(most <= UNDO_ENTRIES_MAX - undo->entries);
    /* as in undo_put_owner, with the subtraction done once: words are aligned */
    return (struct undo_notes){&undo->record->entry[undo->entries],
                               file->tag - (uintptr_t)file->base / sizeof(word)};
}

/* Notes words[i] and returns its value. */
static inline uint64_t undo_note_word_owner(struct undo_notes *notes, const word *words, size_t i) {
    const uint64_t old = atomic_load_explicit(&words[i], memory_order_relaxed);
    atomic_store_explicit(&notes->next->where, notes->first + (uintptr_t)words / sizeof(word) + i,
                          memory_order_relaxed);
    atomic_store_explicit(&notes->next->old, old, memory_order_relaxed);
    notes->next++;
    return old;
}

/* Notes one word. */
static inline void undo_note_owner(struct undo_notes *notes, const word *at) {
    undo_note_word_owner(notes, at, 0);
}

/* Counts the notes; from here on their words may be stored. */
static inline void undo_notes_end_owner(struct undo *undo, const struct undo_notes *notes) {
    atomic_signal_fence(memory_order_seq_cst);
    undo->entries = (uint32_t)(notes->next - undo->record->entry);
    atomic_store_explicit(&undo->record->entries, undo->entries, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* A word and its new value. */
struct undo_change {
    word *at;
    uint64_t value;
};

/* Changes to several words of one file, none of them twice. */
struct undo_changes {
    struct undo_change *change;
    size_t n;
};

/* Notes all words of the changes. */
static inline void undo_note_changes_owner(struct undo_notes *notes,
                                           const struct undo_changes *changes) {
    const struct undo_change *const end = changes->change + changes->n;
    for (const struct undo_change *change = changes->change; change < end; change++) {
        undo_note_owner(notes, change->at);
    }
}

/* Stores the new values; all of the words must be noted and counted. */
static inline void undo_store_changes_owner(const struct undo_changes *changes) {
    const struct undo_change *const end = changes->change + changes->n;
    for (const struct undo_change *change = changes->change; change < end; change++) {
        atomic_store_explicit(change->at, change->value, memory_order_relaxed);
    }
    atomic_signal_fence(memory_order_seq_cst);
}

/* Notes and stores them all. */
static inline void undo_put_all_owner(struct undo *undo, const struct undo_file *file,
                                      const struct undo_changes *changes) {
    struct undo_notes notes = undo_notes_begin_owner(undo, file, changes->n);
    undo_note_changes_owner(&notes, changes);
    undo_notes_end_owner(undo, &notes);
    undo_store_changes_owner(changes);
}

/* Release: a reader that sees this transaction committed also sees all words it stored. */
static inline void undo_commit_owner(struct undo *undo, const struct undo_count *count) {
    atomic_store_explicit(&undo->record->shard, count->shard, memory_order_relaxed);
    atomic_store_explicit(&undo->record->window, count->window, memory_order_relaxed);
    atomic_store_explicit(&undo->record->count, count->count, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&undo->record->state, undo->sequence * 2, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif
