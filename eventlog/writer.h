/* A worker's end of the log. For an event that is counted: reserve, put, note, (count it), commit;
 * for a refused one: reserve, put, commit. Everything runs in the worker's thread; no system call
 * except once per tail.
 *
 * tail.h explains how record and counts become one transaction. */
#ifndef AFORO_EVENTLOG_WRITER_H
#define AFORO_EVENTLOG_WRITER_H

#include "eventlog/line.h"
#include "eventlog/tail.h"

struct log_shard;

struct eventlog_writer {
    struct log_shard *shard;
    struct tail_trailer *trailer; /* of the tail; NULL: there is none */
    char *base;
    size_t room;    /* of the tail; 0: it takes no more */
    size_t length;  /* committed */
    size_t written; /* including what is not committed yet */
    uint64_t next;  /* sequence of the next record to commit */
    uint64_t pending;
    struct line_clock clock;
    _Atomic(struct tail *) tail; /* the log thread reads it */
    _Atomic uint64_t records, dropped;
    bool refuses;  /* refuses events when the disk is full */
    bool left_out; /* sequences before the next one were skipped */
};

/* Where the events that were put will be counted: shard of the state file, 10 ms window, and the
 * window's count with all of them. */
struct eventlog_place {
    uint64_t shard, window, count;
};

/* Starts another tail with room for at least `bytes`; false when there is none. */
bool writer_turn_over(struct eventlog_writer *writer, size_t bytes);

/* There is no room: counts the records as dropped and skips their numbers, unless the writer
 * refuses. Always false. */
bool writer_is_without(struct eventlog_writer *writer, uint64_t records);

/* Makes sure that there is room for `bytes` bytes of lines, `records` records; no put may be
 * pending. False when the disk is full or that is more than a tail holds; the records are then
 * counted as dropped, unless the writer refuses. */
static inline bool eventlog_reserve_owner(struct eventlog_writer *writer, size_t bytes,
                                          uint64_t records) {
    return __builtin_expect(writer->room - writer->written >= bytes, 1) ||
           writer_turn_over(writer, bytes) || writer_is_without(writer, records);
}

/* Appends a line without committing it; line_max bytes must have been reserved. */
static inline void eventlog_put_owner(struct eventlog_writer *writer,
                                      const struct line_event *event) {
    writer->written += line_write(&writer->clock, event, writer->base + writer->written);
    writer->pending++;
}

/* The same for an event that is a time alone; LINE_TIME_MAX bytes must have been reserved. */
static inline void eventlog_put_time_owner(struct eventlog_writer *writer, int64_t time_us,
                                           int64_t arrival_us) {
    writer->written +=
        line_write_time(&writer->clock, time_us, arrival_us, writer->base + writer->written);
    writer->pending++;
}

/* Records what the counts will be, before they change. */
static inline void eventlog_note_owner(struct eventlog_writer *writer,
                                       const struct eventlog_place *place) {
    struct tail_note *note = &writer->trailer->note;
    atomic_signal_fence(memory_order_seq_cst); /* the lines are there */
    atomic_store_explicit(&note->end, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&note->shard, place->shard, memory_order_relaxed);
    atomic_store_explicit(&note->window, place->window, memory_order_relaxed);
    atomic_store_explicit(&note->count, place->count, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&note->end, writer->written, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Release: a reader that sees the length sees the lines. */
static inline void eventlog_commit_owner(struct eventlog_writer *writer) {
    atomic_signal_fence(memory_order_seq_cst); /* the events are counted */
    atomic_store_explicit(&writer->trailer->length, writer->written, memory_order_release);
    writer->length = writer->written;
    writer->next += writer->pending;
    atomic_store_explicit(&writer->records,
                          atomic_load_explicit(&writer->records, memory_order_relaxed) +
                              writer->pending,
                          memory_order_relaxed);
    writer->pending = 0;
}

/* Drops what was put and not committed. */
static inline void eventlog_discard_owner(struct eventlog_writer *writer) {
    writer->written = writer->length;
    writer->pending = 0;
}

#endif
