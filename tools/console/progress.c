#include "tools/console/progress.h"

#include "counters/time/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUIET_US (2 * US_PER_S)
#define EVERY_US (100 * US_PER_MS)
#define BAR 24

static int64_t steady_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

void progress_begin(struct progress *progress, uint64_t whole) {
    progress->on = isatty(STDERR_FILENO) == 1;
    progress->whole = whole;
    progress->started_us = steady_us();
    progress->due_us = progress->started_us + QUIET_US;
    progress->events = progress->bytes = 0;
    progress->written = false;
}

void progress_format(const struct progress *progress, int64_t now_us,
                     char text[PROGRESS_LINE_MAX]) {
    const uint64_t bytes = progress->bytes < progress->whole ? progress->bytes : progress->whole;
    const double part = progress->whole > 0 ? (double)bytes / (double)progress->whole : 0;
    const double s = (double)(now_us - progress->started_us) / (double)US_PER_S;
    const double rate = s > 0 ? (double)progress->events / s : 0;
    char bar[BAR + 1], left[32] = "";
    const int full = (int)(part * BAR);
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = '\0';
    if (part > 0.01)
        snprintf(left, sizeof left, "  %.0f s left", s / part - s);
    snprintf(text, PROGRESS_LINE_MAX, "replay %3.0f %%  [%s]  %.2f M events/s%s", 100 * part, bar,
             rate / 1e6, left);
}

void progress_add(struct progress *progress, uint64_t events, uint64_t bytes) {
    atomic_fetch_add_explicit(&progress->events, events, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress->bytes, bytes, memory_order_relaxed);
    if (!progress->on)
        return;
    const int64_t now_us = steady_us();
    int64_t due_us = atomic_load_explicit(&progress->due_us, memory_order_relaxed);
    if (now_us < due_us ||
        !atomic_compare_exchange_strong(&progress->due_us, &due_us, now_us + EVERY_US))
        return;
    char text[PROGRESS_LINE_MAX];
    progress_format(progress, now_us, text);
    progress->written = true;
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
}

void progress_clear(struct progress *progress) {
    if (atomic_exchange(&progress->written, false))
        fprintf(stderr, "\r\033[K");
}
