/* top(x), one event: its value's counter, and how each row changes. See top.c. */
#include "counters/measures/top_layout.h"

/* A state and the changes planned for it. Two chains may have their heads in one word; `head` is
 * the word for which a change is planned already. */
struct draft {
    word *state;
    struct undo_change *end, *head;
};

/* Plans a change of a word that has none planned yet. */
static inline void plan_word(struct draft *draft, size_t i, uint64_t value) {
    *draft->end++ = (struct undo_change){&draft->state[i], value};
}

static uint64_t read_heads(const struct draft *draft, struct head head) {
    const word *at = &draft->state[head.at];
    return draft->head && draft->head->at == at ? draft->head->value : measure_load(at);
}

static size_t read_head(const struct draft *draft, struct head head) {
    return read_heads(draft, head) >> head.shift & NUMBER_MASK;
}

static void plan_head(struct draft *draft, struct head head, uint64_t number) {
    const uint64_t heads =
        (read_heads(draft, head) & ~(NUMBER_MASK << head.shift)) | number << head.shift;
    if (draft->head && draft->head->at == &draft->state[head.at]) {
        draft->head->value = heads;
    } else {
        draft->head = draft->end;
        plan_word(draft, head.at, heads);
    }
}

static bool has_key(const struct layout *l, const word *state, size_t number,
                    const struct key *key) {
    const word *there = &state[l->keys + (number - 1) * KEY_WORDS];
    for (size_t i = 0; i < key->words; i++) {
        if (measure_load(&there[i]) != key->word[i]) {
            return false;
        }
    }
    return true;
}

/* The counter of a value; 0: none. */
static size_t find_counter(const struct layout *l, const word *state, const struct key *key) {
    const uint64_t meant = make_link(key, 0);
    const struct head head = find_head(l, key->hash);
    size_t number = measure_load(&state[head.at]) >> head.shift & NUMBER_MASK;
    for (size_t steps = 0; is_counter(l, number) && steps < l->counters; steps++) {
        const uint64_t link = measure_load(&state[l->links + number - 1]);
        if ((link & ~NUMBER_MASK) == meant && has_key(l, state, number, key)) {
            return number;
        }
        number = link_next(link);
    }
    return 0;
}

/* Removes a counter from its chain. */
static void unlink_counter(const struct layout *l, struct draft *draft, size_t number) {
    const uint64_t link = measure_load(&draft->state[l->links + number - 1]);
    const struct head head = find_head(l, link_hash(link));
    size_t before = read_head(draft, head);
    if (before == number) {
        plan_head(draft, head, link_next(link));
        return;
    }
    for (size_t steps = 0; is_counter(l, before) && steps < l->counters; steps++) {
        const uint64_t link_before = measure_load(&draft->state[l->links + before - 1]);
        if (link_next(link_before) == number) {
            plan_word(draft, l->links + before - 1, (link_before & ~NUMBER_MASK) | link_next(link));
            return;
        }
        before = link_next(link_before);
    }
}

/* A counter with the lowest count, when all are in use. */
static size_t find_lowest(const struct layout *l, struct draft *draft) {
    const word *counts = &draft->state[l->counts];
    uint64_t lowest = measure_load(&draft->state[LOWEST]);
    size_t i = measure_load(&draft->state[USED]) >> SEARCHED_SHIFT;
    while (i < l->counters && measure_load(&counts[i]) > lowest) {
        i++;
    }
    if (i >= l->counters) {
        i = 0;
        lowest = measure_load(&counts[0]);
        for (size_t j = 1; j < l->counters; j++) {
            const uint64_t count = measure_load(&counts[j]);
            if (count < lowest) {
                lowest = count;
                i = j;
            }
        }
        plan_word(draft, LOWEST, lowest);
    }
    plan_word(draft, USED, l->counters | (uint64_t)(i + 1) << SEARCHED_SHIFT);
    return i + 1;
}

/* A counter for a value that has none; its count is the previous owner's. */
static size_t take_counter(const struct layout *l, struct draft *draft, const struct key *key) {
    size_t number = measure_load(&draft->state[USED]) & NUMBER_MASK;
    if (number < l->counters) {
        number++;
        plan_word(draft, USED, number);
    } else {
        number = find_lowest(l, draft);
        unlink_counter(l, draft, number);
        plan_word(draft, l->errors + number - 1,
                  measure_load(&draft->state[l->counts + number - 1]));
    }
    for (size_t i = 0; i < key->words; i++) {
        plan_word(draft, l->keys + (number - 1) * KEY_WORDS + i, key->word[i]);
    }
    const struct head head = find_head(l, key->hash);
    plan_word(draft, l->links + number - 1, make_link(key, read_head(draft, head)));
    plan_head(draft, head, number);
    return number;
}

struct undo_change *top_plan(const struct measure *measure, const struct aforo_event *event,
                             const struct measure_rows *rows, struct undo_change *change) {
    const struct layout *l = layout_of(measure);
    const struct aforo_value *value = event->argument[0];
    struct key key = {0};
    set_key(&key, value->text, value->len);
    for (size_t k = 0; k < rows->n; k++) {
        struct draft draft = {.state = measure_state(rows, k), .end = change};
        size_t number = find_counter(l, draft.state, &key);
        if (__builtin_expect(number == 0, 0)) {
            number = take_counter(l, &draft, &key);
        }
        word *count = &draft.state[l->counts + number - 1];
        *draft.end++ = (struct undo_change){count, measure_load(count) + 1};
        change = draft.end;
    }
    return change;
}

size_t top_puts(const struct measure *measure) {
    (void)measure;
    return PUTS; /* a key; USED, LOWEST, the old chain, the new one's head, link, error, count */
}
