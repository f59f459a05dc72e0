/* What a body of lines means, said as simply as it can be: cut the whole at every LF, drop a CR,
 * pass over what is empty, parse the rest with the plain parser. The stream is tested and fuzzed
 * against it. */
#ifndef AFORO_TESTS_UNIT_INGEST_LINES_REFERENCE_H
#define AFORO_TESTS_UNIT_INGEST_LINES_REFERENCE_H

#include "ingest/lines.h"

#include <stdio.h>
#include <string.h>

struct outcome {
    uint64_t line;
    bool good;
    int64_t us;   /* when good */
    char why[96]; /* when not */
};

struct outcomes {
    size_t n, cap;
    struct outcome *at; /* the caller's */
};

static inline void outcomes_add(struct outcomes *all, uint64_t line, bool good, int64_t us,
                                const struct timestamp_error *error) {
    if (all->n == all->cap) {
        return; /* too many for the caller: it sees n == cap */
    }
    struct outcome *o = &all->at[all->n++];
    *o = (struct outcome){.line = line, .good = good, .us = good ? us : 0};
    if (!good) {
        timestamp_explain(error, o->why, sizeof o->why);
    }
}

static inline void reference_read(const char *body, size_t len, struct outcomes *all) {
    uint64_t line = 1;
    for (size_t at = 0; at < len; line++) {
        const char *lf = memchr(body + at, '\n', len - at);
        const size_t end = lf != NULL ? (size_t)(lf - body) : len;
        const size_t text = end > at && body[end - 1] == '\r' ? end - 1 : end;
        if (text > at) {
            int64_t us = 0;
            struct timestamp_error error;
            const bool good = timestamp_parse_plain(body + at, text - at, &us, &error);
            outcomes_add(all, line, good, us, &error);
        }
        at = end + 1;
    }
}

/* What a batch yields, into *all. False when it breaks the contract of lines_feed. */
static inline bool batch_take(const struct lines_batch *batch, struct outcomes *all) {
    if (batch->n > LINES_BATCH) {
        return false;
    }
    for (uint32_t i = 0; i < batch->n; i++) {
        outcomes_add(all, batch->first_line + i, true, batch->us[i], NULL);
    }
    if (batch->malformed) {
        outcomes_add(all, batch->bad_line, false, 0, &batch->error);
    }
    return !batch->malformed || batch->n == 0 || batch->bad_line == batch->first_line + batch->n;
}

/* One read's worth, until it is used up. False when a call neither uses nor yields anything. */
static inline bool stream_read(struct lines *lines, const char *data, size_t len,
                               struct outcomes *all) {
    struct lines_batch batch;
    while (len > 0) {
        const size_t used = lines_feed(lines, data, len, &batch);
        if (used > len || (used == 0 && batch.n == 0 && !batch.malformed) ||
            !batch_take(&batch, all)) {
            return false;
        }
        data += used;
        len -= used;
    }
    return true;
}

static inline bool stream_end(struct lines *lines, struct outcomes *all) {
    struct lines_batch batch;
    lines_end(lines, &batch);
    return batch.n <= 1 && batch_take(&batch, all);
}

static inline bool outcomes_equal(const struct outcomes *a, const struct outcomes *b) {
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (a->at[i].line != b->at[i].line || a->at[i].good != b->at[i].good ||
            a->at[i].us != b->at[i].us || strcmp(a->at[i].why, b->at[i].why) != 0) {
            return false;
        }
    }
    return true;
}

#endif
