/* Rows of reports from Redis: the components that all nodes together have reported, joined to
 * states again. */
#include "counters/time/horizon.h"
#include "redis/rows_reader.h"
#include "tools/console/report_definitions.h"
#include "tools/console/source_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIND_BLOCK 1024 /* windows searched for at once */
/* After a read of at most this many rows, the next takes twice as many windows, up to what the
 * reader takes at once; after a larger one, half as many. */
#define FEW_ROWS 4096

_Static_assert(SOURCE_WHY_MAX >= LINK_WHY_MAX, "its sentences fit");

/* Windows that were read along with the one asked for. */
struct ahead {
    size_t n;
    int64_t window[ROWS_READER_WINDOWS]; /* ascending */
    struct report_rows rows[ROWS_READER_WINDOWS];
    size_t most; /* windows that the next read takes */
};

/* What is open while a question is answered. */
struct redis_reports {
    const struct source *source;
    struct link *link;
    struct held_reports reports;
    char *why; /* [SOURCE_WHY_MAX] */
    int64_t now_us;
    /* of the open report */
    const struct held_report *held;
    unsigned width;
    char width_name[16];
    int64_t block; /* number of the block of windows in `there`; -1: none */
    bool there[FIND_BLOCK];
    struct ahead ahead;
};

static bool take_report(void *cls, const char *name, const char *definition, size_t len) {
    return held_reports_add(cls, name, definition, len, NULL);
}

static void drop_ahead(struct ahead *ahead) {
    for (size_t i = 0; i < ahead->n; i++)
        report_rows_free(&ahead->rows[i]);
    ahead->n = 0;
}

static void close_reports(struct redis_reports *redis) {
    if (redis != NULL) {
        drop_ahead(&redis->ahead);
        held_reports_free(&redis->reports);
    }
    free(redis);
}

/* False fills `why` of redis. */
static bool read_list(struct redis_reports *redis) {
    char sentence[LINK_WHY_MAX];
    const struct rows_report_taker taker = {take_report, &redis->reports};
    if (rows_reader_list(redis->link, &taker, sentence))
        return true;
    if (sentence[0] != '\0')
        return source_redis_explain(redis->source, sentence, redis->why);
    snprintf(redis->why, SOURCE_WHY_MAX, "out of memory"); /* take_report stopped it */
    return false;
}

/* Connects and reads the list of reports. */
static struct redis_reports *open_reports(struct source *source, char *why) {
    struct redis_reports *redis = calloc(1, sizeof *redis);
    if (redis == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return NULL;
    }
    redis->source = source;
    redis->why = why;
    redis->link = source_redis_link(source, why);
    if (redis->link == NULL || !read_list(redis)) {
        close_reports(redis);
        return NULL;
    }
    return redis;
}

/* ---- windows ---- */

static const struct report *report_of(const struct redis_reports *redis) {
    return &redis->held->definitions->report[0];
}

static struct rows_place place_of(const struct redis_reports *redis, int64_t window) {
    return (struct rows_place){.report = redis->held->name,
                               .width = redis->width_name,
                               .width_us = report_of(redis)->table.width_us[redis->width],
                               .window = window};
}

static bool holds_rows(void *cls, int64_t window, bool *any) {
    struct redis_reports *redis = cls;
    const int64_t block = window / FIND_BLOCK;
    if (block != redis->block) {
        char sentence[LINK_WHY_MAX];
        const struct rows_place place = place_of(redis, block * FIND_BLOCK);
        redis->block = -1;
        if (!rows_reader_find(redis->link, &place, FIND_BLOCK, redis->there, sentence))
            return source_redis_explain(redis->source, sentence, redis->why);
        redis->block = block;
    }
    *any = redis->there[window % FIND_BLOCK];
    return true;
}

/* ---- rows ---- */

/* Collects the rows of windows as they arrive. */
struct taking {
    struct redis_reports *redis;
    const struct rows_place *place; /* [n] */
    struct report_gatherer *gatherer[ROWS_READER_WINDOWS];
    size_t n;
    uint64_t *state; /* [state_words] */
    bool wrong;      /* `why` of redis says what */
};

