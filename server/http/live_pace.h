/* How often open pages ask. Each answer of GET /live says when to ask next, so that a hundred pages
 * cost a worker that counts hardly more than twenty-five do. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_LIVE_PACE_H
#define AFORO_SERVER_HTTP_LIVE_PACE_H

#include <stdint.h>

#define LIVE_PACE_MS 250 /* while few pages are open */
/* at the slowest: a late event still shows on each page within two seconds */
#define LIVE_PACE_MOST_MS 1000

/* All zeros: nobody has asked yet. */
struct live_pace {
    int64_t since_us; /* steady clock */
    uint64_t asked;   /* since then */
    int64_t next_ms;  /* 0: nobody has asked */
};

/* Notes a question at now_us (steady clock). Returns in how many ms the next one should come,
 * doubling from LIVE_PACE_MS to LIVE_PACE_MOST_MS, to keep to `most` questions a second as far as
 * possible; most 0: any number. The pace changes after four rounds of questions at the earliest. */
int64_t live_pace_note(struct live_pace *pace, uint64_t most, int64_t now_us);

#endif
