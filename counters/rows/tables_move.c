/* Decides which writer a worker is after the clock was set.
 *
 * A section holds one stretch of time, as a shard does (counters/rings/move.c): two windows that
 * are a section's length apart share a place, and rows are dropped in the order in which they were
 * made. When the clock is set back, windows ahead occupy the places of the present, and their rows
 * are in the way. When it steps ahead, what is counted now would push out rows of what was the
 * present, which may not have been flushed and becomes the present again when the clock is
 * corrected.
 *
 * In both cases nothing is dropped: the worker continues as another writer, with another undo
 * record and other sections in all tables, as if it were another worker. Readers and the flush sum
 * all sections. It returns to a writer that has room, so a clock that is ahead for a while costs
 * one more section for each worker and width. */
#include "counters/rows/tables_internal.h"

#include <errno.h>

#define AHEAD_US (60 * US_PER_S) /* protected windows are kept at least this long */
#define STUCK_US US_PER_S        /* after moving failed, how long until it is tried again */
/* A step of the clock by at most this, or a start this soon after the newest rows, is within the
 * margin. */
#define GAP_US (2 * US_PER_S)

unsigned tables_writer(const struct tables *tables, unsigned worker) {
    return atomic_load_explicit(&tables->hold[worker].writer, memory_order_acquire);
}

/* ---- a section ---- */

/* Whether every window that may still receive events has a place: none of their places holds a
 * newer window, and none of them has lost rows. */
static bool section_has_room(const struct table_section *section, int64_t now_us) {
    const int64_t last_over = section_over(section, now_us) + section->margin;
    return (int64_t)load(&section->page->newest) <= last_over + (int64_t)section->windows_count &&
           (int64_t)load(&section->page->lost) <= last_over;
}

/* The clock's time from which on this section, as time goes on in it, would soon drop a window
 * between from_us and to_us. */
static int64_t section_keeps_us(const struct table_section *section, int64_t from_us,
                                int64_t to_us) {
    const struct table_header *header = &section->table->header;
    const int64_t width_us = header->width_us[section->width];
    const int64_t newest = (int64_t)load(&section->page->newest);
    const int64_t lost = (int64_t)load(&section->page->lost);
    int64_t first = from_us / width_us, last = to_us / width_us;
    /* beyond the section's reach, windows are over */
    first = first > newest - (int64_t)section->windows_count
                ? first
                : newest - (int64_t)section->windows_count + 1;
    first = first > lost ? first : lost + 1;
    last = last < newest ? last : newest;
    for (int64_t window = first > 0 ? first : 1; window <= last; window++) {
        const struct window_entry *entry = section_entry(section, window);
        if (load(&entry->epoch) == (uint64_t)window && load(&entry->matched) > 0) {
            return (window + 1) * width_us + header->horizon_us + TABLE_MARGIN_US - AHEAD_US;
        }
    }
    return INT64_MAX;
}

/* ---- a writer ---- */

/* Iterates over the sections of a writer in the tables that workers count in; NULL after the
 * last. */
struct sections {
    const struct tables *tables;
    unsigned writer;
    size_t table;
    unsigned width;
};

static struct table_section *next_section(struct sections *its) {
    const size_t count = tables_count(its->tables);
    for (; its->table < count; its->table++, its->width = 0) {
        const struct table *table = its->tables->table[its->table];
        if (table->asked_for && !table_is_removed(table) && its->writer < table_workers(table) &&
            its->width < table->header.widths) {
            return table_section(table, its->writer, its->width++);
        }
    }
    return NULL;
}

static bool has_room(const struct tables *tables, unsigned writer, int64_t now_us) {
    struct sections its = {.tables = tables, .writer = writer};
    const struct table_section *section;
    bool room = true;
    while (room && (section = next_section(&its))) {
        room = section_has_room(section, now_us);
    }
    return room;
}

/* The same as section_keeps_us for everything that a writer holds and that was counted less than a
 * horizon ago by a clock behind the present one; INT64_MAX: there is no such time. */
