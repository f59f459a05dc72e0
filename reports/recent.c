/* See recent.h. */
#include "reports/recent.h"

#include <stdlib.h>

#define LINE_BYTES 64

bool recent_make(struct recent *recent, unsigned widths) {
    const size_t bytes = sizeof(struct recent_slot) + widths * sizeof(struct table_row);
    recent->slot_bytes = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    recent->slots = aligned_alloc(LINE_BYTES, RECENT_SLOTS * recent->slot_bytes);
    if (recent->slots != NULL)
        recent_forget(recent);
    return recent->slots != NULL;
}

void recent_forget(struct recent *recent) {
    memset(recent->slots, 0, RECENT_SLOTS * recent->slot_bytes);
}

void recent_free(struct recent *recent) {
    free(recent->slots);
    recent->slots = NULL;
}
