/* Shared by check.c, which reads and compares everything, and check_doubts.c, which reads again
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
    /* as last read: what the value is compared with, the value, and the former again */
    uint64_t before, value, after;
    bool settled;
};

struct check {
    const struct check_source *source;
    unsigned sources;
    int64_t from_us, to_us, now_us;
    /* as first read, and as read after the pause */
    struct span (*span)[RESOLUTIONS], (*later)[RESOLUTIONS];
    struct doubt doubt[CHECK_DOUBTS_MAX];
    uint64_t doubts, compared; /* doubts: all, including those beyond CHECK_DOUBTS_MAX */
    char *why;
};

/* Reads the doubts again, a few times, until they are settled, and prints those that remain. False
 * when some remain or a source failed; the check's `why` says so. *again: all doubts that were kept
 * are settled, but there were more than are kept. */
bool check_settle(struct check *check, const struct check_world *world, FILE *out, bool *again);

#endif