static int64_t keeps_us(const struct tables *tables, unsigned writer,
                        const struct writer_hold *hold, int64_t now_us) {
    const struct writer_past *past = &tables->past[writer];
    const int64_t ahead_us = hold->offset_us - past->offset_us;
    const int64_t from_us = now_us - ahead_us - tables->span.horizon_us - TABLE_MARGIN_US;
    struct sections its = {.tables = tables, .writer = writer};
    const struct table_section *section;
    int64_t least_us = INT64_MAX;
    if (ahead_us <= GAP_US || now_us - hold->offset_us >= past->until_us) {
        return INT64_MAX;
    }
    while ((section = next_section(&its))) {
        const int64_t us = section_keeps_us(section, from_us, past->to_us);
        least_us = us < least_us ? us : least_us;
    }
    return least_us;
}

/* Notes that what a writer counted until now_us was counted by a clock that had been set by
 * offset_us. */
static void note_past(struct tables *tables, unsigned writer, int64_t offset_us, int64_t now_us) {
    struct writer_past *past = &tables->past[writer];
    const int64_t steady_us = now_us - offset_us, to_us = now_us + tables->span.future_us;
    if (steady_us >= past->until_us) { /* all that it holds is over */
        *past = (struct writer_past){.offset_us = offset_us, .to_us = to_us};
    }
    past->offset_us = offset_us < past->offset_us ? offset_us : past->offset_us;
    past->to_us = to_us > past->to_us ? to_us : past->to_us;
    past->until_us = steady_us + tables->span.horizon_us;
}

/* When a writer's newest window begins; 0: it has none. */
static int64_t newest_us(const struct tables *tables, unsigned writer) {
    struct sections its = {.tables = tables, .writer = writer};
    const struct table_section *section;
    int64_t newest = 0;
    while ((section = next_section(&its))) {
        const int64_t us =
            (int64_t)load(&section->page->newest) * section->table->header.width_us[section->width];
        newest = us > newest ? us : newest;
    }
    return newest;
}

/* ---- who is free ---- */

/* The writer to continue as: of those that no other worker is and that have room, the one with the
 * newest rows, which is where the worker was before. With `keeping`, a writer that would drop what
 * it must keep counts as having no room. 0: there is none. */
static unsigned find_writer(const struct tables *tables, const struct writer_hold *hold,
                            bool keeping, int64_t now_us) {
    const unsigned own = atomic_load_explicit(&hold->writer, memory_order_relaxed);
    unsigned best = 0;
    int64_t newest_best = -1;
    for (unsigned i = 1; i < tables->undo.header.records; i++) {
        if ((tables->held[i] && i != own) || !has_room(tables, i, now_us) ||
            (keeping && keeps_us(tables, i, hold, now_us) <= now_us)) {
            continue;
        }
        const int64_t newest = newest_us(tables, i);
        if (newest > newest_best || (newest == newest_best && i == own)) {
            best = i;
            newest_best = newest;
        }
    }
    return best;
}

/* Makes a new writer. 0 fills `why`: there cannot be another. */
static unsigned add_writer(struct tables *tables, char *why) {
    const unsigned writer = tables->undo.header.records;
    uint64_t sequence = 0; /* above any in tables whose undo records were removed */
    for (size_t i = 0; i < tables->count; i++) {
        const uint64_t touched = table_find_newest_touched(tables->table[i], writer);
        sequence = touched > sequence ? touched : sequence;
    }
    if (!undo_add_record(&tables->undo, sequence, why)) {
        return 0;
    }
    tables->writer[writer].undo =
        (struct undo){.record = undo_record_at(&tables->undo, writer), .sequence = sequence};
    return writer;
}

