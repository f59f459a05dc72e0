#include "redis/rows_pack.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 7
#define NUMBER_BYTES 2
#define FIELD_LEN_BYTES 2
#define FIELD_LEN_MAX 65535
#define TOTAL_DIGITS_MAX 20
#define PART_HEAD (1 + ROWS_EVENTS_BYTES)

bool rows_bytes_put(struct rows_bytes *bytes, const void *more, size_t len) {
    if (bytes->cap - bytes->len < len) {
        const size_t cap = 2 * bytes->cap > bytes->len + len ? 2 * bytes->cap : bytes->len + len;
        char *grown = realloc(bytes->bytes, cap);
        if (!grown) {
            return false;
        }
        bytes->bytes = grown;
        bytes->cap = cap;
    }
    if (len) {
        memcpy(bytes->bytes + bytes->len, more, len);
        bytes->len += len;
    }
    return true;
}

static bool put_number(struct rows_bytes *bytes, uint64_t number, size_t width) {
    char packed[8];
    for (size_t i = 0; i < width; i++) {
        packed[i] = (char)(number >> 8 * i);
    }
    return rows_bytes_put(bytes, packed, width);
}

/* ---- a call ---- */

void rows_call_begin(struct rows_call *call, const char *node) {
    call->node = node;
    call->names.len = call->hash_fields.len = call->numbers.len = call->bytes.len = 0;
    call->keys.len = call->name_at.len = call->shape.len = 0;
    call->hlls = call->boards = call->rows = call->fields = call->guess = 0;
}

void rows_call_free(struct rows_call *call) {
    free(call->names.bytes);
    free(call->hash_fields.bytes);
    free(call->numbers.bytes);
    free(call->bytes.bytes);
    free(call->keys.bytes);
    free(call->name_at.bytes);
    free(call->shape.bytes);
    free(call->next.bytes);
    *call = (struct rows_call){0};
}

bool rows_call_has_room(const struct rows_call *call) {
    return call->fields < ROWS_CALL_FIELDS && call->hlls < ROWS_CALL_HLLS &&
           call->boards < ROWS_CALL_BOARDS;
}

static bool is_named(const struct rows_call *call, size_t i, const char *name, size_t len) {
    size_t at;
    memcpy(&at, call->name_at.bytes + i * sizeof at, sizeof at);
    const char *there = call->names.bytes + at + 1; /* after its sign */
    return call->names.len - at > len + 1 && memcmp(there, name, len) == 0 &&
           there[len] == ROWS_SEPARATOR;
}

/* Finds the number of a name in the call, adding it when new. Rows have much the same components in
 * the same order, so the search starts after the last one found. False when it cannot be added. */
static bool find_name(struct rows_call *call, const struct rows_component *component,
                      size_t *number) {
    const size_t len = strlen(component->name), n = call->name_at.len / sizeof(size_t);
    for (size_t i = 0; i < n; i++) {
        const size_t place = (call->guess + i) % n;
        if (is_named(call, place, component->name, len)) {
            call->guess = place + 1;
            *number = place;
            return true;
        }
    }
    const char sign = (char)component->rule, end = ROWS_SEPARATOR;
    const size_t at = call->names.len;
    *number = n;
    call->guess = n + 1;
    return n < ROWS_NAMES_MAX && rows_bytes_put(&call->name_at, &at, sizeof at) &&
           rows_bytes_put(&call->names, &sign, 1) &&
           rows_bytes_put(&call->names, component->name, len) &&
           rows_bytes_put(&call->names, &end, 1);
}

static bool has_bytes(const struct rows_component *component) {
    return component->rule == ROWS_HLL || component->rule == ROWS_BLOB;
}

bool rows_has_board(const struct rows_component *component) {
    return component->rule == ROWS_BLOB &&
           strncmp(component->name, ROWS_BOARD_NAME, strlen(ROWS_BOARD_NAME)) == 0;
}

static bool is_valid(const struct rows_component *component) {
    const bool bytes = has_bytes(component);
    const int64_t value = bytes ? (int64_t)component->len : component->value;
    const bool counts = component->rule == ROWS_ADD || component->rule == ROWS_WRAP;
    const size_t len = strlen(component->name);
    return len > 0 && len < ROWS_COMPONENT_MAX && !strchr(component->name, ROWS_SEPARATOR) &&
           value <= (bytes ? ROWS_BYTES_MAX : ROWS_VALUE_MAX) &&
           value >= (counts ? 0 : -ROWS_VALUE_MAX);
}

