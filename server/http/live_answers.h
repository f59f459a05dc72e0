/* The answers of GET /live that a worker keeps for requests that ask the same. By the worker's
 * thread, and by main after it has ended. */
#ifndef AFORO_SERVER_HTTP_LIVE_ANSWERS_H
#define AFORO_SERVER_HTTP_LIVE_ANSWERS_H

#include "counters/time/window.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIVE_ANSWERS 8
#define LIVE_KEPT_US (100 * US_PER_MS)
/* a longer answer is not kept but made for each request, to bound memory */
#define LIVE_KEPT_MAX ((size_t)64 * 1024)

/* How many windows up to the present one of each resolution, and whether the nodes. */
struct live_question {
    int64_t windows[RESOLUTIONS];
    bool nodes;
};

struct live_answer {
    struct live_question question;
    int64_t made_us;               /* steady clock */
    struct MHD_Response *response; /* NULL: none */
};

/* All zeros is an empty table. */
struct live_answers {
    struct live_answer answer[LIVE_ANSWERS];
};

/* The answer to the same question made less than LIVE_KEPT_US ago, or NULL. It remains the
 * table's. */
struct MHD_Response *live_answers_find(const struct live_answers *answers,
                                       const struct live_question *question, int64_t now_us);

/* Takes ownership of the response, which replaces the oldest one. */
void live_answers_keep(struct live_answers *answers, const struct live_question *question,
                       int64_t now_us, struct MHD_Response *response);

/* Releases all responses. */
void live_answers_free(struct live_answers *answers);

#endif