static bool take_writer(struct tables *tables, struct writer_hold *hold, unsigned writer,
                        char *why) {
    const unsigned before = atomic_load_explicit(&hold->writer, memory_order_relaxed);
    for (size_t i = 0; i < tables->count; i++) {
        struct table *table = tables->table[i];
        if (table->asked_for && !table_is_removed(table) &&
            !table_add_writers(table, writer + 1, why)) {
            return false;
        }
    }
    if (!hold->stepped) { /* otherwise noted already */
        note_past(tables, before, hold->offset_us, hold->now_us);
    }
    /* Its commits are all in the dense rings, which may drop these windows and count them anew. */
    atomic_store_explicit(&undo_record_at(&tables->undo, before)->count, 0, memory_order_relaxed);
    tables->held[before] = false;
    tables->held[writer] = true;
    atomic_store_explicit(&hold->writer, writer, memory_order_release);
    return true;
}

/* ---- the worker ---- */

/* At the start, nobody can tell whether time has passed since the newest rows were counted or the
 * clock was set. So everything held is protected as after a step, as long as some existing writer
 * has room; no new one is made for it. */
static unsigned find_first(struct tables *tables, unsigned worker, int64_t now_us) {
    const struct writer_hold *hold = &tables->hold[worker];
    const unsigned own = tables_writer(tables, worker);
    for (unsigned i = 1; i < tables->undo.header.records; i++) {
        const int64_t last_us = newest_us(tables, i), passed_us = now_us - last_us;
        if ((!tables->held[i] || i == own) && last_us > 0 &&
            (passed_us > GAP_US || passed_us < -GAP_US)) {
            note_past(tables, i, hold->offset_us - passed_us, last_us);
        }
    }
    unsigned found = find_writer(tables, hold, true, now_us);
    found = found ? found : find_writer(tables, hold, false, now_us);
    tables->past[found].until_us = 0; /* from now on it counts the present */
    return found;
}

/* With the mutex. 0 fills `why`: there is no writer to continue as. */
static unsigned choose_writer(struct tables *tables, unsigned worker, bool first, int64_t now_us,
                              char *why) {
    const struct writer_hold *hold = &tables->hold[worker];
    const unsigned own = tables_writer(tables, worker);
    if (!first && has_room(tables, own, now_us) && keeps_us(tables, own, hold, now_us) > now_us) {
        return own;
    }
    const unsigned found =
        first ? find_first(tables, worker, now_us) : find_writer(tables, hold, true, now_us);
    return found ? found : add_writer(tables, why);
}

static enum tables_move look(struct tables *tables, unsigned worker, bool first, int64_t now_us) {
    struct writer_hold *hold = &tables->hold[worker];
    const unsigned own = tables_writer(tables, worker);
    char why[COUNTERS_WHY_MAX];
    pthread_mutex_lock(&tables->mutex);
    const unsigned to = choose_writer(tables, worker, first, now_us, why);
    hold->stuck = !to || (to != own && !take_writer(tables, hold, to, why));
    hold->look_us = hold->stuck ? now_us + STUCK_US : keeps_us(tables, to, hold, now_us);
    hold->stepped = false;
    const int error = errno;
    pthread_mutex_unlock(&tables->mutex);
    errno = error;
    return hold->stuck ? TABLES_STUCK : to == own ? TABLES_STAYED : TABLES_MOVED;
}

enum tables_move tables_set_now_owner(struct tables *tables, unsigned worker, int64_t now_us) {
    struct writer_hold *hold = &tables->hold[worker];
    /* Partner: admit_workers. A worker that sees the number sees which tables these are. */
    const uint32_t asked = atomic_load_explicit(&tables->asked, memory_order_acquire);
    const bool set_back = now_us < hold->now_us;
    hold->now_us = now_us;
    if (__builtin_expect(!set_back && hold->looked == asked && now_us < hold->look_us, 1)) {
        return hold->stuck ? TABLES_STUCK : TABLES_STAYED;
    }
    const bool first = hold->looked == 0;
    hold->looked = asked;
    return asked == 0 ? TABLES_STAYED : look(tables, worker, first, now_us);
}

void tables_step_owner(struct tables *tables, unsigned worker, int64_t from_us, int64_t now_us) {
    struct writer_hold *hold = &tables->hold[worker];
    note_past(tables, tables_writer(tables, worker), hold->offset_us, from_us);
    hold->stepped = true;
    hold->offset_us += now_us - from_us;
    hold->look_us = 0;
}
