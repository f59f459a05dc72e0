#include "ingest/json_usual.h"

/* The type of a name's usual value, and what to do with it. */
enum { ANY, PASSED, TEXT, WHOLE, TIME };

void json_usual_learn(const struct fields *fields, struct record_name *name) {
    const struct field_node *node = &fields->node[name->node];
    const struct field_target *target = &fields->target[node->target];
    name->usual = ANY;
    /* all undeclared names share one node, and may occur repeatedly */
    name->node_bit = name->node != FIELD_UNKNOWN ? UINT64_C(1) << name->node % JSON_SEEN_BITS : 0;
    if (name->node >= JSON_SEEN_BITS || node->targets > 1) {
        return;
    }
    if (node->time != FIELD_NO_TIME) {
        name->usual = node->targets == 0 ? TIME : ANY;
        name->field = node->time;
    } else if (node->targets == 0) {
        name->usual = PASSED;
    } else {
        name->usual = target->decimals == FIELD_NO_NUMBER ? TEXT
                      : target->decimals == 0             ? WHOLE
                                                          : ANY;
        name->field = target->field;
        name->field_bit = UINT64_C(1) << target->field;
        name->rank = target->rank;
    }
}

const char *json_usual_time(struct json_reader *r, const char *at, unsigned time) {
    struct timestamp_layouts *times = &r->record->habits.times;
    struct timestamp_layout *layout = &times->layout[times->last];
    const bool quoted = json_byte(&r->source, at) == '"';
    int64_t us;
    at += quoted;
    if (r->source.scan.end - at <= layout->reach || layout->len == 0) {
        return NULL;
    }
    const char *end = at + layout->len;
    if (quoted ? *end != '"' : !layout->is_epoch || (*end != ',' && *end != '}')) {
        return NULL;
    }
    if (!timestamp_layout_read_on(layout, at, &us)) {
        return NULL;
    }
    if (time < r->time.rank) {
        r->time.kind = TIME_READ;
        r->time.rank = time;
        r->time.us = us;
    }
    return end + quoted;
}

/* The most bytes of a member that are read at once: the quote, a name and its colon, a value's
 * first bytes from its quote on, its end, a comma and the next quote. */
#define REACH (1 + SCAN_BYTES + 1 + SCAN_BYTES + 2)

/* Whether the object ends here, or its next member follows without a blank. */
static inline bool goes_on(const char *at) {
    return (at[0] == ',' && at[1] == '"') || at[0] == '}';
}

/* Reads a string from its first byte; returns its closing quote, or NULL when it is not usual. */
static inline const char *read_text(const struct scan_text *scan, const char *at) {
    const struct json_run run = json_run(scan, at);
    return scan->end - run.end > 2 && *run.end == '"' && !run.high && run.end - at <= FIELD_TEXT_MAX
               ? run.end
               : NULL;
}

/* Takes a value for a name, unless its field has one already, from another place or from the
 * request. */
static inline bool take(struct record *record, const struct record_name *name,
                        struct aforo_value value) {
    if (name->usual == PASSED) {
        return true;
    }
    if (record->present & name->field_bit) {
        return false;
    }
    record->present |= name->field_bit;
    record->rank[name->field] = name->rank;
    record->value[name->field] = value;
    return true;
}

/* Reads one member's value; returns where it ends. NULL when it is not usual; then nothing was
 * taken but perhaps a time, which will be found again. */
static inline const char *read_value(struct json_reader *r, const struct record_name *name,
                                     const char *at) {
    const struct scan_text *scan = &r->source.scan;
    if (name->usual == TIME) {
        const char *end = json_usual_time(r, at, name->field);
        return end && scan->end - end > 1 && goes_on(end) ? end : NULL;
    }
    if (*at == '"' && (name->usual == TEXT || name->usual == PASSED)) {
        const char *end = read_text(scan, at + 1);
        return end && goes_on(end + 1) &&
                       take(r->record, name,
                            (struct aforo_value){at + 1, (uint32_t)(end - at - 1), AFORO_TEXT, 0})
                   ? end + 1
                   : NULL;
    }
    if (name->usual == WHOLE || name->usual == PASSED) {
        const struct scan_digits digits = scan_digits(scan, at);
        return digits.len - 1 < SCAN_DIGITS_READ && (*at != '0' || digits.len == 1) &&
                       goes_on(at + digits.len) &&
                       take(r->record, name,
                            (struct aforo_value){at, digits.len, AFORO_NUMBER,
                                                 (int64_t)digits.number})
                   ? at + digits.len
                   : NULL;
    }
    return NULL;
}

const char *json_usual_members(struct json_reader *r, const char *at) {
    const struct record_name *names = r->record->habits.name;
    const struct record_name *name = &names[r->previous];
    uint64_t seen = r->seen[0];
    while (r->source.scan.end - at >= REACH) {
        const struct record_name *next = &names[name->next];
        const char *end;
        if (!json_is_name(next, at + 1) || (seen & next->node_bit) ||
            (end = read_value(r, next, at + 1 + next->len)) == NULL) {
            break;
        }
        name = next;
        seen |= next->node_bit;
        at = end;
        if (*end == '}') {
            break;
        }
        at++;
    }
    r->previous = (unsigned)(name - names);
    r->seen[0] = seen;
    return at;
}
