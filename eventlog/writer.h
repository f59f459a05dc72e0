/* A worker's end of the log. An event is: reserve, put, note, (it is counted), commit; a refused
 * one: reserve, put, commit. All by the worker's thread; no system call, but once a tail.
 *
 * What makes the record and the counts one transaction is told in tail.h. */
#ifndef AFORO_EVENTLOG_WRITER_H
#define AFORO_EVENTLOG_WRITER_H

#include "eventlog/line.h"
#include "eventlog/tail.h"

struct log_shard;

struct eventlog_writer {
    struct log_shard *shard;
    struct tail_trailer *trailer; /* of the tail; NULL: there is none */
    char *base;
    size_t room;    /* of the tail; 0: no more is to go there */
    size_t length;  /* committed, */
    size_t written; /* and with what is not yet */
    uint64_t next;  /* sequence of the next record to be committed */
    uint64_t pending;
    struct line_clock clock;
    _Atomic(struct tail *) tail; /* the log thread looks at it */
    _Atomic uint64_t records, dropped;
    bool refuses;  /* when the disk is full */
    bool left_out; /* numbers before the next one */
};

/* Where the events that are put will be counted: shard of the state file, 10 ms window, and its
 * count with all of them. */
struct eventlog_place {
    uint64_t shard, window, count;
};

/* Another tail, for at least that many bytes; false: there is none. */
bool writer_turn_over(struct eventlog_writer *writer, size_t bytes);

/* Has room for that many bytes of lines, that many records; nothing is put and not committed.
 * False: the disk is full; the records are counted as dropped unless the writer refuses. */
bool writer_is_without(struct eventlog_writer *writer, uint64_t records);

static inline bool eventlog_reserve_owner(struct eventlog_writer *writer, size_t bytes,
                                          uint64_t records) {
    return __builtin_expect(writer->room - writer->written >= bytes, 1) ||
           writer_turn_over(writer, bytes) || writer_is_without(writer, records);
}

/* Puts a line behind the others; room is reserved for line_max. */
static inline void eventlog_put_owner(struct eventlog_writer *writer,
                                      const struct line_event *event) {
    writer->written += line_write(&writer->clock, event, writer->base + writer->written);
    writer->pending++;
}

/* The same of a time alone: LINE_TIME_MAX. */
static inline void eventlog_put_time_owner(struct eventlog_writer *writer, int64_t time_us,
                                           int64_t arrival_us) {
    writer->written +=
        line_write_time(&writer->clock, time_us, arrival_us, writer->base + writer->written);
    writer->pending++;
}

/* Says what the counts will be, before they change. */
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

/* Release: who reads the length sees the lines. */
static inline void eventlog_commit_owner(struct eventlog_writer *writer) {
    atomic_signal_fence(memory_order_seq_cst); /* the counts have it */
    atomic_store_explicit(&writer->trailer->length, writer->written, memory_order_release);
    writer->length = writer->written;
    writer->next += writer->pending;
    atomic_store_explicit(&writer->records,
                          atomic_load_explicit(&writer->records, memory_order_relaxed) +
                              writer->pending,
                          memory_order_relaxed);
    writer->pending = 0;
}

/* Takes back what was put. */
static inline void eventlog_discard_owner(struct eventlog_writer *writer) {
    writer->written = writer->length;
    writer->pending = 0;
}

#endif
