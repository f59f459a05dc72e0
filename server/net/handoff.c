#include "server/net/handoff.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* Marks the inbox of a worker that takes no more. */
static struct pending shut;

bool handoff_open(struct handoff *handoff, _Atomic uint64_t *connections) {
    handoff->connections = connections;
    atomic_store_explicit(&handoff->inbox, NULL, memory_order_relaxed);
    handoff->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return handoff->event_fd >= 0;
}

void handoff_close(struct handoff *handoff) {
    if (handoff->event_fd >= 0) {
        close(handoff->event_fd);
        handoff->event_fd = -1;
    }
}

struct handoff *handoff_choose(struct handoff *own, const struct handoff_group *group) {
    const uint64_t ours = atomic_load_explicit(own->connections, memory_order_relaxed);
    struct handoff *chosen = own, *other;
    uint64_t fewest = ours - ours / 8; /* a smaller difference is not worth a wake-up */
    STAILQ_FOREACH(other, group, entry) {
        const uint64_t open = atomic_load_explicit(other->connections, memory_order_relaxed);
        if (open < fewest) {
            fewest = open;
            chosen = other;
        }
    }
    return chosen;
}

bool handoff_put(struct handoff *to, struct pending *pending) {
    atomic_fetch_add_explicit(to->connections, 1, memory_order_relaxed);
    struct pending *first = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    do {
        if (first == &shut) {
            atomic_fetch_sub_explicit(to->connections, 1, memory_order_relaxed);
            return false;
        }
        pending->next_handed = first;
        /* Release pairs with the exchange in take_all: the worker that empties the inbox sees the
         * connection. */
    } while (!atomic_compare_exchange_weak_explicit(&to->inbox, &first, pending,
                                                    memory_order_release, memory_order_relaxed));
    if (!first) { /* else whoever put the first one in wakes the worker up */
        const uint64_t one = 1;
        const ssize_t written = write(to->event_fd, &one, sizeof one);
        (void)written; /* it fails only when the counter is full */
    }
    return true;
}

static struct pending *take_all(struct handoff *handoff, struct pending *leave) {
    struct pending *first = atomic_exchange_explicit(&handoff->inbox, leave, memory_order_acquire);
    return first == &shut ? NULL : first;
}

bool handoff_waits(const struct handoff *handoff) {
    const struct pending *first = atomic_load_explicit(&handoff->inbox, memory_order_relaxed);
    return first && first != &shut;
}

struct pending *handoff_take(struct handoff *handoff) {
    return take_all(handoff, NULL);
}

struct pending *handoff_shut(struct handoff *handoff) {
    return take_all(handoff, &shut);
}
