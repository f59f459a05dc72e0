/* See table.h: for an event that turns out not to fit a report after its rows were touched. */
#include "counters/rows/table_file.h"

void table_put_back_owner(struct table_section *section, struct undo *undo, uint32_t entries) {
    const struct undo_record *record = undo->record;
    while (undo->entries > entries) {
        const struct undo_entry *entry = &record->entry[undo->entries - 1];
        const uint64_t where = load(&entry->where);
        assert((where ^ section->file.tag) >> UNDO_FILE_SHIFT == 0);
        store(&section->file.base[where ^ section->file.tag], load(&entry->old));
        /* The note is dropped after the word is restored: a kill in between restores it twice. */
        atomic_signal_fence(memory_order_seq_cst);
        store(&undo->record->entries, --undo->entries);
        atomic_signal_fence(memory_order_seq_cst);
    }
    table_bind_lap(section);
}
