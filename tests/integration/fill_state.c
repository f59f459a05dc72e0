/* Makes and fills a state file, for tests of those who read it: each line of standard input is an
 * event time in microseconds and a number of events; "ok" answers it. The file stays open until
 * standard input ends. */
#include "counters/counters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    char why[COUNTERS_WHY_MAX];
    const struct counters_config config = {.dir = argc == 2 ? argv[1] : "",
                                           .node_id = "filled",
                                           .workers = 1,
                                           .horizon_us = 3600 * US_PER_S,
                                           .future_us = 10 * US_PER_S};
    struct counters *counters = counters_open(&config, NULL, why);
    if (counters == NULL) {
        fprintf(stderr, "fill_state: %s\n", why);
        return EXIT_FAILURE;
    }
    struct shard *shard = counters_worker_shard(counters, 0);
    int64_t event_us;
    uint64_t n;
    while (scanf("%" SCNd64 " %" SCNu64, &event_us, &n) == 2) {
        shard_set_now_owner(shard, event_us);
        for (; n > 0; n--) {
            if (shard_add_owner(shard, event_us) != SHARD_COUNTED) {
                fprintf(stderr, "fill_state: %" PRId64 " was refused\n", event_us);
                return EXIT_FAILURE;
            }
        }
        puts("ok");
        fflush(stdout);
    }
    counters_close(counters);
    return EXIT_SUCCESS;
}
