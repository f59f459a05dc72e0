/* distinct, against a real Redis: our bytes are those that it makes of the same values, it counts
 * and merges ours, and our estimate is its own. */
#include "counters/measures/figure.h"
#include "counters/measures/measure.h"
#include "tests/redis/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 300000
#define BATCH 500

static struct lab_server server;
static struct measure measure;
static uint64_t *state;
static union {
    struct undo_record record;
    unsigned char bytes[UNDO_BYTES];
} memory;

static void set_up(void) {
    lab_start(&server, "hll-sparse-max-bytes 0\n"); /* dense from the first value on */
    ck_assert(measure_name(&measure, "distinct(x)"));
    ck_assert_ptr_null(measure.kind->open(&measure));
    state = calloc(measure.words, sizeof *state);
}

static void tear_down(void) {
    free(state);
    lab_kill(&server);
}

/* Value number i: short and long, with any bytes. */
static size_t make_value(size_t i, char value[64]) {
    size_t len = (size_t)snprintf(value, 64, "%zu", i);
    while (len < i % 40) {
        value[len] = (char)(i * 37 + len * 101);
        len++;
    }
    return i == 0 ? 0 : len;
}

/* Adds values first .. end - 1 to our state and to a key there. */
static void add(const char *key, size_t first, size_t end) {
    struct undo undo = {.record = &memory.record};
    const struct undo_file file = {.base = (word *)state};
    const struct measure_target target = {&undo, &file, (word *)state};
    static char values[BATCH][64];
    const char *arguments[BATCH + 2] = {"PFADD", key};
    size_t lens[BATCH + 2] = {5, strlen(key)};
    while (first < end) {
        int n = 2;
        for (; n < BATCH + 2 && first < end; n++, first++) {
            arguments[n] = values[n - 2];
            lens[n] = make_value(first, values[n - 2]);
            const struct aforo_value value = {
                .text = arguments[n], .len = (uint32_t)lens[n], .kind = AFORO_TEXT};
            const struct aforo_value *of_event[] = {&value};
            undo_begin_owner(&undo);
            measure_add(&measure, &target, &(struct aforo_event){0, 1, of_event});
        }
        redisReply *reply = redisCommandArgv(server.control, n, arguments, lens);
        ck_assert_msg(reply && reply->type == REDIS_REPLY_INTEGER, "PFADD");
        freeReplyObject(reply);
    }
}

static void demand_same(void *cls, const struct component *component) {
    redisReply *reply = lab_command(&server, "GET %s", (const char *)cls);
    ck_assert_int_eq(component->rule, COMPONENT_HLL);
    ck_assert_uint_eq(reply->len, component->len);
    ck_assert_mem_eq(reply->str, component->bytes, component->len);
    freeReplyObject(reply);
}

static void store(void *cls, const struct component *component) {
    lab_do(&server, "SET %s %b", (const char *)cls, component->bytes, component->len);
}

static void emit(void (*take)(void *, const struct component *), const char *key) {
    const struct component_taker taker = {take, (void *)(uintptr_t)key};
    measure.kind->emit(&measure, state, &taker);
}

/* What is shown, when the list says nothing. */
static long long estimate(void) {
    struct figure figure;
    struct figure_value value;
    char why[FIGURE_WHY_MAX];
    ck_assert(figure_parse("distinct(x)", &figure, why));
    struct measure of = measure;
    of.at = 1;
    figure.measure[0] = 1;
    uint64_t *row = malloc((measure.words + 1) * sizeof *row);
    row[0] = 1;
    memcpy(row + 1, state, measure.words * sizeof *row);
    row[1] = 33;
    figure_value(&figure, (const struct measure[]){{.at = 0}, of}, row, 1, &value);
    free(row);
    return atoll(value.text);
}

START_TEST(bytes_and_estimates_are_those_of_redis) {
    static const size_t ends[] = {1, 2, 10, 32, 33, 100, 1000, 20000, 50000, VALUES_MAX};
    size_t done = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        add("theirs", done, ends[i]);
        done = ends[i];
        emit(demand_same, "theirs");
        emit(store, "ours");
        const long long theirs = lab_number(&server, "PFCOUNT ours");
        ck_assert_int_eq(estimate(), theirs);
        ck_assert_int_le(llabs(theirs - (long long)done), 1 + (long long)done * 3 / 100);
    }
}
END_TEST

START_TEST(redis_merges_ours) {
    add("first", 0, 3000);
    emit(store, "ours:1");
    memset(state, 0, measure.words * sizeof *state);
    add("second", 2000, 9000);
    emit(store, "ours:2");
    lab_do(&server, "PFMERGE theirs first second");
    lab_do(&server, "PFMERGE ours ours:1 ours:2");
    const long long both = lab_number(&server, "PFCOUNT theirs");
    ck_assert_int_eq(lab_number(&server, "PFCOUNT ours"), both);
    ck_assert_int_eq(lab_number(&server, "PFCOUNT ours:1 ours:2"), both);

    /* and we what it merged */
    redisReply *reply = lab_command(&server, "GET ours");
    const struct component merged = {.name = "distinct(x)",
                                     .rule = COMPONENT_HLL,
                                     .bytes = (const unsigned char *)reply->str,
                                     .len = reply->len};
    memset(state, 0, measure.words * sizeof *state);
    ck_assert(measure.kind->absorb(&measure, state, &merged));
    freeReplyObject(reply);
    ck_assert_int_eq(estimate(), both);
}
END_TEST

START_TEST(what_redis_packs_sparsely_is_not_taken_for_dense) {
    lab_do(&server, "CONFIG SET hll-sparse-max-bytes 3000");
    lab_do(&server, "PFADD sparse a b c");
    redisReply *reply = lab_command(&server, "GET sparse");
    const struct component sparse = {.name = "distinct(x)",
                                     .rule = COMPONENT_HLL,
                                     .bytes = (const unsigned char *)reply->str,
                                     .len = reply->len};
    ck_assert(!measure.kind->absorb(&measure, state, &sparse));
    ck_assert_uint_eq(state[0], 0);
    freeReplyObject(reply);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("measures: distinct at Redis");
    TCase *tcase = tcase_create("distinct");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, bytes_and_estimates_are_those_of_redis);
    tcase_add_test(tcase, redis_merges_ours);
    tcase_add_test(tcase, what_redis_packs_sparsely_is_not_taken_for_dense);
    suite_add_tcase(suite, tcase);
    return lab_run(suite);
}
