#include "eventlog/internal.h"

static void leave_tail(struct eventlog_writer *writer) {
    struct tail *tail = atomic_load_explicit(&writer->tail, memory_order_relaxed);
    if (tail) {
        atomic_store_explicit(&writer->tail, NULL, memory_order_release);
        writer->trailer = NULL;
        writer->room = writer->length = writer->written = 0;
        log_hand_off(writer->shard, tail);
    }
}

/* Takes a tail that the log thread has prepared, or makes one. A prepared one is left in `prepared`
 * until it has its name, because the log thread makes the next one under the same temporary
 * name. */
static struct tail *find_tail(struct log_shard *shard, const char **temporary) {
    struct tail *tail = atomic_load_explicit(&shard->prepared, memory_order_acquire);
    *temporary = tail ? LOG_PREPARED : LOG_MADE;
    if (tail || atomic_load_explicit(&shard->starved, memory_order_acquire)) {
        return tail;
    }
    const struct tail_owner owner = {shard->dir_fd, shard->log->node, shard->number};
    return tail_make(&owner, LOG_MADE, shard->log->config.tail_bytes);
}

/* Returns a tail with its name; NULL: from now on only the log thread tries. */
static struct tail *take_tail(struct log_shard *shard, uint64_t first) {
    const char *temporary;
    struct tail *tail = find_tail(shard, &temporary);
    const bool is_prepared =
        tail && tail == atomic_load_explicit(&shard->prepared, memory_order_relaxed);
    if (tail && !tail_begin(tail, shard->dir_fd, temporary, first)) {
        if (!is_prepared) {
            tail_free(tail);
        }
        tail = NULL;
    }
    if (tail && is_prepared) {
        atomic_store_explicit(&shard->prepared, NULL, memory_order_release);
    }
    if (!tail) {
        atomic_store_explicit(&shard->starved, true, memory_order_release);
    }
    return tail;
}

bool writer_turn_over(struct eventlog_writer *writer, size_t bytes) {
    struct tail *tail = bytes > writer->shard->log->config.tail_bytes
                            ? NULL
                            : take_tail(writer->shard, writer->next);
    if (!tail) {
        return false;
    }
    leave_tail(writer);
    writer->trailer = tail->trailer;
    writer->base = tail->base;
    writer->room = tail->room;
    writer->length = writer->written = 0;
    writer->left_out = false;
    atomic_store_explicit(&writer->tail, tail, memory_order_release);
    return true;
}

bool writer_is_without(struct eventlog_writer *writer, uint64_t records) {
    if (!writer->refuses) {
        /* Skip their numbers, so that it shows which are missing; later records go to another
         * file. */
        writer->next += records;
        writer->left_out = true;
        writer->room = writer->written;
        atomic_store_explicit(&writer->dropped,
                              atomic_load_explicit(&writer->dropped, memory_order_relaxed) +
                                  records,
                              memory_order_relaxed);
    }
    return false;
}
