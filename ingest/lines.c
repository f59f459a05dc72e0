/* There are two ways through a body. Lines of one layout that are complete in the data are read by
 * run_on, one after the other at a fixed stride, without searching for their ends: either the end
 * is where the layout says, or it is another layout. Everything else is read by lines_next: a line
 * at a time, searching for its end and joining pieces. */
#include "ingest/lines.h"

#include "ingest/timestamp_window.h"

#include <stdio.h>
#include <string.h>

enum { RUN_NONE, RUN_USUAL, RUN_LAYOUT };

void lines_begin(struct lines *lines, struct timestamp_layouts *layouts) {
    memset(lines, 0, sizeof *lines);
    lines->layouts = layouts;
    lines->line = 1;
    lines->stride = TIMESTAMP_FAST_LEN + 1;
    lines->last = '\n';
    timestamp_day_begin(&lines->day);
    timestamp_day_begin(&lines->other_day);
}

static void batch_add(struct lines *lines, struct lines_batch *batch, int64_t us) {
    if (batch->n == 0) {
        batch->first_line = lines->line;
    }
    batch->us[batch->n++] = us;
    lines->line++;
}

static void batch_refuse(struct lines *lines, struct lines_batch *batch) {
    batch->malformed = true;
    batch->bad_line = lines->line++;
}

/* Makes the day of a line the current one. Around midnight two days may alternate. */
static bool learn_day(struct lines *lines, const char *line) {
    if (timestamp_day_is(&lines->day, line)) {
        return true;
    }
    const struct timestamp_day before = lines->day;
    lines->day = lines->other_day;
    lines->other_day = before;
    return timestamp_day_is(&lines->day, line) || timestamp_day_learn(&lines->day, line);
}

/* Learns day and kind from a line of len bytes, including its end, so that run_usual recognizes the
 * next ones of the kind: the usual layout and LF, with at most one byte in between that changes
 * nothing. */
static bool learn_usual(struct lines *lines, const char *line, size_t len) {
    if (len != TIMESTAMP_FAST_LEN + 1 && len != TIMESTAMP_FAST_LEN + 2) {
        return false;
    }
    const char last = line[TIMESTAMP_FAST_LEN];
    if ((last != '\n' && last != '\r' && last != 'Z' && last != 'z') || !learn_day(lines, line)) {
        return false;
    }
    lines->stride = (unsigned char)len;
    lines->last = last;
    return true;
}

/* Notes that lines up to `us` were read from the start of the data. */
static void batch_note(struct lines *lines, struct lines_batch *batch, const int64_t *us) {
    const uint32_t taken = (uint32_t)(us - (batch->us + batch->n));
    if (batch->n == 0) {
        batch->first_line = lines->line;
    }
    batch->n += taken;
    lines->line += taken;
}

/* Reads as many lines of the usual layout and the current day as the data begin with, up to `end`
 * in the batch at most; returns the bytes used. A line takes about 2 ns here, 3.5 without SSE2
 * (bench/lines.c). */
static inline size_t run_day(struct lines *lines, const char *data, size_t len,
                             struct lines_batch *batch, const int64_t *end) {
    const struct timestamp_day day = lines->day; /* a copy: stores to the batch cannot alias it */
    const size_t stride = lines->stride;
    const char last = lines->last;
    const char *at = data;
    int64_t *us = batch->us + batch->n;
    while (us < end && (size_t)(data + len - at) >= stride && at[TIMESTAMP_FAST_LEN] == last &&
           at[stride - 1] == '\n' && timestamp_fast(&day, at, us)) {
        us++;
        at += stride;
    }
    batch_note(lines, batch, us);
    return (size_t)(at - data);
}

/* Takes the lines in the same window after the one at data, which is the batch's last; returns
 * their bytes. */
static size_t run_window(struct lines *lines, const char *data, size_t len,
                         struct lines_batch *batch) {
    const size_t n = timestamp_window_count(data, len, lines->stride, LINES_TIMES_MAX - 1);
    if (n > 0) {
        batch->has_windows = true;
        batch->text[batch->n - 1] = data;
        batch->times[batch->n - 1] = (unsigned char)(1 + n);
        lines->line += n;
    }
    return n * lines->stride;
}

