/* The answers of GET /live that a worker keeps for those who ask the same. By the worker's thread,
 * and by main after it ended. */
#ifndef AFORO_SERVER_HTTP_LIVE_ANSWERS_H
#define AFORO_SERVER_HTTP_LIVE_ANSWERS_H

#include "counters/time/window.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIVE_ANSWERS 8
#define LIVE_KEPT_US (100 * US_PER_MS)
/* a longer one is made for each who asks: memory has its bound */
#define LIVE_KEPT_MAX ((size_t)64 * 1024)

/* Of how many windows up to the present one, and whether of the nodes. */
struct live_question {
    int64_t windows[RESOLUTIONS];
    bool nodes;
};

struct live_answer {
    struct live_question question;
    int64_t made_us;               /* steady clock */
    struct MHD_Response *response; /* NULL: none */
};

/* Zeros are an empty one. */
struct live_answers {
    struct live_answer answer[LIVE_ANSWERS];
};

/* One that was made less than LIVE_KEPT_US ago, or NULL. It stays the table's. */
struct MHD_Response *live_answers_find(const struct live_answers *answers,
                                       const struct live_question *question, int64_t now_us);

/* Takes over the response, in the place of the one that was made first. */
void live_answers_keep(struct live_answers *answers, const struct live_question *question,
                       int64_t now_us, struct MHD_Response *response);

void live_answers_free(struct live_answers *answers);

#endif
