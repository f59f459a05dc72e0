#include "server/net/address_limit.h"

#include "server/net/address_table.h"

#include <stdatomic.h>
#include <stdlib.h>

struct address_limit {
    uint32_t most;
    struct address_table *open; /* open connections */
};

struct address_limit *address_limit_new(uint32_t most) {
    struct address_limit *limit = calloc(1, sizeof *limit);
    if (!limit) {
        return NULL;
    }
    limit->most = most;
    limit->open = address_table_new();
    if (!limit->open) {
        free(limit);
        return NULL;
    }
    return limit;
}

void address_limit_free(struct address_limit *limit) {
    if (limit) {
        address_table_free(limit->open);
        free(limit);
    }
}

static address_word *find_count(struct address_limit *limit, const struct sockaddr *address) {
    return address_table_word(limit->open, address_table_hash(limit->open, address));
}

bool address_limit_admit(struct address_limit *limit, const struct sockaddr *address) {
    if (!limit) {
        return true;
    }
    address_word *open = find_count(limit, address);
    if (atomic_fetch_add_explicit(open, 1, memory_order_relaxed) < limit->most) {
        return true;
    }
    atomic_fetch_sub_explicit(open, 1, memory_order_relaxed);
    return false;
}

void address_limit_release(struct address_limit *limit, const struct sockaddr *address) {
    if (limit) {
        atomic_fetch_sub_explicit(find_count(limit, address), 1, memory_order_relaxed);
    }
}
