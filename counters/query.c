/* See query.h. Rows end where the events end, so the end is searched first, backwards: it is nearly
 * always in the first block. */
#include "counters/query.h"

static int64_t min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The first window that starts at t_us or later. */
static int64_t find_window_from(enum resolution r, int64_t t_us) {
    const int64_t width_us = resolution_table[r].width_us;
    return t_us <= 0 ? 0 : (t_us - 1) / width_us + 1;
}

static bool read_block(const struct query_reader *reader, enum resolution r, int64_t from,
                       int64_t end, uint64_t *out) {
    return reader->read(reader->cls, r, from, (uint32_t)(end - from), out);
}

/* The last window with events in [low, end). */
static enum query_outcome find_last(const struct query_reader *reader, enum resolution r,
                                    int64_t low, int64_t end, int64_t *found) {
    uint64_t count[QUERY_BLOCK];
    while (end > low) {
        const int64_t from = max_i64(low, end - QUERY_BLOCK);
        if (!read_block(reader, r, from, end, count))
            return QUERY_FAILED;
        for (int64_t w = end - 1; w >= from; w--) {
            if (count[w - from] != 0) {
                *found = w;
                return QUERY_ROWS;
            }
        }
        end = from;
    }
    return QUERY_NOTHING;
}

/* The first window with events in [low, end). */
static enum query_outcome find_first(const struct query_reader *reader, enum resolution r,
                                     int64_t low, int64_t end, int64_t *found) {
    uint64_t count[QUERY_BLOCK];
    while (low < end) {
        const int64_t block_end = min_i64(end, low + QUERY_BLOCK);
        if (!read_block(reader, r, low, block_end, count))
            return QUERY_FAILED;
        for (int64_t w = low; w < block_end; w++) {
            if (count[w - low] != 0) {
                *found = w;
                return QUERY_ROWS;
            }
        }
        low = block_end;
    }
    return QUERY_NOTHING;
}

enum query_outcome query_find(const struct query *query, const struct query_reader *reader,
                              int64_t now_us, int64_t *first, int64_t *n) {
    const enum resolution r = query->resolution;
    const int64_t from = find_window_from(r, query->from_us);
    const int64_t low = max_i64(reader->oldest, from);
    int64_t end = min_i64(reader->newest, INT64_MAX - 1) + 1;
    if (query->to_us != QUERY_TO_NONE)
        end = min_i64(end, find_window_from(r, query->to_us));
    if (!query->partial)
        end = min_i64(end, window_at(r, now_us));
    int64_t last_window;
    enum query_outcome outcome = find_last(reader, r, low, end, &last_window);
    if (outcome != QUERY_ROWS)
        return outcome;
    *first = from;
    if (query->last > 0 && query->last <= last_window)
        *first = max_i64(from, last_window - query->last + 1);
    if (query->last == 0 || *first < reader->kept) {
        const int64_t known = query->last == 0 ? last_window : min_i64(last_window, reader->kept);
        outcome = find_first(reader, r, max_i64(low, *first), known, first);
        if (outcome == QUERY_FAILED)
            return outcome;
        if (outcome == QUERY_NOTHING)
            *first = known; /* perhaps the only one, and a store may drop it meanwhile */
    }
    *n = last_window - *first + 1;
    return QUERY_ROWS;
}