bool rows_row_is_valid(const struct rows_row *row) {
    bool ok = row->key_len <= ROWS_ROW_KEY_MAX && row->count < (uint64_t)ROWS_VALUE_MAX &&
              row->n <= ROWS_NAMES_MAX;
    for (size_t i = 0; i < row->n && ok; i++) {
        ok = is_valid(&row->component[i]);
    }
    return ok;
}

/* ---- the fields ---- */

static bool put_text(struct rows_bytes *bytes, const char *text) {
    return rows_bytes_put(bytes, text, strlen(text));
}

/* Ends a field that begins at `from` with room for its length, which is filled in. */
static bool end_field(struct rows_bytes *bytes, size_t from) {
    const size_t len = bytes->len - from - FIELD_LEN_BYTES;
    for (size_t i = 0; i < FIELD_LEN_BYTES; i++) {
        bytes->bytes[from + i] = (char)(len >> 8 * i);
    }
    return len <= FIELD_LEN_MAX;
}

/* Writes a field that belongs to the node: `letter`:node RS key. */
static bool put_own_field(struct rows_call *call, const char *letter, const struct rows_row *row) {
    static const char separator = ROWS_PART_SEPARATOR;
    struct rows_bytes *bytes = &call->hash_fields;
    return put_text(bytes, letter) && put_text(bytes, call->node) &&
           rows_bytes_put(bytes, &separator, 1) && rows_bytes_put(bytes, row->key, row->key_len);
}

static bool put_part_field(struct rows_call *call, const struct rows_row *row) {
    const size_t from = call->hash_fields.len;
    return put_number(&call->hash_fields, 0, FIELD_LEN_BYTES) && put_own_field(call, "n:", row) &&
           end_field(&call->hash_fields, from);
}

static bool put_component_field(struct rows_call *call, const struct rows_row *row,
                                const struct rows_component *component) {
    static const char separator = ROWS_SEPARATOR;
    struct rows_bytes *bytes = &call->hash_fields;
    const size_t from = bytes->len;
    return put_number(bytes, 0, FIELD_LEN_BYTES) &&
           (component->rule == ROWS_BLOB ? put_own_field(call, "b:", row)
                                         : rows_bytes_put(bytes, row->key, row->key_len)) &&
           rows_bytes_put(bytes, &separator, 1) && put_text(bytes, component->name) &&
           end_field(bytes, from);
}

static bool put_fields(struct rows_call *call, const struct rows_row *row) {
    bool ok = put_part_field(call, row);
    for (size_t i = 0; i < row->n && ok; i++) {
        ok = put_component_field(call, row, &row->component[i]);
    }
    return ok;
}

/* ---- the numbers ---- */

/* Writes the row's components, unless they are those of the row before. */
static bool put_shape(struct rows_call *call, const struct rows_row *row) {
    struct rows_bytes *next = &call->next;
    bool ok = true;
    next->len = 0;
    for (size_t i = 0; i < row->n && ok; i++) {
        size_t number = 0;
        ok = find_name(call, &row->component[i], &number) &&
             rows_bytes_put(next, &number, sizeof number);
    }
    if (ok && call->rows > 0 && next->len == call->shape.len &&
        (next->len == 0 || memcmp(next->bytes, call->shape.bytes, next->len) == 0)) {
        return put_number(&call->numbers, (uint64_t)ROWS_AS_BEFORE, VALUE_BYTES);
    }
    ok = ok && put_number(&call->numbers, row->n, VALUE_BYTES);
    for (size_t i = 0; i < row->n && ok; i++) {
        size_t number;
        memcpy(&number, next->bytes + i * sizeof number, sizeof number);
        ok = put_number(&call->numbers, number, VALUE_BYTES);
    }
    const struct rows_bytes before = call->shape;
    call->shape = *next;
    *next = before;
    return ok;
}

static bool put_values(struct rows_call *call, const struct rows_row *row) {
    bool ok = true;
    for (size_t i = 0; i < row->n && ok; i++) {
        const struct rows_component *component = &row->component[i];
        const int64_t value = has_bytes(component) ? (int64_t)component->len : component->value;
        ok = put_number(&call->numbers, (uint64_t)value, VALUE_BYTES);
    }
    return ok;
}

bool rows_beside_put(struct rows_bytes *bytes, const char *window_key,
                     const struct rows_beside *beside) {
    static const char separator = ROWS_SEPARATOR;
    return rows_bytes_put(bytes, window_key, strlen(window_key)) && rows_bytes_put(bytes, ":", 1) &&
           rows_bytes_put(bytes, beside->name, beside->name_len) &&
           (beside->key_len == 0 || (rows_bytes_put(bytes, &separator, 1) &&
                                     rows_bytes_put(bytes, beside->key, beside->key_len)));
}

