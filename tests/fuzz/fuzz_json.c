/* Any bytes as one JSON event, and as an array of events: what is taken and what is refused is what
 * libjansson says, but for what is nested deeper than we go; and each declared field and the time
 * are the values that it finds. And as lines, each an event: as each line is alone. */
#include "ingest/fields.h"
#include "ingest/json_items.h"
#include "ingest/json_lines.h"
#include "ingest/timestamp.h"
#include "tests/fuzz/json_reference.h"
#include "tests/unit/ingest/number_reference.h"

#define DEPTH_MAX 64

static const struct fields_config config = {
    .n = 7,
    .field = {{.name = "a", .places = 1, .place = {{FIELD_JSON, "a"}}},
              {.name = "n", .type = FIELD_INT, .places = 1, .place = {{FIELD_JSON, "n"}}},
              {.name = "d",
               .type = FIELD_DECIMAL,
               .decimals = 2,
               .places = 1,
               .place = {{FIELD_JSON, "d"}}},
              {.name = "ob", .places = 1, .place = {{FIELD_JSON, "o.b"}}},
              {.name = "obc", .type = FIELD_INT, .places = 1, .place = {{FIELD_JSON, "o.b.c"}}},
              {.name = "xy", .places = 2, .place = {{FIELD_JSON, "x"}, {FIELD_JSON, "y"}}},
              {.name = "long", .places = 1, .place = {{FIELD_JSON, "a_name_that_is_long"}}}},
    .times = 2,
    .time = {"t", "u"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const struct field *field, const struct record *record, unsigned i,
                        const char *text, size_t len) {
    const struct aforo_value *value = &record->value[i];
    int64_t number = 0;
    const bool fits =
        len <= FIELD_TEXT_MAX &&
        (field->type == FIELD_TEXT || reference_number(text, len, field->decimals, &number));
    check(fits == !(record->unfit >> i & 1));
    if (!fits) {
        check(value->kind == AFORO_ABSENT);
        return;
    }
    check(value->kind == (field->type == FIELD_TEXT ? AFORO_TEXT : AFORO_NUMBER));
    check(value->len == len && memcmp(value->text, text, len) == 0);
    check(field->type == FIELD_TEXT || value->number == number);
}

static void check_found(const struct pair *pair, const struct record *record, unsigned i,
                        struct extent found) {
    const struct field *field = &config.field[i];
    const char first = pair->tame[found.start];
    check(record->present >> i & 1);
    if (first == '{' || first == '[') {
        check(record->unfit >> i & 1);
        return;
    }
    if (first != '"') {
        check_value(field, record, i, pair->text + found.start, found.end - found.start);
        return;
    }
    size_t end;
    json_t *string = load_one(pair, pair->text, found.start, &end);
    check_value(field, record, i, json_string_value(string), json_string_length(string));
    json_decref(string);
}

static void check_fields(const struct pair *pair, size_t start, const struct record *record) {
    for (unsigned i = 0; i < config.n; i++) {
        const struct field *field = &config.field[i];
        struct extent found;
        unsigned rank = 0;
        while (rank < field->places && !find_path(pair, start, field->place[rank].name, &found)) {
            rank++;
        }
        if (rank == field->places) {
            check(!(record->present >> i & 1) && !(record->unfit >> i & 1));
        } else {
            check(record->rank[i] == rank);
            check_found(pair, record, i, found);
        }
    }
}

/* Whether the event's time is right, or not there: then *timed is false. */
static bool find_time(const struct pair *pair, size_t start, bool *timed, int64_t *us) {
    static const char *const names[] = {"value", "t", "u"};
    struct timestamp_error error;
    for (int i = 0; i < 3; i++) {
        struct extent found;
        const bool there = find_member(pair, start, names[i], strlen(names[i]), &found);
        if (count_members(pair, start, names[i]) > 1) {
            return false;
        }
        if (!there) {
            continue;
        }
        *timed = true;
        const char *text = pair->text + found.start;
        const size_t len = found.end - found.start;
        if (*text >= '0' && *text <= '9') {
            return memchr(text, 'e', len) == NULL && memchr(text, 'E', len) == NULL &&
                   timestamp_parse_plain(text, len, us, &error);
        }
        if (*text != '"') {
            return false;
        }
        json_t *string = load_one(pair, pair->text, found.start, &found.end);
        const bool good = timestamp_parse_plain(json_string_value(string),
                                                json_string_length(string), us, &error);
        json_decref(string);
        return good;
    }
    *timed = false;
    return true;
}

static void check_outcome(const struct pair *pair, size_t start, const struct record *record,
                          enum record_outcome outcome) {
    int64_t us = 0;
    bool timed = false;
    if (!find_time(pair, start, &timed, &us)) {
        check(outcome == RECORD_MALFORMED);
        return;
    }
    check(outcome == RECORD_EVENT && record->timed == timed && (!timed || record->us == us));
    check_fields(pair, start, record);
}

static void check_why(const char *why, enum record_outcome outcome) {
    check((outcome == RECORD_MALFORMED) == (why[0] != '\0'));
    for (; *why != '\0'; why++) {
        check(*why >= ' ' && *why <= '~');
    }
}

static void read_object(struct pair *pair, const struct fields *fields, struct record *record) {
    char why[RECORD_WHY_MAX] = "", first_why[RECORD_WHY_MAX] = "";
    enum record_outcome outcome = RECORD_EMPTY;
    /* first by a record that has read nothing before, then by one that knows what it is like */
    memset(&record->habits, 0, sizeof record->habits);
    for (int i = 0; i < 2; i++) {
        memcpy(first_why, why, sizeof why);
        why[0] = '\0';
        record_begin(record);
        outcome = record_read_json(record, fields, pair->text, pair->len, why);
        check_why(why, outcome);
    }
    check(strcmp(why, first_why) == 0);
    const size_t start = skip_blanks(pair, 0);
    if (start == pair->len) {
        check(outcome == RECORD_EMPTY);
        return;
    }
    json_t *tree = load_tame(pair);
    const bool right = tree && json_is_object(tree) && measure_depth(pair) <= DEPTH_MAX;
    json_decref(tree);
    if (right) {
        check_outcome(pair, start, record, outcome);
    } else {
        check(outcome == RECORD_MALFORMED);
    }
}

static bool is_array_of_objects(const json_t *tree) {
    bool right = tree && json_is_array(tree);
    for (size_t i = 0; right && i < json_array_size(tree); i++) {
        right = json_is_object(json_array_get(tree, i));
    }
    return right;
}

/* What the items of an array are read with. */
struct reading {
    const struct pair *pair;
    const struct fields *fields;
    struct record *record;
    bool right; /* libjansson takes the array */
};

/* Reads one item of the array; false when it is malformed. *next: of a right array, where the item
 * must be; then where the next one is. */
static bool read_item(const struct reading *reading, struct extent item, size_t *next) {
    const struct pair *pair = reading->pair;
    struct record *record = reading->record;
    char why[RECORD_WHY_MAX] = "";
    record_begin(record);
    const enum record_outcome outcome = record_read_json(
        record, reading->fields, pair->text + item.start, item.end - item.start, why);
    check_why(why, outcome);
    check(outcome != RECORD_EMPTY);
    if (reading->right) {
        size_t end;
        json_decref(load_one(pair, pair->tame, *next, &end));
        check(item.start == *next && item.end == end);
        check_outcome(pair, *next, record, outcome);
        *next = skip_blanks(pair, skip_blanks(pair, end) + 1);
    }
    return outcome == RECORD_EVENT;
}

/* As POST /events reads an array: what json_items.h cuts out of it is read alone. */
static void read_items(struct pair *pair, const struct fields *fields, struct record *record) {
    json_t *tree = load_tame(pair);
    const bool right = is_array_of_objects(tree) && measure_depth(pair) <= DEPTH_MAX + 1;
    const size_t wanted = right ? json_array_size(tree) : 0;
    const struct reading reading = {pair, fields, record, right};
    json_decref(tree);
    struct json_items array = {0};
    bool cut = true, taken = true;
    size_t items = 0, next = skip_blanks(pair, skip_blanks(pair, 0) + 1);
    for (size_t at = 0; at < pair->len && cut;) {
        const char *item = NULL;
        size_t used = 0, n = 0;
        const enum json_items_found found =
            json_items_next(&array, pair->text + at, pair->len - at, &used, &item, &n);
        check(used <= pair->len - at);
        at += used;
        cut = found == JSON_ITEMS_ITEM || found == JSON_ITEMS_NONE;
        if (found == JSON_ITEMS_ITEM) {
            const size_t start = (size_t)(item - pair->text);
            taken = read_item(&reading, (struct extent){start, start + n}, &next) && taken;
            items++;
        }
    }
    cut = cut && json_items_expected(&array) == NULL;
    check(right ? cut && items == wanted : !cut || !taken);
}

/* Whether two readings of a text are the same, of which the second is in the record. */
static void check_same(const struct record *first, const char *room, const struct record *second) {
    check(first->timed == second->timed && (!first->timed || first->us == second->us));
    check(first->present == second->present && first->unfit == second->unfit);
    for (unsigned i = 0; i < config.n; i++) {
        const struct aforo_value *one = &first->value[i], *two = &second->value[i];
        if (first->present >> i & 1) {
            check(one->kind == two->kind && one->number == two->number);
        }
        if (first->present >> i & 1 && one->kind != AFORO_ABSENT) {
            const bool decoded =
                two->text >= second->room && two->text < second->room + second->room_used;
            check(one->len == two->len && one->text == two->text);
            check(!decoded || memcmp(room + (two->text - second->room), two->text, two->len) == 0);
        }
    }
}

/* As POST /events reads lines. */
static void read_lines(const struct pair *pair, const struct fields *fields,
                       struct record *record) {
    struct json_lines lines;
    struct record first;
    char *room = malloc(record->room_len + 1);
    const char *const last = pair->text + pair->len, *end;
    check(room != NULL);
    json_lines_begin(&lines, pair->text, pair->len);
    for (const char *at = pair->text; at < last; at = end + 1) {
        char why[RECORD_WHY_MAX];
        end = memchr(at, '\n', (size_t)(last - at));
        const bool is_whole = end != NULL;
        end = end ? end : last;
        record_begin(record);
        const enum record_outcome outcome =
            record_read_json(record, fields, at, (size_t)(end - at), why);
        first = *record;
        if (record->room_used > 0) {
            memcpy(room, record->room, record->room_used);
        }
        record_begin(record);
        const char *found = json_lines_read(&lines, record, fields, at);
        check((found != NULL) == (is_whole && outcome == RECORD_EVENT));
        if (found) {
            check(found == end);
            check_same(&first, room, record);
        }
    }
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fields *fields;
    static struct record record = {.timeless = true};
    if (size > SIZE_MAX_READ) {
        return 0;
    }
    if (fields == NULL && (fields = fields_new(&config)) == NULL) {
        abort();
    }
    struct pair pair = {(const char *)data, malloc(size + 1), size};
    record.room = malloc(size);
    record.room_len = size;
    check(pair.tame != NULL && (record.room != NULL || size == 0));
    memcpy(pair.tame, data, size);
    pair.tame[size] = '\0';
    read_object(&pair, fields, &record);
    read_lines(&pair, fields, &record);
    if (skip_blanks(&pair, 0) < size) {
        read_items(&pair, fields, &record);
    }
    forget_splits();
    free(record.room);
    free(pair.tame);
    return 0;
}
