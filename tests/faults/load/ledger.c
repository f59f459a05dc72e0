#include "tests/faults/load/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LEDGER_S 7200 /* windows from `past` before the start to so long after it */

struct entry {
    uint32_t sent, acked, refused;
};

struct tally tally;
static struct entry *ledger;
static size_t ledger_size;
static int64_t ledger_first; /* number of its first window */

void ledger_open(void) {
    ledger_first = (clock_us(CLOCK_REALTIME) - options.past_us) / WINDOW_US - 100;
    ledger_size =
        (size_t)((LEDGER_S * INT64_C(1000000) + options.past_us + options.future_us) / WINDOW_US);
    ledger = calloc(ledger_size, sizeof *ledger);
    if (!ledger) {
        die("the ledger");
    }
}

int64_t ledger_start_us(void) {
    return ledger_first * WINDOW_US;
}

uint32_t ledger_place(int64_t us) {
    const int64_t place = us / WINDOW_US - ledger_first;
    if (place < 0 || place >= (int64_t)ledger_size) {
        fprintf(stderr, "load: the clock left the ledger\n");
        exit(EXIT_FAILURE);
    }
    return (uint32_t)place;
}

void ledger_send(uint32_t window) {
    ledger[window].sent++;
    tally.sent++;
}

void ledger_take(uint32_t window, bool acked) {
    ledger[window].acked += acked;
    ledger[window].refused += !acked;
    tally.acked += acked;
    tally.refused += !acked;
}

void ledger_write(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) {
        die(path);
    }
    for (size_t i = 0; i < ledger_size; i++) {
        if (ledger[i].sent) {
            fprintf(file, "%" PRId64 " %u %u %u\n", (ledger_first + (int64_t)i) * WINDOW_US,
                    ledger[i].sent, ledger[i].acked, ledger[i].refused);
        }
    }
    if (fclose(file)) {
        die(path);
    }
}

void tally_print(const char *word) {
    printf("%s requests=%" PRIu64 " sent=%" PRIu64 " acked=%" PRIu64 " refused=%" PRIu64
           " unsure=%" PRIu64 " lost=%" PRIu64 " other=%" PRIu64 " connects=%" PRIu64
           " connects_failed=%" PRIu64 "\n",
           word, tally.requests, tally.sent, tally.acked, tally.refused, tally.unsure, tally.lost,
           tally.other, tally.connects, tally.connects_failed);
}
