/* See table.h: for an event that turns out not to be one for a report, when its rows are touched
 * already. */
#include "counters/rows/table_file.h"

void table_put_back_owner(struct table_section *section, struct undo *undo, uint32_t entries) {
    const struct undo_record *record = undo->record;
    while (undo->entries > entries) {
        const struct undo_entry *entry = &record->entry[undo->entries - 1];
        const uint64_t where = atomic_load_explicit(&entry->where, memory_order_relaxed);
        assert((where ^ section->file.tag) >> UNDO_FILE_SHIFT == 0);
        atomic_store_explicit(&section->file.base[where ^ section->file.tag],
                              atomic_load_explicit(&entry->old, memory_order_relaxed),
                              memory_order_relaxed);
        /* The note is taken back after the word: who is killed in between has it stored twice. */
        atomic_signal_fence(memory_order_seq_cst);
        atomic_store_explicit(&undo->record->entries, --undo->entries, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
    }
    table_bind_lap(section);
}
