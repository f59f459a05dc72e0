#include "server/http/live_pace.h"

#include "counters/time/window.h"

/* All pages ask at about the same moments; the pace is reviewed after this many rounds, whatever it
 * is. */
#define LOOK_ROUNDS 4

/* Slower if there are more than `most` questions a second; faster only if there would then be at
 * most three quarters of that, so that one page more or less does not make the pace swing. */
static int64_t choose(int64_t next_ms, uint64_t most, uint64_t a_second) {
    while (a_second > most && next_ms < LIVE_PACE_MOST_MS) {
        next_ms *= 2;
        a_second /= 2;
    }
    while (8 * a_second <= 3 * most && next_ms > LIVE_PACE_MS) {
        next_ms /= 2;
        a_second *= 2;
    }
    return next_ms;
}

int64_t live_pace_note(struct live_pace *pace, uint64_t most, int64_t now_us) {
    if (most == 0) {
        return LIVE_PACE_MS;
    }
    const int64_t passed_us = now_us - pace->since_us;
    const int64_t look_us = LOOK_ROUNDS * pace->next_ms * US_PER_MS;
    if (pace->next_ms == 0 || passed_us >= 2 * look_us) { /* nobody asked for a while */
        *pace = (struct live_pace){.since_us = now_us, .next_ms = LIVE_PACE_MS};
    } else if (passed_us >= look_us) {
        const uint64_t a_second = pace->asked * US_PER_S / (uint64_t)passed_us;
        *pace = (struct live_pace){.since_us = now_us,
                                   .next_ms = choose(pace->next_ms, most, a_second)};
    }
    pace->asked++;
    return pace->next_ms;
}
