/* What a body of lines means, said as simply as it can be: cut the whole at every LF, drop a CR,
 * pass over what is empty, parse the rest with the plain parser. The stream is tested and fuzzed
 * against it. */
#ifndef AFORO_TESTS_UNIT_INGEST_LINES_REFERENCE_H
#define AFORO_TESTS_UNIT_INGEST_LINES_REFERENCE_H

#include "counters/time/window.h"
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

/* The lines that the i-th of a batch stands for, from that number on, into *all; returns the number
 * behind them. 0 when they are not of one window. */
static inline uint64_t times_take(const struct lines_batch *batch, uint32_t i, uint64_t line,
                                  struct outcomes *all) {
    const int64_t window = window_at(RESOLUTION_10MS, batch->us[i]);
    const char *text = batch->text[i];
    int64_t us = batch->us[i];
    for (unsigned n = batch->times[i]; n > 0; n--) {
        outcomes_add(all, line++, true, us, NULL);
        if (window_at(RESOLUTION_10MS, us) != window) {
            return 0;
        }
        text = n > 1 ? lines_next_time(text, &us) : text;
    }
    return line;
}

/* What a batch yields, into *all. False when it breaks the contract of lines_feed. */
static inline bool batch_take(const struct lines_batch *batch, struct outcomes *all) {
    if (batch->n > LINES_BATCH) {
        return false;
    }
    uint64_t line = batch->first_line;
    for (uint32_t i = 0; i < batch->n; i++) {
        if (!batch->has_windows) {
            outcomes_add(all, line++, true, batch->us[i], NULL);
        } else if ((line = times_take(batch, i, line, all)) == 0) {
            return false;
        }
    }
    if (batch->malformed) {
        outcomes_add(all, batch->bad_line, false, 0, &batch->error);
    }
    return !batch->malformed || batch->n == 0 || batch->bad_line == line;
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