/* Like run_day; but if the caller needs only windows, also looks for runs of lines in one window:
 * at once after such a run, and ever more rarely after lines without one. */
static size_t run_usual(struct lines *lines, const char *data, size_t len,
                        struct lines_batch *batch) {
    if (!lines->by_window) {
        return run_day(lines, data, len, batch, batch->us + LINES_BATCH);
    }
    size_t used = 0, wanted = 4;
    bool open = true;
    while (open && batch->n < LINES_BATCH) {
        const size_t room = LINES_BATCH - batch->n, before = batch->n;
        wanted = wanted < room ? wanted : room;
        used += run_day(lines, data + used, len - used, batch, batch->us + before + wanted);
        open = batch->n - before == wanted;
        const char *last = data + used - lines->stride;
        const size_t more = open ? run_window(lines, last, (size_t)(data + len - last), batch) : 0;
        used += more;
        wanted = more > 0 ? 4 : 4 * wanted;
    }
    return used;
}

/* The same for whatever layout the line before had. */
static size_t run_layout(struct lines *lines, const char *data, size_t len,
                         struct lines_batch *batch) {
    const struct timestamp_layout layout = lines->layouts->layout[lines->layouts->last];
    const size_t stride = layout.len + (size_t)lines->crlf + 1;
    const size_t reach = layout.reach > stride ? layout.reach : stride;
    const char *at = data;
    int64_t *us = batch->us + batch->n;
    while (us < batch->us + LINES_BATCH && (size_t)(data + len - at) >= reach &&
           at[stride - 1] == '\n' && (!lines->crlf || at[layout.len] == '\r') &&
           timestamp_layout_read(&layout, at, us)) {
        us++;
        at += stride;
    }
    batch_note(lines, batch, us);
    return (size_t)(at - data);
}

static size_t run_on(struct lines *lines, const char *data, size_t len, struct lines_batch *batch) {
    return lines->run == RUN_USUAL    ? run_usual(lines, data, len, batch)
           : lines->run == RUN_LAYOUT ? run_layout(lines, data, len, batch)
                                      : 0;
}

/* The end of the line at data; NULL when it is not within len. */
static const char *find_end(const char *data, size_t len) {
#ifdef __SSE2__
    if (len >= 48) {
        const __m128i lf = _mm_set1_epi8('\n');
        unsigned ends = 0;
        for (int i = 0; i < 3; i++) {
            ends =
                (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(timestamp_sixteen(data + 16 * i), lf));
            if (ends != 0) {
                return data + 16 * i + __builtin_ctz(ends);
            }
        }
    }
#endif
    return memchr(data, '\n', len);
}

/* Takes one complete line, without its LF. False when it ends the batch: malformed, or empty after
 * good ones. */
static bool lines_take(struct lines *lines, const char *line, size_t len,
                       struct lines_batch *batch) {
    if (len > 0 && line[len - 1] == '\r') {
        len--;
    }
    if (len == 0) {
        lines->line++;
        return batch->n == 0;
    }
    int64_t us;
    if (!timestamp_layouts_parse(lines->layouts, line, len, &us, &batch->error)) {
        batch_refuse(lines, batch);
        return false;
    }
    batch_add(lines, batch, us);
    return true;
}

/* The same for a line of a layout seen before; false when it is none. left: bytes readable from it
 * on. */
static bool take_known(struct lines *lines, const char *line, size_t len, size_t left,
                       struct lines_batch *batch) {
    int64_t us;
    if (learn_usual(lines, line, len + 1) && timestamp_fast(&lines->day, line, &us)) {
        lines->run = RUN_USUAL;
        batch_add(lines, batch, us);
        return true;
    }
    const bool crlf = len > 0 && line[len - 1] == '\r';
    const size_t text_len = len - crlf;
    struct timestamp_layouts *layouts = lines->layouts;
    const unsigned place = text_len % TIMESTAMP_LAYOUTS;
    struct timestamp_layout *layout = &layouts->layout[place];
    lines->run = RUN_NONE;
    if (layout->len != text_len || text_len == 0 || left < layout->reach ||
        !timestamp_layout_read_on(layout, line, &us)) {
        return false;
    }
    if (layouts->last == place && lines->crlf == crlf) {
        lines->run = RUN_LAYOUT;
    }
    layouts->last = place;
    lines->crlf = crlf;
    batch_add(lines, batch, us);
    return true;
}

