/* When a reference is written, kept and deleted; see reference.h. */
#include "counters/state/reference.h"

#include "counters/state/held.h"
#include "counters/state/name.h"
#include "counters/state/reference_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool counters_find_reference(const struct counters *counters, enum reference which,
                             enum reference_kin *kin, char *why) {
    struct reference_header header;
    if (!reference_read(counters, which, &header, NULL, why)) {
        return false;
    }
    *kin = (enum reference_kin)header.kin;
    return true;
}

/* Whether there is one, under the node's present name. */
static bool is_ours(const struct counters *counters, const struct reference_header *header) {
    return *header->magic &&
           (header->which == REFERENCE_OPENED || strcmp(header->node, counters->header.node) == 0);
}

bool counters_read_reference(const struct counters *counters, enum reference which,
                             reference_each *each, void *cls, char *why) {
    const struct reference_taker taker = {each, cls};
    struct reference_header header;
    /* all of it is checked before the first chunk is passed on */
    return reference_read(counters, which, &header, NULL, why) &&
           (!is_ours(counters, &header) || reference_read(counters, which, &header, &taker, why));
}

bool counters_is_copy(const struct counters *counters) {
    struct reference_header header;
    char why[COUNTERS_WHY_MAX];
    return reference_read(counters, REFERENCE_OTHERS, &header, NULL, why) &&
           is_ours(counters, &header);
}

struct comparison {
    const struct counters *counters;
    bool less;
};

static void compare_chunk(void *cls, enum resolution r, int64_t chunk, const uint64_t *count) {
    struct comparison *comparison = cls;
    uint64_t held[SLOTS_MAX];
    if (held_may_lack(comparison->counters, r, chunk)) {
        return;
    }
    held_read_chunk(comparison->counters, r, chunk, held);
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        comparison->less = comparison->less || held[slot] < count[slot];
    }
}

/* Whether the file holds less than when it was noted as opened: then an older copy was restored
 * since. */
static bool is_older(const struct counters *counters, char *why) {
    struct comparison comparison = {counters, false};
    const struct reference_taker taker = {compare_chunk, &comparison};
    struct reference_header header;
    return reference_read(counters, REFERENCE_OPENED, &header, &taker, why) && comparison.less;
}

bool reference_open(struct counters *counters, char *why) {
    struct reference_header there, now;
    if (!reference_read(counters, REFERENCE_OPENED, &there, NULL, why)) {
        return false;
    }
    now = reference_make_header(REFERENCE_OPENED, REFERENCE_NEW, counters->header.node);
    if (!reference_identify(counters, &now)) {
        return state_refuse(why, "%s: %s", counters->path, strerror(errno));
    }
    if (*there.magic && there.inode == now.inode && there.birth_ns == now.birth_ns &&
        !is_older(counters, why)) {
        return true;
    }
    if (counters->header.read_back) {
        now.kin = REFERENCE_AGREED;
    } else if (*there.magic && held_has_any(counters)) {
        now.kin = REFERENCE_INHERITED;
    }
    struct held_walk walk = {.counters = counters};
    return reference_write(counters, &now, held_next, &walk, why);
}

bool reference_settle(struct counters *counters) {
    /* On disk before anything is sent: after a power loss what was sent must not be taken for
     * another's. */
    char name[REFERENCE_NAME_MAX];
    reference_name(REFERENCE_OPENED, "", name);
    return (unlinkat(counters->dir_fd, name, 0) == 0 || errno == ENOENT) &&
           fsync(counters->dir_fd) == 0;
}

bool counters_become_copy_owner(struct counters *counters, const char *node, reference_next *next,
                                void *cls, char *why) {
    const struct reference_header header =
        reference_make_header(REFERENCE_OTHERS, REFERENCE_AGREED, node);
    char before[REFERENCE_NAME_MAX], after[REFERENCE_NAME_MAX];
    reference_name(REFERENCE_OTHERS, counters->header.node, before);
    reference_name(REFERENCE_OTHERS, node, after);
    /* Until the state file has the new name, this file belongs to nobody: a crash in between leaves
     * the old name and its file. */
    if (!state_may_rename(counters, why) || !reference_write(counters, &header, next, cls, why) ||
        !state_rename(counters, node, why)) {
        return false;
    }
    if (strcmp(before, after) != 0) {
        unlinkat(counters->dir_fd, before, 0);
    }
    return reference_settle(counters) ||
           state_refuse(why, "%s: %s", counters->path, strerror(errno));
}

bool reference_copy(const struct counters *counters, const struct counters *copy, char *why) {
    size_t n = 0;
    struct reference_header header;
    if (!reference_read(counters, REFERENCE_OTHERS, &header, NULL, why)) {
        return false;
    }
    unsigned char *bytes = *header.magic ? reference_load(counters, REFERENCE_OTHERS, &n) : NULL;
    if (!*header.magic) {
        return true;
    }
    char name[REFERENCE_NAME_MAX];
    reference_name(REFERENCE_OTHERS, header.node, name);
    const int fd =
        openat(copy->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    const bool ok = bytes && fd >= 0 && write(fd, bytes, n) == (ssize_t)n && fsync(fd) == 0;
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
    return ok || state_refuse(why, "%s: cannot be copied: %s", name, strerror(error));
}

void counters_explain_inherited(const struct counters *counters, char *why) {
    char path[REFERENCE_PATH_MAX];
    state_refuse(why,
                 "%s: is a copy of a state file whose counts had never reached Redis: with both in "
                 "use they would arrive twice; if the original is gone for good, remove %s and "
                 "start again, else begin with an empty state directory",
                 counters->path, reference_path(counters, REFERENCE_OPENED, path));
}
