#include "redis/rows_audit.h"

#include "redis/rows_audit_boards.h"
#include "redis/rows_hash.h"
#include "redis/rows_pack.h"
#include "redis/rows_reader.h"
#include "redis/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOARDS_LOOKS 3
#define READINGS_MAX 10 /* of a window that changes while being read */

/* What one field contributes to one number: a total's value, or minus a part's value. The sum must
 * be 0. */
struct entry {
    const char *key; /* of the row, or the node whose events are counted */
    size_t key_len;
    const struct rows_name *name; /* of the component; NULL: the number of a node's events */
    int64_t value;
};

/* The hash of one window of one group, while it is checked. */
struct window {
    const struct rows_place *place;
    char key[ROWS_KEY_MAX];
    audit_finding *finding;
    void *cls;
    struct rows_names names;
    struct rows_bytes entries;        /* struct entry[] */
    struct rows_component *component; /* [names.n] */
    bool final, until_is_right, failed;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct window *window,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    audit_tell(window->key, window->finding, window->cls, format, args);
    va_end(args);
}

static void note(struct window *window, const char *key, size_t key_len,
                 const struct rows_name *name, int64_t value) {
    const struct entry entry = {key, key_len, name, value};
    window->failed = window->failed || !rows_bytes_put(&window->entries, &entry, sizeof entry);
}

static const struct rows_name *find_name(const struct window *window, const char *name,
                                         size_t len) {
    for (size_t i = 0; i < window->names.n; i++) {
        if (window->names.name[i].len == len &&
            memcmp(window->names.name[i].name, name, len) == 0) {
            return &window->names.name[i];
        }
    }
    return NULL;
}

static bool is_added_up(const struct rows_name *name) {
    return name->rule == ROWS_ADD || name->rule == ROWS_WRAP;
}

/* "<key> US <component>" */
static void take_total(struct window *window, const redisReply *field, const redisReply *value) {
    size_t key_len = field->len - 1;
    while (field->str[key_len] != ROWS_SEPARATOR) {
        key_len--;
    }
    const struct rows_name *name =
        find_name(window, field->str + key_len + 1, field->len - key_len - 1);
    int64_t number = 0;
    if (!name || name->rule == ROWS_BLOB) {
        tell(window, "field '%.60s' is of no component", field->str);
    } else if (!rows_number_read(value->str, value->len, &number)) {
        tell(window, "the total '%.60s' is no number", field->str);
    } else if (is_added_up(name)) {
        note(window, field->str, key_len, name, number);
    }
}

/* "n:<node> RS <key>" */
static void take_part(struct window *window, const redisReply *field, const redisReply *value) {
    const char *end = memchr(field->str, ROWS_PART_SEPARATOR, field->len);
    const size_t key_at = (size_t)(end - field->str) + 1;
    uint64_t events = 0;
    size_t n = 0;
    if (!rows_part_read(value->str, value->len, &window->names, &events, &n, window->component)) {
        tell(window, "a row of the part of node %.63s is damaged", field->str + 2);
        return;
    }
    note(window, field->str + 2, key_at - 3, NULL, -(int64_t)events);
    for (size_t i = 0; i < n; i++) {
        note(window, field->str + key_at, field->len - key_at,
             find_name(window, window->component[i].name, strlen(window->component[i].name)),
             -window->component[i].value);
    }
}

/* "n:<node>" */
static void take_node(struct window *window, const redisReply *field, const redisReply *value) {
    uint32_t owner;
    uint64_t sum = 0;
    if (sscanf(value->str, "%" SCNu32 " %" SCNu64, &owner, &sum) == 2) {
        note(window, field->str + 2, field->len - 2, NULL, (int64_t)sum);
    } else {
        tell(window, "the sum of the part of node %.63s is none", field->str + 2);
    }
}

static bool is_named(const redisReply *field, const char *name) {
    return strcmp(field->str, name) == 0;
}

