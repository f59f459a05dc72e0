/* One node, one name. The lease at the store says who may write a name's parts. Its owner is one
 * state file during one boot of one machine, so a restart continues at once, and a copy of the file
 * is another owner. A node that finds the lease held waits. If the lease runs out, its owner is
 * dead, and what our file has is ours to send. If it is renewed, our file is a copy of one in use,
 * and takes a name of its own.
 *
 * Before anything is sent, what the store has under this name is read back, since the file may be
 * older. */
#include "counters/state/reference.h"
#include "server/flush/internal.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* a lease that was not renewed for this long has no owner any more */
#define DEAD_US ((STORE_LEASE_MS + 2000) * US_PER_MS)
#define NAME_KEPT 54  /* bytes of the old name, so that the new one is not too long */
#define COPY_SUFFIX 9 /* bytes that a copy appends to it */

void identity_doubt(struct flush *flush, struct known_chunk *chunk) {
    if (chunk) {
        chunk->doubted = true;
    }
    flush->identity.read_back = false;
    flush_set_state(flush, FLUSH_LEASING);
}

void identity_release(struct flush *flush) {
    if (flush->identity.held) {
        flush->config.store->ops->release(flush->config.store, flush->identity.owner);
        flush->identity.held = false;
    }
}

/* ---- the lease ---- */

static void note_left(void *cls, const struct store_part *part) {
    struct flush *flush = cls;
    const struct known_chunk *known =
        known_find(&flush->known, part->place.resolution, part->place.chunk);
    /* Else it is another owner's part, and nothing shows that it was ever ours. If the store had
     * acknowledged ours, it has lost it, and what the part holds may come from a copy of our
     * file. */
    if (part->ours_known || (known && (known->there || known->inherited))) {
        known_find_left(&flush->known, part->place.resolution, part->place.chunk,
                        part->ours_known ? part->ours : part->count);
    }
}

/* Finds which of the counts that we sent the other owner took over: calls that were under way when
 * the name passed on may or may not have arrived. False: the store did not answer. */
static bool find_left(struct flush *flush) {
    struct store *store = flush->config.store;
    char why[STORE_WHY_MAX] = "";
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_ring *ring = &flush->known.ring[r];
        int64_t chunk = 0;
        for (int64_t i = 0, n = 0; i < ring->places; i += n) {
            n = known_run(&flush->known, (enum resolution)r, i, &chunk);
            if (chunk && !store->ops->read_back(
                             store, (struct chunk_range){(enum resolution)r, chunk, (uint32_t)n},
                             &(struct store_taker){note_left, flush}, why)) {
                flush_error(flush, "cannot read back what the store has", why);
                return false;
            }
        }
    }
    known_settle_left(&flush->known, store->ops->was_read_back(store));
    return true;
}

static void become_copy(struct flush *flush) {
    char node[COUNTERS_NODE_MAX], before[COUNTERS_NODE_MAX], why[COUNTERS_WHY_MAX] = "";
    uint32_t random = 0;
    if (flush->identity.read_back_before && !find_left(flush)) {
        return;
    }
    snprintf(before, sizeof before, "%s", counters_node_id(flush->config.counters));
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        flush_error(flush, "cannot make up a name", strerror(errno));
        return;
    }
    /* A copy of a copy derives its name from the same original, so that a --node-id still fits
     * it. */
    const size_t length = strlen(before);
    const bool again = length > COPY_SUFFIX && counters_is_copy(flush->config.counters);
    const int kept = again ? (int)(length - COPY_SUFFIX) : NAME_KEPT;
    snprintf(node, sizeof node, "%.*s.%08x", kept, before, (unsigned)random);
    if (!rows_give_away(flush, node)) {
        return;
    }
    if (!known_become_copy(&flush->known, flush->config.counters, node, why)) {
        flush_error(flush, "cannot take a new name", why);
        return;
    }
    flush->config.store->ops->rename(flush->config.store, node);
    rows_become_copy(flush, node);
    /* nobody has used this name before */
    flush->identity.read_back = flush->identity.read_back_before = true;
    flush->identity.waiting_us = 0;
    pthread_mutex_lock(&flush->mutex);
    snprintf(flush->status.copy_of, sizeof flush->status.copy_of, "%s", before);
    flush->status.holder[0] = '\0';
    pthread_mutex_unlock(&flush->mutex);
    log_line(LOG_WARN,
             "another server lives under this node's name: this state directory is a copy of its "
             "own, and takes a new name for what it counts from here on",
             "name_before=%s node=%s", before, node);
}