/* Stores a piece of a line whose end has not arrived. */
static void lines_hold(struct lines *lines, const char *piece, size_t len) {
    if (lines->overlong || len > sizeof lines->part - lines->held) {
        lines->overlong = true;
        return;
    }
    memcpy(lines->part + lines->held, piece, len);
    lines->held = (unsigned char)(lines->held + len);
}

/* Takes the stored line, which is complete now. */
static bool lines_take_held(struct lines *lines, struct lines_batch *batch) {
    /* Any text of more than TIMESTAMP_MAX bytes is refused because of its length; its bytes do not
     * matter. */
    const size_t len = lines->overlong ? TIMESTAMP_MAX + 1 : lines->held;
    if (lines->overlong) {
        lines->part[TIMESTAMP_MAX] = 0; /* not a CR, which would be cut off */
    }
    lines->held = 0;
    lines->overlong = false;
    return lines_take(lines, lines->part, len, batch);
}

/* Takes the next line, or stores the piece of it that has arrived. Adds the bytes used to *used;
 * false when it ends the batch. */
static bool lines_next(struct lines *lines, const char *data, size_t len, struct lines_batch *batch,
                       size_t *used) {
    const char *end = find_end(data, len);
    if (end == NULL) {
        lines_hold(lines, data, len);
        *used += len;
        return true;
    }
    const size_t piece = (size_t)(end - data);
    *used += piece + 1;
    if (lines->held > 0 || lines->overlong) {
        lines_hold(lines, data, piece);
        return lines_take_held(lines, batch);
    }
    return take_known(lines, data, piece, len, batch) || lines_take(lines, data, piece, batch);
}

static void lines_batch_begin(const struct lines *lines, struct lines_batch *batch) {
    batch->n = 0;
    batch->malformed = batch->has_windows = false;
    if (lines->by_window) {
        memset(batch->times, 1, sizeof batch->times);
    }
}

size_t lines_feed(struct lines *lines, const char *data, size_t len, struct lines_batch *batch) {
    size_t used = 0;
    bool open = true;
    lines_batch_begin(lines, batch);
    while (open && used < len && batch->n < LINES_BATCH) {
        if (lines->held == 0 && !lines->overlong) {
            used += run_on(lines, data + used, len - used, batch);
        }
        if (used < len && batch->n < LINES_BATCH) {
            open = lines_next(lines, data + used, len - used, batch, &used);
        }
    }
    return used;
}

const char *lines_next_time(const char *text, int64_t *us) {
    struct timestamp_error error;
    const char *next = text + TIMESTAMP_FAST_LEN + 1;
    next += next[-1] == '\n' ? 0 : 1;
    timestamp_parse(next, TIMESTAMP_FAST_LEN, us, &error);
    return next;
}

void lines_end(struct lines *lines, struct lines_batch *batch) {
    lines_batch_begin(lines, batch);
    if (lines->held > 0 || lines->overlong) {
        lines_take_held(lines, batch);
    }
}

size_t lines_explain(const struct timestamp_error *error, char *buf, size_t cap) {
    const size_t len = timestamp_explain(error, buf, cap);
    const bool too_long = error->at == TIMESTAMP_MAX && !error->what;
    const char *hint = too_long
                           ? "; are the line ends lost? (curl: --data-binary @FILE, not --data)"
                       : error->at == 0 && error->found == '{'
                           ? "; JSON lines need Content-Type: application/x-ndjson"
                       : error->at == 0 && error->found ? "; a line begins with its timestamp"
                                                        : "";
    const int more = snprintf(buf + len, cap - len, "%s", hint);
    return len + (size_t)more < cap ? len + (size_t)more : cap - 1;
}