static enum component_rule rule_of(enum rows_rule rule) {
    switch (rule) {
    case ROWS_WRAP:
        return COMPONENT_WRAP;
    case ROWS_MIN:
        return COMPONENT_MIN;
    case ROWS_MAX:
        return COMPONENT_MAX;
    case ROWS_HLL:
        return COMPONENT_HLL;
    case ROWS_BLOB:
        return COMPONENT_BLOB;
    case ROWS_ADD:
        break;
    }
    return COMPONENT_ADD;
}

/* Joins one component to the state; false when no measure of the report knows it. */
static bool absorb(const struct report *report, uint64_t *state,
                   const struct rows_component *found) {
    const struct component component = {
        .name = found->name,
        .rule = rule_of(found->rule),
        .value = found->value == ROWS_VALUE_UNKNOWN ? COMPONENT_UNKNOWN : found->value,
        .bytes = found->bytes,
        .len = found->len};
    bool known = false;
    for (unsigned i = 0; i < report->measures && !known; i++) {
        const struct measure *measure = &report->measure[i];
        known = measure->kind->absorb(measure, state + measure->at, &component);
    }
    return known;
}

static int64_t count_of(const struct rows_row *row) {
    for (size_t i = 0; i < row->n; i++) {
        if (strcmp(row->component[i].name, "count") == 0)
            return row->component[i].value;
    }
    return 0;
}

/* The measures for which the nodes together reported fewer events than there are: those of a copy,
 * or of a restored backup, cannot be told apart from what was there before. */
static uint64_t find_lacking(const struct report *report, const struct rows_row *row) {
    uint64_t lacking = 0;
    for (unsigned k = 0; k < report->measures; k++) {
        int64_t events = 0;
        for (size_t i = 0; i < row->n; i++) {
            if (row->component[i].rule == ROWS_BLOB &&
                strcmp(row->component[i].name, report->measure[k].text) == 0)
                events += row->component[i].value;
        }
        if (report_measure_is_whole(&report->measure[k]) && events < count_of(row))
            lacking |= UINT64_C(1) << k;
    }
    return lacking;
}

static bool take_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    struct taking *taking = cls;
    struct report_gatherer *gatherer = taking->gatherer[place - taking->place];
    const struct report *report = report_of(taking->redis);
    memset(taking->state, 0, report->table.state_words * sizeof *taking->state);
    for (size_t i = 0; i < row->n; i++) {
        if (!absorb(report, taking->state, &row->component[i])) {
            snprintf(taking->redis->why, SOURCE_WHY_MAX,
                     "redis: report %s has a value of '%.100s' there that is none of its measures",
                     taking->redis->held->name, row->component[i].name);
            taking->wrong = true;
            return false;
        }
    }
    const size_t other_len = sizeof REPORT_OTHER - 1;
    const bool other = row->key_len == other_len && memcmp(row->key, REPORT_OTHER, other_len) == 0;
    const struct report_row added = {
        .key = other ? NULL : row->key, .key_len = row->key_len, .state = taking->state};
    taking->wrong = !report_gatherer_add(gatherer, &added, find_lacking(report, row));
    if (taking->wrong)
        snprintf(taking->redis->why, SOURCE_WHY_MAX, "out of memory");
    return !taking->wrong;
}

static bool begin_taking(struct taking *taking) {
    const struct report *report = report_of(taking->redis);
    taking->state = calloc(report->table.state_words, sizeof *taking->state);
    bool well = taking->state != NULL;
    for (size_t i = 0; i < taking->n && well; i++) {
        taking->gatherer[i] = report_gatherer_new(report);
        well = taking->gatherer[i] != NULL;
    }
    return well;
}

/* Passes on what was collected if all went well, and frees the rest. */
static bool end_taking(struct taking *taking, bool well, struct ahead *ahead) {
    bool all = well;
    for (size_t i = 0; i < taking->n; i++) {
        struct report_rows *rows = &ahead->rows[i];
        *rows = (struct report_rows){0};
        ahead->window[i] = taking->place[i].window;
        all = report_gatherer_end(taking->gatherer[i], well ? rows : NULL) && all;
    }
    free(taking->state);
    ahead->n = taking->n;
    if (well && !all)
        snprintf(taking->redis->why, SOURCE_WHY_MAX, "out of memory");
    if (!all)
        drop_ahead(ahead);
    return all;
}