static void begin_to_wait(struct flush *flush, const char *holder) {
    struct identity *identity = &flush->identity;
    identity->waiting_us = clock_steady_us();
    snprintf(identity->holder, sizeof identity->holder, "%s", holder);
    pthread_mutex_lock(&flush->mutex);
    const bool news = strcmp(flush->status.holder, holder) != 0;
    snprintf(flush->status.holder, sizeof flush->status.holder, "%s", holder);
    pthread_mutex_unlock(&flush->mutex);
    if (news) {
        char quoted[2 * STORE_HOLDER_MAX];
        log_line(
            LOG_WARN,
            "another server holds the lease of this node's name: waiting to see whether it lives",
            "node=%s holder=%s", counters_node_id(flush->config.counters),
            log_quote(holder, quoted, sizeof quoted));
    }
}

/* The same owner's lease with a larger number was renewed. One with a smaller number is an older
 * copy, which came back with the store; then, and if the owner is another one, the wait starts
 * over. */
static bool is_renewed(const char *before, const char *now) {
    char *owner_before, *owner_now;
    const unsigned long long number_before = strtoull(before, &owner_before, 10),
                             number_now = strtoull(now, &owner_now, 10);
    return strcmp(owner_before, owner_now) == 0 && number_now > number_before;
}

/* Somebody else has our name: find out whether they are alive. */
static void wait_for_holder(struct flush *flush, const char *holder) {
    struct identity *identity = &flush->identity;
    identity->held = identity->read_back = false;
    flush_set_state(flush, FLUSH_LEASING);
    if (!*holder) {
        return; /* gone but not given back: whoever had it may not know yet */
    }
    if (!identity->waiting_us) {
        begin_to_wait(flush, holder);
    } else if (is_renewed(identity->holder, holder)) {
        become_copy(flush);
    } else if (strcmp(identity->holder, holder) != 0) {
        begin_to_wait(flush, holder);
    }
}

static void note_lease(struct flush *flush) {
    flush->identity.held = true;
    flush->identity.renewed_us = clock_steady_us();
    flush->identity.waiting_us = 0;
    pthread_mutex_lock(&flush->mutex);
    flush->status.holder[0] = '\0';
    pthread_mutex_unlock(&flush->mutex);
}

bool identity_lease(struct flush *flush) {
    struct identity *identity = &flush->identity;
    struct store *store = flush->config.store;
    char holder[STORE_HOLDER_MAX] = "", why[STORE_WHY_MAX] = "";
    /* By our own clock, since the store's may have been set back. */
    const bool over = identity->waiting_us && clock_steady_us() - identity->waiting_us > DEAD_US;
    const struct store_claim claim = {.owner = identity->owner,
                                      .waiting = identity->waiting_us && !over,
                                      .dead = over ? identity->holder : ""};
    switch (store->ops->lease(store, &claim, holder, why)) {
    case STORE_LEASE_KEPT:
        note_lease(flush);
        return true;
    case STORE_LEASE_TAKEN:
        /* It ran out or was lost, so somebody may have had it in between. */
        if (identity->held && identity->read_back) {
            identity_doubt(flush, NULL);
        }
        note_lease(flush);
        return flush->state != FLUSH_SENDING || identity->read_back;
    case STORE_LEASE_HELD:
        wait_for_holder(flush, holder);
        return false;
    case STORE_LEASE_FAILED:
        break;
    }
    flush_error(flush, "cannot ask the store for the lease of this node's name", why);
    /* The cluster's server that keeps the lease is away, so nobody else can take it either. */
    return identity->held && store->ops->connected(store);
}

