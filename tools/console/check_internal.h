/* Between check.c, which reads and compares everything, and check_doubts.c, which looks again at
 * what seemed to disagree. */
#ifndef AFORO_TOOLS_CONSOLE_CHECK_INTERNAL_H
#define AFORO_TOOLS_CONSOLE_CHECK_INTERNAL_H

#include "tools/console/check.h"

#define CHECK_DOUBTS_MAX 256
#define CHECK_REPORTS_MAX 20
#define CHECK_PAUSE_US (500 * US_PER_MS)

/* Counts of windows [first, first + n) of one source; later ones are 0, earlier ones unknown. */
struct span {
    int64_t first, n;
    uint64_t *count;
    size_t cap;
};

struct doubt {
    bool within;
    unsigned source;             /* within: which one */
    enum check_group one, other; /* across: which groups */
    enum resolution r;
    int64_t window;
    /* as looked at last: what it is compared with, it, and the former again */
    uint64_t before, value, after;
    bool settled;
};

struct check {
    const struct check_source *source;
    unsigned sources;
    int64_t from_us, to_us, now_us;
    /* as read first, and after the pause */
    struct span (*span)[RESOLUTIONS], (*later)[RESOLUTIONS];
    struct doubt doubt[CHECK_DOUBTS_MAX];
    uint64_t doubts, compared; /* doubts: all, those beyond CHECK_DOUBTS_MAX too */
    char *why;
};

/* Looks at the doubts again until they are settled, a few times, and prints those that are left.
 * False: some are, or a source failed; `why` of the check says so. *again: those that were looked
 * at are settled, but there were more of them than are kept. */
bool check_settle(struct check *check, const struct check_world *world, FILE *out, bool *again);

#endif
