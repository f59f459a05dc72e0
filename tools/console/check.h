/* `aforo check`: verifies what must hold of counts wherever they lie. One thread.
 *
 *   within each source   a second is the sum of its 10 ms windows, a minute that of its seconds
 *   in Redis             every total is the sum of the parts that nodes have reported, and every
 *                        part is whole
 *   across sources       what all servers hold together, what all state directories hold together,
 *                        and what Redis holds is the same, window by window
 *
 * Looked at are windows that are over, as far back as all that takes part in a comparison keeps
 * them; across sources no further back than the first event that a server or state directory holds,
 * since Redis remembers what was before. Counts may go up meanwhile: what seems to disagree is
 * looked at again, between two looks at what it is compared with. */
#ifndef AFORO_TOOLS_CONSOLE_CHECK_H
#define AFORO_TOOLS_CONSOLE_CHECK_H

#include "tools/console/source.h"

#include <stdio.h>

enum check_group { CHECK_SERVERS, CHECK_STATES, CHECK_REDIS, CHECK_GROUPS };

struct check_source {
    struct source *source; /* open, and the caller's */
    enum check_group group;
    const char *place; /* for messages */
};

struct check_world {
    int64_t (*now_us)(void *cls);
    void (*pause)(void *cls, int64_t us);
    void *cls;
};

struct check_request {
    const struct check_source *source; /* [sources] */
    unsigned sources;                  /* 1 and more */
    struct query query;                /* of which from_us and to_us count */
};

/* Checks the sources over windows that start in [from_us, to_us). Prints a line to `out` for each
 * window that disagrees (the first twenty, minutes before seconds) or, when there is none, how many
 * were compared. True when at least one window was compared within each source that holds events,
 * at least one across them when they are of several groups, and all agree; else false, and `why`
 * says in a sentence what is wrong. */
bool check_sources(const struct check_request *request, const struct check_world *world, FILE *out,
                   char why[SOURCE_WHY_MAX]);

#endif