/* ---- the read-back ---- */

/* After the start, a chunk may have been sent although its memory has since been needed for
 * another: what we have of it counts as sent. */
static void recall(struct flush *flush, struct known_chunk *known, enum resolution r) {
    uint64_t count[SLOTS_MAX];
    known_ours(&flush->known, flush->config.counters, r, known->chunk, count);
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        if (count[slot] > known->sent[slot]) {
            known->sent[slot] = count[slot];
        }
    }
    known->whole = true;
}

/* Whether an earlier run, which may have crashed during its read-back, was raised to what the store
 * has of a chunk. */
static bool was_raised(const struct flush *flush, enum resolution r,
                       const struct store_part *part) {
    uint64_t back[SLOTS_MAX], any = 0;
    counters_read_back_shard(flush->config.counters, r, chunk_first_window(r, part->place.chunk),
                             resolution_table[r].slots, back);
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        any |= back[slot];
    }
    return any != 0;
}

/* Raises this node to the store's part of one chunk. If another owner took the part over, perhaps
 * not everything that we sent had arrived by then; what that owner recorded as ours had. This
 * applies only once: after it, `sent` is what the part holds. */
static void raise_to(void *cls, const struct store_part *part) {
    struct flush *flush = cls;
    const enum resolution r = part->place.resolution;
    struct known_chunk *known = known_at(&flush->known, r, part->place.chunk);
    if (!known->whole && flush->identity.read_back_before) {
        recall(flush, known, r);
    } else if (!known->whole) {
        known_settle(&flush->known, flush->config.counters, r, known);
    }
    const bool another = part->ours_known && !part->ours_only && !known->adopted &&
                         (flush->identity.read_back_before || !was_raised(flush, r, part));
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        if (another && part->ours[slot] < known->sent[slot]) {
            known->sent[slot] = part->ours[slot];
        }
        if (part->count[slot] > known->sent[slot]) {
            shard_raise_owner(counters_readback_shard(flush->config.counters), r,
                              chunk_first_window(r, part->place.chunk) + slot,
                              part->count[slot] - known->sent[slot]);
            known->sent[slot] = part->count[slot];
        }
    }
    known->adopted = known->adopted || another;
    known->there = part->sum;
}

/* The highest count of a window that the file held or the store has. */
static uint64_t find_sent(const struct flush *flush, enum resolution r, int64_t window) {
    const int64_t chunk = window_chunk(r, window);
    const struct known_chunk *known = known_find(&flush->known, r, chunk);
    return known ? known->sent[window - chunk_first_window(r, chunk)] : 0;
}

/* What this node has of a window: the highest count that its file held or the store has, or the sum
 * of its finer windows where that is more. Nothing that is counted meanwhile. */
static uint64_t find_count(const struct flush *flush, enum resolution r, int64_t window) {
    const uint64_t own = find_sent(flush, r, window);
    uint64_t sum = 0;
    if (r != RESOLUTION_10MS) {
        const enum resolution fine = (enum resolution)(r - 1);
        const int64_t first = chunk_first_window(fine, window);
        for (uint32_t slot = 0; slot < resolution_table[fine].slots; slot++) {
            sum += find_count(flush, fine, first + slot);
        }
    }
    return own > sum ? own : sum;
}

/* The store may have received a 10 ms window but not yet its second: within the read-back shard,
 * raise each coarser window to the sum of its finer chunk, and no further than to what the node has
 * of it. When clocks were set, finer windows alone may be read back: the rings had moved past them,
 * and still held their second. */
