#include "server/http/live_answers.h"

static bool is_same(const struct live_question *a, const struct live_question *b) {
    bool same = a->nodes == b->nodes;
    for (int r = 0; r < RESOLUTIONS; r++) {
        same = same && a->windows[r] == b->windows[r];
    }
    return same;
}

struct MHD_Response *live_answers_find(const struct live_answers *answers,
                                       const struct live_question *question, int64_t now_us) {
    for (size_t i = 0; i < LIVE_ANSWERS; i++) {
        const struct live_answer *answer = &answers->answer[i];
        if (answer->response && now_us - answer->made_us < LIVE_KEPT_US &&
            is_same(&answer->question, question)) {
            return answer->response;
        }
    }
    return NULL;
}

/* The library counts references to a response: it lives until the last connection has sent it. */
static void drop(struct live_answer *answer) {
    if (answer->response) {
        MHD_destroy_response(answer->response);
    }
    *answer = (struct live_answer){0};
}

void live_answers_keep(struct live_answers *answers, const struct live_question *question,
                       int64_t now_us, struct MHD_Response *response) {
    struct live_answer *oldest = &answers->answer[0];
    for (size_t i = 1; i < LIVE_ANSWERS; i++) {
        struct live_answer *answer = &answers->answer[i];
        if (oldest->response && (!answer->response || answer->made_us < oldest->made_us)) {
            oldest = answer;
        }
    }
    drop(oldest);
    *oldest = (struct live_answer){*question, now_us, response};
}

void live_answers_free(struct live_answers *answers) {
    for (size_t i = 0; i < LIVE_ANSWERS; i++) {
        drop(&answers->answer[i]);
    }
}
