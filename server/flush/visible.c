#include "server/flush/visible.h"

#include "server/flush/internal.h"
#include "server/process/clock.h"

/* with more than MANY notes of one worker between two passes, it is to note half as many; with
 * fewer than FEW, twice as many */
#define MANY 64
#define FEW 16
#define MASK_MAX 1023
#define SPAN_US (30 * US_PER_S)

void visible_add_owner(struct visible_queue *queue, int64_t arrived_us, int64_t event_us) {
    const uint32_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    /* acquire pairs with the release in take_queue: the slot was read before it is overwritten */
    if (head - atomic_load_explicit(&queue->tail, memory_order_acquire) < VISIBLE_SLOTS) {
        queue->event[head % VISIBLE_SLOTS] = (struct visible_event){arrived_us, event_us};
        /* release pairs with the acquire in take_queue: whoever sees the note sees the event
         * counted */
        atomic_store_explicit(&queue->head, head + 1, memory_order_release);
    }
}

/* The store was away for long: every second one of those that wait is enough. */
static void thin_out(struct visible *visible) {
    unsigned kept = 0;
    for (unsigned i = 0; i < visible->waiting; i += 2) {
        visible->wait[kept++] = visible->wait[i];
    }
    visible->waiting = kept;
}

static void take_event(struct flush *flush, const struct visible_event *event) {
    struct visible *visible = &flush->visible;
    if (visible->waiting == VISIBLE_WAITING_MAX) {
        thin_out(visible);
    }
    struct visible_waiting *wait = &visible->wait[visible->waiting];
    wait->arrived_us = event->arrived_us;
    for (int r = 0; r < RESOLUTIONS; r++) {
        const enum resolution resolution = (enum resolution)r;
        wait->chunk[r] = window_chunk(resolution, window_at(resolution, event->event_us));
        wait->total[r] =
            counters_chunk_total_rest(flush->config.counters, resolution, wait->chunk[r]);
    }
    visible->waiting += wait->total[0] > 0;
}

static void take_queue(struct flush *flush, struct visible_queue *queue) {
    const uint32_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
    const uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    const uint32_t mask = atomic_load_explicit(&queue->mask, memory_order_relaxed);
    for (uint32_t i = tail; i != head; i++) {
        take_event(flush, &queue->event[i % VISIBLE_SLOTS]);
    }
    atomic_store_explicit(&queue->tail, head, memory_order_release);
    if (head - tail > MANY && mask < MASK_MAX) {
        atomic_store_explicit(&queue->mask, mask * 2 + 1, memory_order_relaxed);
    } else if (head - tail < FEW && mask > 0) {
        atomic_store_explicit(&queue->mask, mask / 2, memory_order_relaxed);
    }
}

void visible_take(struct flush *flush) {
    for (unsigned i = 0; i < flush->visible.queues; i++) {
        take_queue(flush, &flush->visible.queue[i]);
    }
}

void visible_turn(struct visible_recent *recent, const struct durations_total *seen,
                  int64_t steady_us) {
    if (!recent->begun_us || steady_us - recent->begun_us >= SPAN_US) {
        recent->before[0] = recent->begun_us ? recent->before[1] : *seen;
        recent->before[1] = *seen;
        recent->begun_us = steady_us;
    }
}

static bool is_acknowledged(const struct flush *flush, const struct visible_waiting *wait) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_chunk *known =
            known_find(&flush->known, (enum resolution)r, wait->chunk[r]);
        if (!known || known->generation != flush->known.generation ||
            known->total < wait->total[r]) {
            return false;
        }
    }
    return true;
}

void visible_settle(struct flush *flush, struct durations_total *seen) {
    struct visible *visible = &flush->visible;
    const int64_t now_us = clock_steady_us();
    unsigned kept = 0;
    for (unsigned i = 0; i < visible->waiting; i++) {
        const struct visible_waiting *wait = &visible->wait[i];
        const int64_t took_us = now_us - wait->arrived_us;
        if (is_acknowledged(flush, wait)) {
            durations_note(seen, took_us > 0 ? (uint64_t)took_us : 0);
        } else if (took_us < counters_horizon_us(flush->config.counters)) {
            visible->wait[kept++] = *wait;
        }
    }
    visible->waiting = kept;
}
