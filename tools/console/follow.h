/* --follow: rows as their windows close. The clock and the waiting are given, so that it is tested
 * without either. */
#ifndef AFORO_TOOLS_CONSOLE_FOLLOW_H
#define AFORO_TOOLS_CONSOLE_FOLLOW_H

#include "tools/console/source.h"
#include "tools/console/writer.h"

struct follow_world {
    int64_t (*now_us)(void *cls);
    /* Waits until that time (or a little longer); false: asked to end. */
    bool (*wait_until)(void *cls, int64_t t_us);
    /* the source went away: called once, until it was back */
    void (*complain)(void *cls, const char *why);
    /* Nothing could be printed in the first round; called once. */
    void (*waiting)(void *cls);
    void *cls;
};

/* Prints what `query` gives of the windows that are over, then each window as it closes, zeros too,
 * from the first printed on. A window is printed once: a late event does not print it again. While
 * the source is away nothing is printed; when it is back, the windows meanwhile are. What a source
 * gives of windows that are not over is not printed, whatever it says. Returns when asked to end
 * (true) or when writing failed (false; the writer knows why). */
bool follow_run(struct source *source, const struct query *query, struct writer *writer,
                const struct follow_world *world);

/* Waits until the source answers again, and a little longer; false: asked to end. */
bool follow_wait_for_return(struct source *source, const struct follow_world *world,
                            char why[SOURCE_WHY_MAX]);

#endif