static void settle(struct flush *flush, enum resolution fine, int64_t first, int64_t n) {
    const enum resolution coarse = (enum resolution)(fine + 1);
    const uint32_t slots = resolution_table[fine].slots;
    for (int64_t chunk = first; chunk < first + n; chunk++) {
        uint64_t count[SLOTS_MAX], window, sum = 0;
        counters_read_back_shard(flush->config.counters, fine, chunk_first_window(fine, chunk),
                                 slots, count);
        for (uint32_t i = 0; i < slots; i++) {
            sum += count[i];
        }
        counters_read_back_shard(flush->config.counters, coarse, chunk, 1, &window);
        if (sum > window) {
            const uint64_t lacks =
                find_count(flush, coarse, chunk) - find_sent(flush, coarse, chunk);
            const uint64_t by = sum - window < lacks ? sum - window : lacks;
            if (by > 0) {
                shard_raise_owner(counters_readback_shard(flush->config.counters), coarse, chunk,
                                  by);
            }
        }
    }
}

/* Notes the doubted chunks before the memory of one is needed for another. Those beyond the list
 * are found to be doubtful once more when they are sent. */
static void list_doubted(struct flush *flush) {
    struct identity *identity = &flush->identity;
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_ring *ring = &flush->known.ring[r];
        for (int64_t i = 0; i < ring->places && identity->doubted_n < FLUSH_DOUBTED; i++) {
            struct known_chunk *known = known_place(ring, i);
            if (known->doubted) {
                known->doubted = false;
                known->there = 0; /* until a part is found */
                identity->doubted[identity->doubted_n++] =
                    (struct store_place){(enum resolution)r, known->chunk};
            }
        }
    }
}

/* What is older than the horizon is still sent if the store may lack it. After a reboot, or with an
 * older copy of the file, it may then turn out to be another owner's, or more than we had. */
static bool read_back_doubted(struct flush *flush, char *why) {
    struct store *store = flush->config.store;
    for (size_t i = 0; i < flush->identity.doubted_n; i++) {
        const struct store_place *place = &flush->identity.doubted[i];
        if (!store->ops->read_back(store, (struct chunk_range){place->resolution, place->chunk, 1},
                                   &(struct store_taker){raise_to, flush}, why)) {
            return false;
        }
    }
    return true;
}

bool identity_read_back(struct flush *flush) {
    const int64_t to_us = clock_wall_us() + counters_future_us(flush->config.counters);
    struct store *store = flush->config.store;
    char why[COUNTERS_WHY_MAX] = "";
    int64_t first[RESOLUTIONS], n[RESOLUTIONS];
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t last = to_us / chunk_width_us((enum resolution)r),
                      back = flush->known.ring[r].back;
        /* everything that a pass examines, since events near the horizon may have waited */
        first[r] = last > back ? last - back : 0;
        n[r] = last - first[r] + 1;
    }
    if (!flush->identity.read_back_before &&
        !known_remember_range(&flush->known, flush->config.counters, first, n, why)) {
        flush_error(flush, "cannot read what the state file held", why);
        return false;
    }
    list_doubted(flush);
    bool taken = true;
    for (int r = 0; r < RESOLUTIONS && taken; r++) {
        taken = store->ops->read_back(
            store, (struct chunk_range){(enum resolution)r, first[r], (uint32_t)n[r]},
            &(struct store_taker){raise_to, flush}, why);
    }
    if (!taken || !read_back_doubted(flush, why)) {
        flush_error(flush, "cannot read back what the store has", why);
        return false;
    }
    settle(flush, RESOLUTION_10MS, first[RESOLUTION_10MS], n[RESOLUTION_10MS]);
    settle(flush, RESOLUTION_1S, first[RESOLUTION_1S], n[RESOLUTION_1S]);
    if (!rows_read_back(flush)) {
        return false;
    }
    if (!counters_set_read_back_owner(flush->config.counters)) {
        flush_error(flush, "cannot write the state file", strerror(errno));
        return false;
    }
    flush->identity.read_back = flush->identity.read_back_before = true;
    flush->identity.renewed_us = 0; /* so that the lease says at once what was read back */
    return true;
}
