/* `aforo check`: verifies what must hold of counts wherever they are. One thread.
 *
 *   within each source   a second is the sum of its 10 ms windows, a minute that of its seconds
 *   in Redis             every total is the sum of the parts that nodes have reported, and every
 *                        part is whole
 *   across sources       what all servers hold together, what all state directories hold together,
 *                        and what Redis holds is the same, window by window
 *
 * It examines windows that are over, as far back as everything in a comparison keeps them; across
 * sources, no further back than the first event in a server or state directory, since Redis
 * remembers what was before. Counts may grow meanwhile: what seems to disagree is read again,
 * between two readings of what it is compared with. */
#ifndef AFORO_TOOLS_CONSOLE_CHECK_H
#define AFORO_TOOLS_CONSOLE_CHECK_H

#include "tools/console/source.h"

#include <stdio.h>

enum check_group { CHECK_SERVERS, CHECK_STATES, CHECK_REDIS, CHECK_GROUPS };

struct check_source {
    struct source *source; /* open; remains the caller's */
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
    unsigned sources;                  /* at least 1 */
    struct query query;                /* only from_us and to_us are used */
};

/* Checks the sources over windows that start in [from_us, to_us). Prints to `out` a line for each
 * window that disagrees (the first twenty, minutes before seconds) or, if there is none, how many
 * were compared. True if at least one window was compared within each source that has events, at
 * least one across sources if they are of several groups, and all agree. Otherwise false, and `why`
 * says in a sentence what is wrong. */
bool check_sources(const struct check_request *request, const struct check_world *world, FILE *out,
                   char why[SOURCE_WHY_MAX]);

#endif