static bool put_key(struct rows_call *call, const char *window_key, const struct rows_row *row,
                    const char *name) {
    const struct rows_beside beside = {name, row->key, strlen(name), row->key_len};
    return rows_beside_put(&call->keys, window_key, &beside) &&
           rows_bytes_put(&call->keys, "", 1); /* with its NUL */
}

bool rows_call_add(struct rows_call *call, const char *window_key, const struct rows_row *row) {
    bool ok = rows_row_is_valid(row) && put_fields(call, row) &&
              put_number(&call->numbers, row->count, VALUE_BYTES) && put_shape(call, row) &&
              put_values(call, row);
    for (size_t i = 0; i < row->n && ok; i++) {
        const struct rows_component *component = &row->component[i];
        ok =
            !has_bytes(component) || rows_bytes_put(&call->bytes, component->bytes, component->len);
        const bool board = rows_has_board(component);
        call->hlls += component->rule == ROWS_HLL;
        call->boards += board;
        if (ok && (board || component->rule == ROWS_HLL)) {
            ok = put_key(call, window_key, row, component->name);
        }
    }
    call->rows++;
    call->fields += row->n + 1;
    return ok;
}

/* ---- reading ---- */

bool rows_names_read(const char *text, size_t len, struct rows_names *names) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += text[i] == ROWS_SEPARATOR;
    }
    *names =
        (struct rows_names){.name = calloc(n + 1, sizeof *names->name), .memory = malloc(len + 1)};
    bool ok = names->name && names->memory && (len == 0 || text[len - 1] == ROWS_SEPARATOR);
    if (ok) {
        memcpy(names->memory, text, len);
    }
    for (size_t at = 0; ok && at < len;) {
        char *begin = names->memory + at, *end = memchr(begin, ROWS_SEPARATOR, len - at);
        *end = '\0';
        names->name[names->n++] =
            (struct rows_name){begin[0], begin + 1, end > begin ? (size_t)(end - begin) - 1 : 0};
        ok = end - begin > 1 && end - begin <= ROWS_COMPONENT_MAX && strchr("+~<>#=", begin[0]) &&
             strlen(begin) == (size_t)(end - begin);
        at = (size_t)(end - names->memory) + 1;
    }
    if (!ok) {
        rows_names_free(names);
    }
    return ok;
}

void rows_names_free(struct rows_names *names) {
    free(names->name);
    free(names->memory);
    *names = (struct rows_names){0};
}

static uint64_t read_number(const char *bytes, size_t width) {
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++) {
        number |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    }
    return number;
}

bool rows_part_read(const char *bytes, size_t len, const struct rows_names *names, uint64_t *count,
                    size_t *n, struct rows_component *component) {
    const size_t width = len >= PART_HEAD ? (unsigned char)bytes[0] : 0;
    *n = 0;
    if (width < 1 || width > 7 || (len - PART_HEAD) % (NUMBER_BYTES + width) ||
        (len - PART_HEAD) / (NUMBER_BYTES + width) > names->n) {
        return false;
    }
    *count = read_number(bytes + 1, ROWS_EVENTS_BYTES);
    for (size_t at = PART_HEAD; at < len; at += NUMBER_BYTES + width) {
        const size_t number = read_number(bytes + at, NUMBER_BYTES);
        if (number >= names->n ||
            (names->name[number].rule != ROWS_ADD && names->name[number].rule != ROWS_WRAP)) {
            return false;
        }
        component[(*n)++] = (struct rows_component){
            .name = names->name[number].name,
            .rule = (enum rows_rule)names->name[number].rule,
            .value = (int64_t)read_number(bytes + at + NUMBER_BYTES, width)};
    }
    return true;
}

bool rows_total_read(const char *text, size_t len, int64_t *number) {
    if (rows_number_read(text, len, number)) {
        return true;
    }
    *number = ROWS_VALUE_UNKNOWN;
    return len >= 16 && len <= TOTAL_DIGITS_MAX && strspn(text, "0123456789") == len;
}

bool rows_number_read(const char *text, size_t len, int64_t *number) {
    const bool minus = len > 0 && text[0] == '-';
    uint64_t value = 0;
    if (len - minus == 0 || len - minus > 16) {
        return false;
    }
    for (size_t i = minus; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = minus ? -(int64_t)value : (int64_t)value;
    return value <= (uint64_t)ROWS_VALUE_MAX;
}
