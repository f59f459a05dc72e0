/* Makes the state file that is kept as state_v1.aforo: make_state DIR writes DIR/counters.aforo. To
 * be run once for each format version, by the program of that version; the file is kept, and its
 * numbers must be read for ever. */
#include "counters/counters.h"
#include "tests/formats/state_v1.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    char why[COUNTERS_WHY_MAX];
    const struct counters_config config = {.dir = argc == 2 ? argv[1] : "",
                                           .node_id = "fixture",
                                           .workers = 1,
                                           .horizon_us = US_PER_S,
                                           .keep_us = {US_PER_S, US_PER_S, US_PER_S}};
    struct counters *counters = counters_open(&config, NULL, why);
    if (!counters) {
        fprintf(stderr, "make_state: %s\n", why);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < sizeof state_v1_events / sizeof state_v1_events[0]; i++) {
        const struct state_v1_event *event = &state_v1_events[i];
        struct shard *shard = counters_worker_shard(counters, event->worker);
        shard_set_now_owner(shard, event->us);
        for (unsigned n = 0; n < event->times; n++) {
            if (shard_add_owner(shard, event->us) != SHARD_COUNTED) {
                fprintf(stderr, "make_state: an event was refused\n");
                return EXIT_FAILURE;
            }
            shard_tally_counted_owner(shard);
        }
    }
    counters_close(counters);
    return EXIT_SUCCESS;
}
