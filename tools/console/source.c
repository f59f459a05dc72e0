/* What the sources share: turning windows into rows. */
#include "tools/console/source.h"

enum source_outcome source_rows_from_reader(const struct source *source,
                                            const struct query_reader *reader,
                                            const struct query *query, int64_t now_us,
                                            const struct row_taker *taker) {
    const enum resolution r = query->resolution;
    int64_t first, n;
    const enum query_outcome found = query_find(query, reader, now_us, &first, &n);
    if (found != QUERY_ROWS)
        return found == QUERY_NOTHING ? SOURCE_DONE : SOURCE_AWAY;
    uint64_t count[QUERY_BLOCK];
    for (int64_t done = 0; done < n;) {
        const uint32_t block = (uint32_t)(n - done < QUERY_BLOCK ? n - done : QUERY_BLOCK);
        if (!reader->read(reader->cls, r, first + done, block, count))
            return SOURCE_AWAY;
        for (uint32_t i = 0; i < block; i++) {
            const int64_t window = first + done + i;
            const struct row row = {window, count[i],
                                    window_state_at(r, window, now_us, source->horizon_us)};
            if (!taker->take(taker->cls, &row))
                return SOURCE_STOPPED;
        }
        done += block;
    }
    return SOURCE_DONE;
}
