/* What a clock that is set leaves behind: counts of the time that it showed until then. Passes
 * examine them until they are sent, and the file has a note of them, since this run may be killed
 * before that. */
#include "server/flush/internal.h"
#include "server/process/clock.h"

/* a larger deviation of the wall clock from the steady clock means that it was set */
#define SET_US (2 * US_PER_S)

static void detect_step(struct flush *flush) {
    struct pass *pass = &flush->pass;
    const int64_t before_us = pass->wall_us;
    const int64_t passed_us = clock_steady_us() - pass->steady_us;
    pass->wall_us = clock_wall_us();
    pass->steady_us += passed_us;
    const int64_t set_us = pass->wall_us - (before_us + passed_us);
    if (!before_us || (set_us <= SET_US && set_us >= -SET_US)) {
        return;
    }
    /* what the clock would show now */
    const int64_t last_us = before_us + passed_us;
    const int64_t future_us = counters_future_us(flush->config.counters);
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct known_ring *ring = &flush->known.ring[r];
        const int64_t width_us = chunk_width_us((enum resolution)r);
        known_leave_behind(ring, last_us / width_us - ring->back,
                           (last_us + future_us) / width_us + 1, pass->steady_us);
    }
}

/* What the next run must know: this one may be killed before it has sent everything. */
static void note_for_next_run(struct flush *flush) {
    struct counters_flush_note note = {.wall_us = flush->pass.wall_us,
                                       .steady_us = flush->pass.steady_us};
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_ring *ring = &flush->known.ring[r];
        note.left_from[r] = ring->left_behind ? ring->left_from : 0;
        note.left_to[r] = ring->left_behind;
    }
    counters_note_flush_owner(flush->config.counters, &note);
}

void pass_note_clock(struct flush *flush) {
    detect_step(flush);
    note_for_next_run(flush);
}

void pass_continue(struct flush *flush) {
    struct counters_flush_note note;
    counters_find_flush_note_owner(flush->config.counters, &note);
    flush->pass.wall_us = note.wall_us;
    flush->pass.steady_us = note.steady_us;
    for (int r = 0; r < RESOLUTIONS; r++) {
        if (note.left_to[r] >= note.left_from[r] && note.left_to[r]) {
            known_leave_behind(&flush->known.ring[r], note.left_from[r], note.left_to[r],
                               clock_steady_us());
        }
    }
    pass_note_clock(flush);
    for (int r = 0; r < RESOLUTIONS; r++) {
        flush->known.ring[r].own_behind = 0; /* this run has counted nothing of it */
    }
}
