/* Decides about keys that have no row yet: whether there is room for one, and where their events go
 * otherwise. By the owner of the section. */
#include "counters/rows/table_file.h"

#include <string.h>

#define OTHER_LEN (sizeof TABLE_OTHER - 1)

/* Whether a value of a field may have a row: it has one already, or gets one. */
static bool admit_value(struct table_section *section, struct undo *undo,
                        struct window_entry *entry, const struct wanted *value) {
    if (section_find_row(section, value)) {
        return true;
    }
    word *values = &entry->more[value->field];
    if (load(values) >= section->table->header.field_max[value->field] ||
        !section_make_row(section, undo, value)) {
        return false;
    }
    undo_put_owner(undo, &section->file, values, load(values) + 1);
    return true;
}

/* A copy of a key with `(other)` in place of each value that is one too many. */
struct changed_key {
    char bytes[TABLE_KEY_MAX];
    size_t len;
    bool changed, fits;
};

static void append(struct changed_key *to, const char *bytes, size_t len) {
    to->fits = to->fits && len <= sizeof to->bytes - to->len;
    if (to->fits) {
        memcpy(to->bytes + to->len, bytes, len);
        to->len += len;
    }
}

static void admit_values(struct table_section *section, struct undo *undo,
                         struct window_entry *entry, const struct table_key *key,
                         struct changed_key *to) {
    const int64_t window = (int64_t)load(&entry->epoch);
    to->len = 0;
    to->changed = false;
    to->fits = true;
    for (unsigned i = 0; i < key->fields; i++) {
        const struct wanted value = {.bytes = key->bytes + key->at[i],
                                     .len = key->field_len[i],
                                     .window = window,
                                     .kind = ROW_VALUE,
                                     .field = i};
        struct wanted hashed = value;
        bool keep = section->table->header.field_max[i] == 0 ||
                    (value.len == OTHER_LEN && memcmp(value.bytes, TABLE_OTHER, OTHER_LEN) == 0);
        if (!keep) {
            hashed.hash = table_hash_value(section->table, i, value.bytes, value.len);
            keep = admit_value(section, undo, entry, &hashed);
        }
        if (i > 0) {
            append(to, &(char){TABLE_KEY_SEPARATOR}, 1);
        }
        append(to, keep ? value.bytes : TABLE_OTHER, keep ? value.len : OTHER_LEN);
        to->changed = to->changed || !keep;
    }
}

void section_count_other(struct table_section *section, struct undo *undo,
                         const struct window_entry *entry, uint64_t hash) {
    struct section_page *page = section->page;
    undo_put_owner(undo, &section->file, &page->other, load(&page->other) + 1);
    estimate_add_owner(page, (int64_t)load(&entry->epoch), load(&entry->rows), hash);
}

/* Makes a new row for a key, if there is room. */
static void make_key_row(struct table_section *section, struct undo *undo,
                         const struct window_entry *entry, const struct wanted *wanted,
                         struct admitted *admitted) {
    admitted->row =
        load(&entry->rows) < section->keys_max ? section_make_row(section, undo, wanted) : NULL;
    admitted->made = admitted->row != NULL;
}

/* Admits the key itself to a new row, or the key with `(other)` in place of values that are too
 * many. */
static void admit(struct table_section *section, struct undo *undo, struct window_entry *entry,
                  const struct table_key *key, struct admitted *admitted) {
    struct wanted wanted = {.bytes = key->bytes,
                            .len = key->len,
                            .hash = key->hash,
                            .window = (int64_t)load(&entry->epoch),
                            .kind = ROW_KEY};
    struct changed_key to;
    if (section->worker == 0 || !section->limits_fields || key->fields != section->fields) {
        make_key_row(section, undo, entry, &wanted, admitted);
        return;
    }
    admit_values(section, undo, entry, key, &to);
    if (!to.fits) {
        return;
    }
    if (to.changed) {
        wanted.bytes = to.bytes;
        wanted.len = to.len;
        wanted.hash = table_hash(section->table, to.bytes, to.len);
        admitted->refused = true;
        admitted->row = section_find_row(section, &wanted);
    }
    if (!admitted->row) {
        make_key_row(section, undo, entry, &wanted, admitted);
    }
}

void section_admit_key(struct table_section *section, struct undo *undo, struct window_entry *entry,
                       const struct table_key *key, struct admitted *admitted) {
    if (key->len <= TABLE_KEY_MAX) {
        admit(section, undo, entry, key, admitted);
    }
    admitted->refused = admitted->refused || !admitted->row;
    if (admitted->refused && section->worker != 0) {
        section_count_other(section, undo, entry, key->hash);
    }
}
