/* --follow: prints rows as their windows close. The caller provides clock and waiting, so that
 * tests need neither. */
#ifndef AFORO_TOOLS_CONSOLE_FOLLOW_H
#define AFORO_TOOLS_CONSOLE_FOLLOW_H

#include "tools/console/source.h"
#include "tools/console/writer.h"

struct follow_world {
    int64_t (*now_us)(void *cls);
    /* Waits until t_us (wall clock) or a little longer; false: it was asked to end. */
    bool (*wait_until)(void *cls, int64_t t_us);
    /* The source went away; called once each time it does. */
    void (*complain)(void *cls, const char *why);
    /* Nothing could be printed in the first round; called once. */
    void (*waiting)(void *cls);
    void *cls;
};

/* Prints the rows of `query` whose windows are over, then each window as it closes, including zeros
 * after the first one printed. A window is printed once: a late event does not print it again.
 * While the source is away, nothing is printed; when it is back, the windows in between are.
 * Windows that are not over are never printed, whatever a source says of them. Returns true when
 * asked to end, false when writing failed (the writer knows why). */
bool follow_run(struct source *source, const struct query *query, struct writer *writer,
                const struct follow_world *world);

/* Waits until the source answers again, and a little longer. False: it was asked to end. */
bool follow_wait_for_return(struct source *source, const struct follow_world *world,
                            char why[SOURCE_WHY_MAX]);

#endif
