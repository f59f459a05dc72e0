#include "tests/unit/server/flush/fake_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t fake_steady_us = 1000 * US_PER_S, fake_wall_us = INT64_C(1464433871000000);

/* The program's own, in the place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts) {
    const int64_t us = id == CLOCK_REALTIME ? fake_wall_us : fake_steady_us;
    *ts = (struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    return 0;
}

void fake_clock_advance(int64_t us) {
    fake_steady_us += us;
    fake_wall_us += us;
}

static struct fake_store *fake_of(struct store *store) {
    return (struct fake_store *)store;
}

struct store_part *fake_store_find(struct fake_store *fake, enum resolution r, int64_t chunk) {
    for (size_t i = 0; i < fake->parts; i++) {
        if (fake->part[i].place.resolution == r && fake->part[i].place.chunk == chunk) {
            return &fake->part[i];
        }
    }
    return NULL;
}

struct store_part *fake_store_part(struct fake_store *fake, enum resolution r, int64_t chunk) {
    struct store_part *part = fake_store_find(fake, r, chunk);
    if (!part) {
        if (fake->parts == FAKE_PARTS) {
            abort();
        }
        part = &fake->part[fake->parts++];
        *part = (struct store_part){.place = {r, chunk}};
    }
    return part;
}

static void raise_slot(struct store_part *part, uint32_t slot, uint64_t count) {
    if (count > part->count[slot]) {
        part->sum += count - part->count[slot];
        part->count[slot] = count;
    }
}

void fake_store_raise(struct fake_store *fake, enum resolution r, int64_t window, uint64_t count) {
    raise_slot(fake_store_part(fake, r, window_chunk(r, window)), window_slot(r, window), count);
}

uint64_t fake_store_count(struct fake_store *fake, enum resolution r, int64_t window) {
    const struct store_part *part = fake_store_find(fake, r, window_chunk(r, window));
    return part ? part->count[window_slot(r, window)] : 0;
}

static bool refuse(char why[STORE_WHY_MAX]) {
    snprintf(why, STORE_WHY_MAX, "the test said no");
    return false;
}

static bool fake_connect(struct store *store, char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->connects++;
    fake->connected = !fake->away;
    return fake->connected || refuse(why);
}

static enum store_outcome outcome_of(const struct fake_store *fake,
                                     const struct store_place *place) {
    return fake->refuse_chunk == FAKE_ANSWER_ALL || fake->refuse_chunk == place->chunk
               ? fake->outcome[place->resolution]
               : STORE_STORED;
}

static bool fake_send(struct store *store, const struct store_chunk *chunks, size_t n,
                      struct store_ack *ack, char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    bool all = true;
    fake->sends++;
    fake->sent += n;
    fake->most = n > fake->most ? n : fake->most;
    fake->last = chunks[n - 1];
    fake_clock_advance(fake->took_us);
    for (size_t i = 0; i < n; i++) {
        const struct store_chunk *chunk = &chunks[i];
        ack[i] = (struct store_ack){.outcome = outcome_of(fake, &chunk->place)};
        all = all && ack[i].outcome != STORE_FAILED;
        if (ack[i].outcome == STORE_STORED) {
            struct store_part *part =
                fake_store_part(fake, chunk->place.resolution, chunk->place.chunk);
            if (fake->knows_owners && part->sum && !part->ours_only && part->sum != chunk->there) {
                ack[i].outcome = STORE_FOREIGN;
                continue;
            }
            part->ours_only = part->ours_only || fake->knows_owners;
            ack[i].had = part->sum;
            for (uint32_t slot = 0; slot < chunk->n; slot++) {
                raise_slot(part, chunk->slot[slot], chunk->count[slot]);
            }
        }
    }
    fake->connected = fake->connected && (all || !fake->loses_connection);
    return all || refuse(why);
}

static bool fake_read_back(struct store *store, struct chunk_range range,
                           const struct store_taker *taker, char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->read_backs++;
    fake->last_range = range;
    if (fake->read_back_fails) {
        return refuse(why);
    }
    if (range.n > fake->range[range.resolution].n) {
        fake->range[range.resolution] = range;
    }
    for (size_t i = 0; i < fake->parts; i++) {
        const struct store_place *place = &fake->part[i].place;
        if (place->resolution == range.resolution && place->chunk >= range.first &&
            place->chunk < range.first + range.n) {
            taker->each(taker->cls, &fake->part[i]);
        }
    }
    return true;
}

static bool fake_sums(struct store *store, const struct store_sums *sums, char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->compares++;
    fake->asked_n = sums->n;
    for (size_t i = 0; i < sums->n; i++) {
        const struct store_part *part =
            fake_store_find(fake, sums->places[i].resolution, sums->places[i].chunk);
        fake->asked[i] = sums->places[i];
        sums->sums[i] = fake->sums_unknown ? STORE_SUM_UNKNOWN : part ? part->sum : 0;
    }
    if (sums->losses && !fake->sums_fail) {
        *sums->losses = fake->losses;
    }
    return (!fake->sums_fail && !fake->sums_unknown) || refuse(why);
}

static unsigned fake_server(const struct store *store, const struct store_place *place) {
    return ((const struct fake_store *)store)->by_resolution ? (unsigned)place->resolution : 0;
}

static enum store_lease fake_lease(struct store *store, const struct store_claim *claim,
                                   char holder[STORE_HOLDER_MAX], char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->leases++;
    fake->claim_waiting = claim->waiting;
    snprintf(fake->claim_dead, sizeof fake->claim_dead, "%s", claim->dead);
    if (fake->lease == STORE_LEASE_HELD) {
        snprintf(holder, STORE_HOLDER_MAX, "%s", fake->holder);
    } else if (fake->lease == STORE_LEASE_FAILED) {
        refuse(why);
    }
    const enum store_lease answer = fake->lease;
    fake->lease = answer == STORE_LEASE_TAKEN ? STORE_LEASE_KEPT : answer;
    return answer;
}

static bool fake_was_read_back(const struct store *store) {
    return ((const struct fake_store *)store)->read_back_by_other;
}

static void fake_release(struct store *store, const char *owner) {
    fake_of(store)->releases += *owner != '\0';
}

static bool fake_tell_loss(struct store *store, uint64_t *losses, char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->tells++;
    if (fake->tell_fails) {
        return refuse(why);
    }
    fake->losses += fake->losses == *losses;
    *losses = fake->losses;
    return true;
}

static bool fake_close_old(struct store *store, int64_t now_us, int64_t *ahead_us,
                           char why[STORE_WHY_MAX]) {
    struct fake_store *fake = fake_of(store);
    fake->closes++;
    *ahead_us = now_us == fake_wall_us ? fake->ahead_us : INT64_MAX;
    return !fake->close_fails || refuse(why);
}

static void fake_rename(struct store *store, const char *node) {
    snprintf(fake_of(store)->node, sizeof fake_of(store)->node, "%s", node);
}

static void fake_end_by(struct store *store, int64_t steady_us) {
    (void)store;
    (void)steady_us;
}

static bool fake_connected(const struct store *store) {
    return ((const struct fake_store *)store)->connected;
}

static const char *fake_address(const struct store *store) {
    (void)store;
    return "fake";
}

static void fake_close(struct store *store) {
    fake_of(store)->closed = true;
}

void fake_store_make(struct fake_store *fake) {
    static const struct store_ops ops = {.connect = fake_connect,
                                         .send = fake_send,
                                         .read_back = fake_read_back,
                                         .tell_report = fake_tell_report,
                                         .send_rows = fake_send_rows,
                                         .read_back_rows = fake_read_back_rows,
                                         .rows_sum = fake_rows_sum,
                                         .sums = fake_sums,
                                         .server = fake_server,
                                         .lease = fake_lease,
                                         .was_read_back = fake_was_read_back,
                                         .release = fake_release,
                                         .tell_loss = fake_tell_loss,
                                         .close_old = fake_close_old,
                                         .rename = fake_rename,
                                         .end_by = fake_end_by,
                                         .connected = fake_connected,
                                         .address = fake_address,
                                         .close = fake_close};
    memset(fake, 0, sizeof *fake);
    fake->store.ops = &ops;
    fake->lease = STORE_LEASE_KEPT;
    fake->holder = "";
    for (int r = 0; r < RESOLUTIONS; r++) {
        fake->outcome[r] = STORE_STORED;
    }
    fake->rows_outcome = STORE_STORED;
}
