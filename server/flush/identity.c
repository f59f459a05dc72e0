/* One node, one name. The lease at the store says who may write a name's parts; its owner is one
 * state file during one boot of one machine, so a restart goes on at once, and a copy of the file
 * is somebody else. Who finds the lease held waits: until it runs out (then that one is dead, and
 * what the file has is ours to send), or is renewed. Then this file is a copy of one that lives,
 * and takes a name of its own.
 *
 * Before anything is sent, what the store has under this name is read back: the file may be older
 * than that. */
#include "counters/state/reference.h"
#include "server/flush/internal.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* a lease that was not renewed for so long is nobody's */
#define DEAD_US ((STORE_LEASE_MS + 2000) * US_PER_MS)
#define NAME_KEPT 54  /* of the old name, so that the new one is no longer than a name may be */
#define COPY_SUFFIX 9 /* what a copy adds to it */

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
    /* Another's part, and nothing says that it was ever ours. If the store had acknowledged ours it
     * has lost that, and what the part holds may be of a copy of our file. */
    if (part->ours_known || (known && (known->there || known->inherited))) {
        known_find_left(&flush->known, part->place.resolution, part->place.chunk,
                        part->ours_known ? part->ours : part->count);
    }
}

/* What of that which we sent the other one goes on with: calls that were under way when the name
 * passed on have arrived, or not. False: the store did not say. */
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
    /* A copy of a copy is called after the same name: a --node-id that was given is still right for
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

/* The same owner's lease with a larger number: renewed. With a smaller one it is an older copy of
 * it, which came back with the store; then, and with another owner, it is waited for anew. */
static bool is_renewed(const char *before, const char *now) {
    char *owner_before, *owner_now;
    const unsigned long long number_before = strtoull(before, &owner_before, 10),
                             number_now = strtoull(now, &owner_now, 10);
    return strcmp(owner_before, owner_now) == 0 && number_now > number_before;
}

/* Somebody else has our name: see whether it lives. */
static void wait_for_holder(struct flush *flush, const char *holder) {
    struct identity *identity = &flush->identity;
    identity->held = identity->read_back = false;
    flush_set_state(flush, FLUSH_LEASING);
    if (!*holder) {
        return; /* gone, and not given back: whoever had it may not know yet */
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
    /* By our own clock: the store's may have been set back. */
    const bool over = identity->waiting_us && clock_steady_us() - identity->waiting_us > DEAD_US;
    const struct store_claim claim = {.owner = identity->owner,
                                      .waiting = identity->waiting_us && !over,
                                      .dead = over ? identity->holder : ""};
    switch (store->ops->lease(store, &claim, holder, why)) {
    case STORE_LEASE_KEPT:
        note_lease(flush);
        return true;
    case STORE_LEASE_TAKEN:
        /* It ran out, or was lost: somebody may have had it in between. */
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
    /* The one of a cluster's servers that keeps it is away, so nobody can take it either. */
    return identity->held && store->ops->connected(store);
}

/* ---- the read-back ---- */

/* Later than at the start, a chunk whose memory was needed for another meanwhile may have been
 * sent: what we have of it counts as sent. */
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

/* Has an earlier run, which may have crashed then, been raised to what the store has of a chunk? */
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

/* The store's part of one chunk: raise ourselves to it. Where another owner went on with it,
 * not all that was sent may have arrived before, but what he left as ours has; that is known only
 * until it was made use of. */
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

/* The store may have been told of a 10 ms window and not yet of its second: within the read-back
 * shard, raise each coarser window to what its finer chunk sums to. */
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
            shard_raise_owner(counters_readback_shard(flush->config.counters), coarse, chunk,
                              sum - window);
        }
    }
}

/* What is older than the horizon is still sent when the store may lack it, and is then found to be
 * another owner's, or more than we had: after a reboot, or with an older copy of the file. */
static bool read_back_doubted(struct flush *flush, enum resolution r, char *why) {
    struct store *store = flush->config.store;
    const struct known_ring *ring = &flush->known.ring[r];
    for (int64_t i = 0; i < ring->places; i++) {
        struct known_chunk *known = known_place(ring, i);
        if (!known->doubted) {
            continue;
        }
        known->there = 0; /* unless there is something */
        if (!store->ops->read_back(store, (struct chunk_range){r, known->chunk, 1},
                                   &(struct store_taker){raise_to, flush}, why)) {
            return false;
        }
        known->doubted = false;
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
        /* all that a pass looks at: events near the horizon may have waited */
        first[r] = last > back ? last - back : 0;
        n[r] = last - first[r] + 1;
    }
    if (!flush->identity.read_back_before &&
        !known_remember_range(&flush->known, flush->config.counters, first, n, why)) {
        flush_error(flush, "cannot read what the state file held", why);
        return false;
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        if (!store->ops->read_back(
                store, (struct chunk_range){(enum resolution)r, first[r], (uint32_t)n[r]},
                &(struct store_taker){raise_to, flush}, why) ||
            !read_back_doubted(flush, (enum resolution)r, why)) {
            flush_error(flush, "cannot read back what the store has", why);
            return false;
        }
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
    flush->identity.renewed_us = 0; /* the lease is to say at once what was read back */
    return true;
}
