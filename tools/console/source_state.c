/* Rows from the state file of a server on this machine, whether it runs or not. */
#include "tools/console/source_state.h"
#include "counters/counters.h"
#include "tools/console/reach.h"
#include "tools/console/report_source.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(SOURCE_WHY_MAX >= COUNTERS_WHY_MAX, "a state file's sentence must fit");

/* An event stamped at the end of a window is counted only when it has arrived. */
#define SETTLE_US (100 * US_PER_MS)

struct source_state {
    struct source base;
    const char *dir;
};

const char *source_state_dir(const struct source *source) {
    return ((const struct source_state *)source)->dir;
}

static struct counters *open_counters(const char *dir, char *why) {
    struct counters *counters = counters_open_readonly(dir, why);
    reach_note(false);
    if (counters == NULL)
        reach_note_path(dir);
    return counters;
}

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    counters_read(cls, r, first, n, out);
    return true;
}

/* Opens the file anew for each query, since a server that was started on a fresh directory has
 * another file of that name. */
static enum source_outcome read_rows(struct source *source, const struct query *query,
                                     int64_t now_us, const struct row_taker *taker,
                                     char why[SOURCE_WHY_MAX]) {
    struct source_state *state = (struct source_state *)source;
    struct counters *counters = open_counters(state->dir, why);
    if (counters == NULL)
        return SOURCE_AWAY;
    source->horizon_us = counters_horizon_us(counters);
    counters_set_now(counters, now_us);
    struct query_reader reader = {.read = read_windows, .cls = counters, .oldest = 0, .newest = -1};
    reader.kept =
        chunk_first_window(query->resolution, counters_oldest_kept(counters, query->resolution));
    int64_t oldest_chunk, newest_chunk;
    if (counters_span_ahead(counters, query->resolution, &oldest_chunk, &newest_chunk)) {
        reader.oldest = chunk_first_window(query->resolution, oldest_chunk);
        reader.newest = chunk_first_window(query->resolution, newest_chunk + 1) - 1;
    }
    const enum source_outcome outcome =
        source_rows_from_reader(source, &reader, query, now_us, taker);
    counters_close(counters);
    return outcome;
}

static bool make_ready(struct source *source, char why[SOURCE_WHY_MAX]) {
    struct counters *counters = open_counters(((struct source_state *)source)->dir, why);
    counters_close(counters);
    return counters != NULL;
}

static void close_state(struct source *source) {
    free(source);
}

static const struct source_ops state_ops = {
    .ready = make_ready, .rows = read_rows, .close = close_state};

struct source *source_state_open(const struct source_config *config, char why[SOURCE_WHY_MAX]) {
    struct source_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return NULL;
    }
    state->base = (struct source){.ops = &state_ops,
                                  .reports = &report_state_ops,
                                  .horizon_us = config->horizon_us,
                                  .settle_us = SETTLE_US};
    state->dir = config->place;
    snprintf(state->base.nothing, SOURCE_WHY_MAX, "state %.200s holds no events", config->place);
    if (!make_ready(&state->base, why)) {
        free(state);
        return NULL;
    }
    return &state->base;
}