/* Chooses the window and the next existing ones of its block. */
static size_t choose_windows(const struct redis_reports *redis, int64_t window,
                             struct rows_place *place) {
    const int64_t end = (window / FIND_BLOCK + 1) * FIND_BLOCK;
    size_t n = 0;
    place[n++] = place_of(redis, window);
    for (int64_t next = window + 1;
         window / FIND_BLOCK == redis->block && next < end && n < redis->ahead.most; next++) {
        if (redis->there[next % FIND_BLOCK])
            place[n++] = place_of(redis, next);
    }
    return n;
}

static void choose_pace(struct ahead *ahead) {
    size_t rows = 0;
    for (size_t i = 0; i < ahead->n; i++)
        rows += ahead->rows[i].n;
    ahead->most = rows <= FEW_ROWS ? 2 * ahead->most : (ahead->most + 1) / 2;
    if (ahead->most > ROWS_READER_WINDOWS)
        ahead->most = ROWS_READER_WINDOWS;
}

static bool read_ahead(struct redis_reports *redis, int64_t window) {
    struct rows_place place[ROWS_READER_WINDOWS];
    struct taking taking = {.redis = redis, .place = place};
    const struct rows_taker taker = {take_row, &taking};
    char sentence[LINK_WHY_MAX] = "";
    drop_ahead(&redis->ahead);
    taking.n = choose_windows(redis, window, place);
    bool well = begin_taking(&taking);
    if (!well)
        snprintf(redis->why, SOURCE_WHY_MAX, "out of memory");
    else if (!rows_reader_read_windows(redis->link, place, taking.n, &taker, sentence))
        well = taking.wrong ? false : source_redis_explain(redis->source, sentence, redis->why);
    well = end_taking(&taking, well, &redis->ahead);
    choose_pace(&redis->ahead);
    return well;
}

static bool read_rows_of(void *cls, int64_t window, struct report_rows *rows) {
    struct redis_reports *redis = cls;
    struct ahead *ahead = &redis->ahead;
    size_t i = 0;
    while (i < ahead->n && ahead->window[i] != window)
        i++;
    if (i == ahead->n) {
        if (!read_ahead(redis, window))
            return false;
        i = 0;
    }
    *rows = ahead->rows[i];
    ahead->rows[i] = (struct report_rows){0};
    ahead->window[i] = -1; /* the rows now belong to the caller */
    return true;
}

static bool open_reader(void *cls, const struct held_report *held, unsigned width,
                        struct report_reader *reader) {
    struct redis_reports *redis = cls;
    redis->held = held;
    redis->width = width;
    redis->block = -1;
    drop_ahead(&redis->ahead);
    redis->ahead.most = 1;
    const struct report *report = report_of(redis);
    const int64_t width_us = report->table.width_us[width],
                  kept_us = report->keep_us[width] + redis->source->horizon_us;
    report_width_name(width_us, redis->width_name);
    *reader = (struct report_reader){
        .holds = holds_rows,
        .read = read_rows_of,
        .cls = redis,
        .oldest = redis->now_us > kept_us ? (redis->now_us - kept_us) / width_us : 0,
        .newest = (redis->now_us + FUTURE_MAX_US) / width_us};
    return true;
}

static enum report_outcome read_rows(struct source *source, const struct report_words *words,
                                     const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    struct redis_reports *redis = open_reports(source, why);
    if (redis == NULL)
        return REPORT_AWAY;
    redis->now_us = words->now_us;
    const struct report_opener opener = {open_reader, redis, source->horizon_us, why};
    const enum report_outcome outcome = held_reports_rows(&redis->reports, words, &opener, taker);
    close_reports(redis);
    return outcome;
}

static enum report_outcome list_reports(struct source *source, enum rows_format format,
                                        const struct text_taker *taker, char why[SOURCE_WHY_MAX]) {
    struct redis_reports *redis = open_reports(source, why);
    if (redis == NULL)
        return REPORT_AWAY;
    const enum report_outcome outcome = held_reports_list(&redis->reports, format, taker, why);
    close_reports(redis);
    return outcome;
}

const struct report_ops report_redis_ops = {.rows = read_rows, .list = list_reports};
