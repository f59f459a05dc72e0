/* See follow.h. "Over" means over for as long as the source takes to show it (settle_us). */
#include "tools/console/follow.h"

#define POLL_MIN_US (50 * US_PER_MS) /* so 10 ms windows come five at a time */
#define BACK_OFF_MIN_US (100 * US_PER_MS)
#define BACK_OFF_MAX_US (2 * US_PER_S)
/* A store that was away may be back before the nodes have sent what it missed. */
#define RETURN_SETTLE_US (2 * US_PER_S)

struct follow {
    struct source *source;
    struct writer *writer;
    enum resolution resolution;
    int64_t next; /* the next window to print; -1: none was printed yet */
    int64_t end;  /* end of the windows asked for so far */
    int64_t now_us;
};

/* Prints zeros for the windows up to `end` that have no row, since they have no events. */
static bool print_zeros_up_to(struct follow *follow, int64_t end) {
    for (; follow->next < end; follow->next++) {
        const struct row row = {follow->next, 0,
                                window_state_at(follow->resolution, follow->next, follow->now_us,
                                                follow->source->horizon_us)};
        if (!writer_row(follow->writer, &row))
            return false;
    }
    return true;
}

static bool print_row(void *cls, const struct row *row) {
    struct follow *follow = cls;
    if (row->window >= follow->end)
        return true; /* not asked for: printing zeros up to there might never end */
    if (follow->next < 0)
        follow->next = row->window;
    if (row->window < follow->next)
        return true; /* already printed: the source's clock differs */
    if (!print_zeros_up_to(follow, row->window) || !writer_row(follow->writer, row))
        return false;
    follow->next = row->window + 1;
    return true;
}

/* Runs one round: prints what was not printed yet of the windows before `end`. */
static enum source_outcome print_new(struct follow *follow, const struct query *query, int64_t end,
                                     char *why) {
    struct query rest = *query;
    follow->end = end;
    rest.partial = true; /* `to_us` limits it to what is over by our clock */
    rest.to_us = window_start_us(follow->resolution, end);
    if (follow->next >= 0) {
        rest.from_us = window_start_us(follow->resolution, follow->next);
        rest.last = 0;
    }
    enum source_outcome outcome = SOURCE_DONE;
    if (rest.from_us <= rest.to_us) { /* nothing to ask for before --from */
        const struct row_taker taker = {print_row, follow};
        outcome = follow->source->ops->rows(follow->source, &rest, follow->now_us, &taker, why);
    }
    if (outcome == SOURCE_DONE && follow->next >= 0 && !print_zeros_up_to(follow, end))
        return SOURCE_STOPPED;
    if (outcome != SOURCE_STOPPED &&
        (!writer_begin(follow->writer) || !writer_flush(follow->writer)))
        return SOURCE_STOPPED;
    return outcome;
}

static int64_t max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

bool follow_wait_for_return(struct source *source, const struct follow_world *world,
                            char why[SOURCE_WHY_MAX]) {
    int64_t back_off_us = BACK_OFF_MIN_US;
    do {
        if (!world->wait_until(world->cls, world->now_us(world->cls) + back_off_us))
            return false;
        back_off_us = back_off_us * 2 < BACK_OFF_MAX_US ? back_off_us * 2 : BACK_OFF_MAX_US;
    } while (!source->ops->ready(source, why));
    return world->wait_until(world->cls, world->now_us(world->cls) + RETURN_SETTLE_US);
}

bool follow_run(struct source *source, const struct query *query, struct writer *writer,
                const struct follow_world *world) {
    const enum resolution r = query->resolution;
    struct follow follow = {.source = source, .writer = writer, .resolution = r, .next = -1};
    char why[SOURCE_WHY_MAX];
    bool complained = false, said = false;
    for (;;) {
        follow.now_us = world->now_us(world->cls);
        const int64_t end = window_at(r, max_i64(0, follow.now_us - source->settle_us));
        const enum source_outcome outcome = print_new(&follow, query, end, why);
        if (outcome == SOURCE_STOPPED)
            return false;
        if (outcome == SOURCE_AWAY) {
            if (!complained)
                world->complain(world->cls, why);
            complained = true;
            if (!follow_wait_for_return(source, world, why))
                return true;
            continue;
        }
        complained = false;
        if (follow.next < 0 && !said)
            world->waiting(world->cls);
        said = true;
        const int64_t done_us = world->now_us(world->cls);
        const int64_t next_over_us =
            window_start_us(r, max_i64(end, follow.next) + 1) + source->settle_us;
        /* A reading that took long may have held up writers too: give them the same time. */
        const int64_t pause_us = max_i64(POLL_MIN_US, done_us - follow.now_us);
        if (!world->wait_until(world->cls, max_i64(next_over_us, done_us + pause_us)))
            return true;
    }
}
