#include "tools/console/diff_side.h"

#include "common/options.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {
    [DIFF_SERVER] = "server", [DIFF_REDIS] = "redis", [DIFF_STATE] = "state", [DIFF_LOG] = "log"};
#define KINDS (sizeof words / sizeof *words)

bool diff_side_read(const char *text, struct diff_side *side, char why[SOURCE_WHY_MAX]) {
    const char *colon = strchr(text, ':');
    const size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    *side = (struct diff_side){.name = text};
    for (size_t i = 0; colon != NULL && i < KINDS; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
            side->kind = (enum diff_kind)i;
            side->place = colon + 1;
        }
    }
    if (side->place == NULL || *side->place == '\0') {
        snprintf(why, SOURCE_WHY_MAX,
                 "'%.80s' is no source; they are server:URL, redis:URL, state:DIR and log:DIR",
                 text);
        return false;
    }
    if (side->kind == DIFF_SERVER)
        return source_server_place_is_valid(side->place, why);
    return side->kind != DIFF_REDIS || source_redis_place_is_valid(side->place, why);
}

bool diff_side_open(struct diff_side *side, const struct diff_question *question,
                    char why[SOURCE_WHY_MAX]) {
    struct source_config config = question->source;
    config.place = side->place;
    switch (side->kind) {
    case DIFF_SERVER:
        side->source = source_server_open(&config, why);
        break;
    case DIFF_REDIS:
        side->source = source_redis_open(&config, why);
        break;
    case DIFF_STATE:
        side->source = source_state_open(&config, why);
        break;
    case DIFF_LOG: {
        bool usage;
        const struct log_source_config log = {.dir = &side->place,
                                              .dirs = 1,
                                              .node = question->node,
                                              .from_us = question->from_us > 0 ? question->from_us
                                                                               : INT64_MIN,
                                              .to_us = diff_question_events_end(question),
                                              .reports = question->reports};
        side->log = log_source_open(&log, &usage, why);
        break;
    }
    }
    return side->source != NULL || side->log != NULL;
}

void diff_side_close(struct diff_side *side) {
    if (side->source != NULL)
        side->source->ops->close(side->source);
    log_source_close(side->log);
}

bool diff_side_each(struct diff_side *side, const struct diff_taker *taker,
                    char why[SOURCE_WHY_MAX]) {
    if (side->log == NULL)
        return taker->take(taker->cls, side->source, why);
    bool well = true;
    for (size_t i = 0; i < log_source_stretches(side->log) && well; i++) {
        struct source *source = log_source_read(side->log, i, why);
        well = source != NULL && taker->take(taker->cls, source, why);
    }
    if (well && !log_source_is_whole(side->log)) {
        snprintf(why, SOURCE_WHY_MAX, "%.200s: what is damaged there cannot be compared",
                 side->name);
        return false;
    }
    return well;
}

int64_t diff_question_end(const struct diff_question *question, int64_t width_us) {
    const int64_t over_us = question->over_us / width_us * width_us;
    return question->over_us > 0 && over_us < question->to_us ? over_us : question->to_us;
}

int64_t diff_question_events_end(const struct diff_question *question) {
    const int64_t to_us = question->to_us, width_us = question->widest_us;
    if (to_us > INT64_MAX - width_us)
        return QUERY_TO_NONE;
    return (to_us + width_us - 1) / width_us * width_us;
}

bool diff_side_is_live(const struct diff_side *side) {
    return side->kind == DIFF_SERVER || side->kind == DIFF_REDIS;
}
