/* The rows of an event in one report: its key and where that leads. See adder.h. */
#include "reports/adder.h"

#include "reports/read.h"

/* ---- the key ---- */

/* Appends the value of `by` field number i to the key. False when that makes the key too long. */
static bool append_value(const struct addition *addition, const struct adder_by *by, unsigned i) {
    struct table_key *key = &addition->adder->key;
    char *bytes = addition->adder->bytes;
    const struct aforo_value *value = &addition->record->value[by->field];
    if (i > 0) {
        if (key->len == TABLE_KEY_MAX)
            return false;
        bytes[key->len++] = REPORT_KEY_SEPARATOR;
    }
    const size_t room = TABLE_KEY_MAX - key->len;
    const size_t len = by->is_text
                           ? report_key_escape(value->text, value->len, bytes + key->len, room)
                           : report_key_number(value->number, by->decimals, bytes + key->len, room);
    if (len == REPORT_KEY_FULL)
        return false;
    key->at[i] = (uint16_t)key->len;
    key->field_len[i] = (uint16_t)len;
    key->len += len;
    return true;
}

/* Builds the event's key in a report; false when it is too long. */
static bool make_key(struct addition *addition, const struct adder_report *its) {
    struct table_key *key = &addition->adder->key;
    key->bytes = addition->adder->bytes;
    key->len = 0;
    key->fields = its->by;
    for (unsigned i = 0; i < its->by; i++) {
        if (!append_value(addition, &its->by_field[i], i)) {
            adder_note_unfit(
                addition, its,
                &(const struct left_out){.fields = UINT64_C(1) << its->by_field[i].field,
                                         .key_too_long = true});
            return false;
        }
    }
    key->hash = table_hash(its->table, key->bytes, key->len);
    return true;
}

/* ---- where it leads to ---- */

/* The window of an event. Usually it is that of the event before, which saves a division. */
static inline int64_t find_window(struct adder_width *width, int64_t us) {
    if ((uint64_t)(us - width->start_us) >= (uint64_t)width->width_us) {
        width->window = table_window(width->width_us, us);
        width->start_us = width->window * width->width_us;
    }
    return width->window;
}

/* Finds the slot that belongs to the event's key. */
static inline void find_slot(const struct addition *addition, struct adder_report *its,
                             struct adder_rows *rows) {
    rows->slot = NULL;
    rows->is_known = false;
    if (!recent_is_worth(&its->recent))
        return;
    recent_begin(&rows->key);
    for (unsigned i = 0; i < its->by; i++) {
        const struct adder_by *by = &its->by_field[i];
        const struct aforo_value *value = &addition->record->value[by->field];
        if (by->is_text)
            recent_add_text(&rows->key, i, value->text, value->len);
        else
            recent_add_number(&rows->key, value->number);
    }
    if (rows->key.words > 0) {
        rows->slot = recent_find(&its->recent, &rows->key);
        rows->is_known = recent_is(rows->slot, &rows->key);
        its->recent.hits += rows->is_known;
    }
}

static bool note_gone(struct addition *addition, const struct adder_report *its) {
    _Atomic uint64_t *gone = &addition->adder->gone[its - addition->adder->report];
    /* There is one writer, so no lock prefix is needed. */
    atomic_store_explicit(gone, atomic_load_explicit(gone, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return false;
}

static bool find_base_rows(struct addition *addition, struct adder_report *its,
                           struct adder_rows *rows) {
    struct undo *undo = addition->adder->undo;
    for (unsigned k = 0; k < its->widths; k++) {
        struct adder_width *width = &its->width[k];
        const int64_t window = find_window(width, addition->us);
        rows->row[k] = &width->base; /* not made by any transaction */
        if (width->base.number == window &&
            table_find_again_owner(width->section, undo, &width->base, 0))
            continue;
        if (!table_find_owner(width->section, undo, window, NULL, &width->base))
            return note_gone(addition, its);
    }
    return true;
}

bool adder_find_rows(struct addition *addition, struct adder_report *its, struct adder_rows *rows) {
    struct adder *adder = addition->adder;
    rows->slot = NULL;
    rows->searched = 0;
    if (its->by == 0)
        return find_base_rows(addition, its, rows);
    find_slot(addition, its, rows);
    for (unsigned k = 0; k < its->widths; k++) {
        struct adder_width *width = &its->width[k];
        const int64_t window = find_window(width, addition->us);
        const struct table_row *kept = rows->is_known ? &rows->slot->row[k] : NULL;
        rows->row[k] = kept;
        if (kept != NULL && kept->number == window &&
            table_find_again_owner(width->section, adder->undo, kept, rows->slot->hash))
            continue;
        if (rows->searched == 0 && !make_key(addition, its))
            return false;
        rows->row[k] = &rows->found[k];
        rows->searched |= 1U << k;
        if (!table_find_owner(width->section, adder->undo, window, &adder->key, &rows->found[k]))
            return note_gone(addition, its);
    }
    return true;
}

void adder_keep_rows(const struct adder *adder, const struct adder_report *its,
                     const struct adder_rows *rows) {
    struct recent_slot *slot = rows->slot;
    if (!rows->is_known) {
        memset(slot->row, 0, its->widths * sizeof slot->row[0]);
        memcpy(slot->word, rows->key.word, rows->key.words * sizeof slot->word[0]);
        slot->hash = adder->key.hash;
    }
    for (unsigned k = 0; k < its->widths; k++) {
        if (rows->searched >> k & 1)
            table_keep_row(&rows->found[k], &slot->row[k]);
    }
}