static void take_field(struct window *window, const redisReply *field, const redisReply *value) {
    int64_t number = 0;
    const bool of_node = strncmp(field->str, "n:", 2) == 0;
    if (memchr(field->str, ROWS_PART_SEPARATOR, field->len)) {
        if (of_node) {
            take_part(window, field, value);
        } else if (strncmp(field->str, "b:", 2) != 0 || value->len < 7) {
            tell(window, "field '%.60s' is none of aforo's", field->str);
        }
    } else if (memchr(field->str, ROWS_SEPARATOR, field->len)) {
        take_total(window, field, value);
    } else if (of_node) {
        take_node(window, field, value);
    } else if (is_named(field, "until")) {
        window->until_is_right =
            rows_number_read(value->str, value->len, &number) &&
            number == rows_until_s(window->place->width_us, window->place->window);
    } else if (is_named(field, "final")) {
        window->final = true;
    } else if (!is_named(field, "names") && !is_named(field, "keys") && !is_named(field, "nodes") &&
               strncmp(field->str, "k:", 2) != 0) {
        tell(window, "field '%.60s' is none of aforo's; is another program using this key?",
             field->str);
    }
}

static int compare_entries(const void *one, const void *two) {
    const struct entry *a = one, *b = two;
    const size_t least = a->key_len < b->key_len ? a->key_len : b->key_len;
    const int order = least ? memcmp(a->key, b->key, least) : 0;
    if (a->name != b->name) {
        return (a->name > b->name) - (a->name < b->name);
    }
    return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* The entries of each number must sum to 0; a final window has no parts. */
static void compare_sums(const struct window *window) {
    struct entry *entry = (struct entry *)(void *)window->entries.bytes;
    const size_t n = window->entries.len / sizeof *entry;
    if (n) {
        qsort(entry, n, sizeof *entry, compare_entries);
    }
    for (size_t i = 0, to = 0; i < n; i = to) {
        int64_t sum = 0;
        for (to = i; to < n && compare_entries(&entry[i], &entry[to]) == 0; to++) {
            sum += entry[to].value;
        }
        const struct rows_name *name = entry[i].name;
        if (name && name->rule == ROWS_WRAP ? (uint32_t)sum != 0 : sum != 0) {
            tell(window, "%.40s of %.*s: differs from the sum of its parts by %" PRId64,
                 name ? name->name : "events", entry[i].key_len < 60 ? (int)entry[i].key_len : 60,
                 entry[i].key, sum);
        }
    }
}

static bool check_hash(struct window *window, const struct rows_hash *hash, char *why) {
    const redisReply *names = rows_hash_find(hash, "names");
    if (!names || !rows_names_read(names->str, names->len, &window->names)) {
        tell(window, "has no list of names");
        return true;
    }
    window->component = calloc(window->names.n + 1, sizeof *window->component);
    window->failed = !window->component;
    for (size_t i = 0; i < hash->n && !window->failed; i++) {
        take_field(window, hash->field[i].name, hash->field[i].value);
    }
    if (!window->failed && !window->final) {
        compare_sums(window);
    }
    if (!window->failed && !window->until_is_right) {
        tell(window, "until is not what it should be");
    }
    if (window->failed) {
        snprintf(why, LINK_WHY_MAX, "out of memory");
    }
    free(window->component);
    free(window->entries.bytes);
    rows_names_free(&window->names);
    return !window->failed;
}

static void count_finding(void *cls, const char *sentence) {
    (void)sentence;
    ++*(uint64_t *)cls;
}

/* Counts the findings of one reading. */
static bool count_findings(struct window window, const struct rows_hash *hash, uint64_t *n,
                           char *why) {
    *n = 0;
    window.finding = count_finding;
    window.cls = n;
    return hash->n == 0 || check_hash(&window, hash, why);
}

/* A reading with findings may mix several moments: reading again tells. */
static bool judge_window(struct link *link, struct window *window, struct rows_hash *hash,
                         char *why) {
    uint64_t findings;
    for (int readings = 1;; readings++) {
        if (!count_findings(*window, hash, &findings, why)) {
            return false;
        }
        if (findings == 0) {
            return true;
        }
        if (readings > READINGS_MAX) {
            tell(window, "changed each time it was read; ask again when fewer events come to it");
            return true;
        }
        struct rows_hash next;
        const bool read = rows_hash_read(link, window->key, &next, why);
        const bool same = read && rows_hash_is_same(hash, &next);
        rows_hash_free(hash);
        *hash = next;
        if (!read || same) {
            return read && check_hash(window, hash, why);
        }
    }
}

/* Nodes may write between the hash and its boards being read, so a difference is checked again. */
static bool judge_boards(struct link *link, const struct window *window, struct rows_hash *hash,
                         char *why) {
    char sentence[AUDIT_SENTENCE_MAX] = "";
    for (int looks = 0; looks < BOARDS_LOOKS && (looks == 0 || *sentence); looks++) {
        if (looks > 0) {
            rows_hash_free(hash);
            if (!rows_hash_read(link, window->key, hash, why)) {
                return false;
            }
        }
        if (!rows_audit_boards(link, window->key, hash, sentence, why)) {
            return false;
        }
    }
    if (*sentence) {
        window->finding(window->cls, sentence);
    }
    return true;
}

bool rows_audit_window(struct link *link, const struct rows_place *place, audit_finding *finding,
                       void *cls, char *why) {
    bool ok = true;
    for (unsigned group = 0; group < link_groups(link) && ok; group++) {
        struct window window = {.place = place, .finding = finding, .cls = cls};
        struct rows_hash hash;
        rows_window_key(place, group, window.key);
        ok = rows_hash_read(link, window.key, &hash, why) &&
             judge_window(link, &window, &hash, why) && judge_boards(link, &window, &hash, why);
        rows_hash_free(&hash);
    }
    return ok;
}

/* ---- all reports ---- */

/* An audit of all reports in progress. */
struct all {
    struct link *link;
    const struct rows_audit_span *span;
    audit_finding *finding;
    void *cls;
    char *why;
};

static bool audit_found(const struct all *all, struct rows_place place, uint32_t n) {
    bool there[LINK_PIPELINE_MAX];
    bool ok = rows_reader_find(all->link, &place, n, there, all->why);
    for (uint32_t i = 0; i < n && ok; i++, place.window++) {
        ok = !there[i] || rows_audit_window(all->link, &place, all->finding, all->cls, all->why);
    }
    return ok;
}

static bool audit_width(void *cls, const char *report, const struct rows_width_line *line) {
    const struct all *all = cls;
    const int64_t kept_us = all->span->now_us - line->keep_s * US_PER_S - HORIZON_MAX_US,
                  from_us = all->span->from_us > kept_us ? all->span->from_us : kept_us,
                  to_us = all->span->to_us < all->span->now_us + FUTURE_MAX_US
                              ? all->span->to_us
                              : all->span->now_us + FUTURE_MAX_US;
    int64_t window = (from_us > 0 ? from_us : 0) / line->width_us;
    const int64_t end = to_us / line->width_us + 1;
    bool ok = true;
    for (; window < end && ok; window += LINK_PIPELINE_MAX) {
        const int64_t left = end - window;
        ok = audit_found(all, (struct rows_place){report, line->name, line->width_us, window},
                         (uint32_t)(left < LINK_PIPELINE_MAX ? left : LINK_PIPELINE_MAX));
    }
    return ok;
}

bool rows_audit_reports(struct link *link, const struct rows_audit_span *span,
                        audit_finding *finding, void *cls, char *why) {
    char sentence[LINK_WHY_MAX] = "";
    struct all all = {link, span, finding, cls, sentence};
    const bool ok = rows_reader_widths(link, &(struct rows_width_taker){audit_width, &all}, why);
    if (!ok && !*why) { /* it came from one of the windows */
        memcpy(why, sentence, sizeof sentence);
    }
    return ok;
}
