/* How often open pages ask. Each answer of GET /live says when to ask next: so a hundred pages take
 * hardly more of a worker that counts than twenty-five do. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_LIVE_PACE_H
#define AFORO_SERVER_HTTP_LIVE_PACE_H

#include <stdint.h>

#define LIVE_PACE_MS 250 /* where few pages are open */
/* so seldom at the most: a late event shows within two seconds on each of them */
#define LIVE_PACE_MOST_MS 1000

/* Zeros are one that nobody has asked. */
struct live_pace {
    int64_t since_us; /* steady clock */
    uint64_t asked;   /* since then */
    int64_t next_ms;  /* 0: nobody has asked */
};

/* Notes a question. Returns in how many ms the next should come, LIVE_PACE_MS to LIVE_PACE_MOST_MS
 * by doubling, so that there are no more than `most` a second, as far as possible; 0: any number.
 * It changes after four rounds of questions at the earliest. */
int64_t live_pace_note(struct live_pace *pace, uint64_t most, int64_t now_us);

#endif
