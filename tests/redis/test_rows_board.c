/* The score boards of top(...): after each call the score of a value is how often it came at the
 * least, by what the bytes of all nodes in the window say. */
#include "counters/measures/top_entry.h"
#include "tests/redis/rows_lab.h"

#include <stdlib.h>

#define NODES 2
#define VALUES 40
#define BOARD WINDOW ":top(route)" US "/pay"

/* What a node has of each value; 0: it has no counter for it. */
struct node {
    struct store *store;
    uint64_t count[VALUES], error[VALUES], events;
    unsigned char bytes[VALUES * TOP_ENTRY_BYTES_MAX];
    struct rows_component component[2];
    struct rows_row row;
};

static struct node node[NODES];

static void open_nodes(void) {
    memset(node, 0, sizeof node);
    node[0].store = ready_store(url, "n1", TIMEOUT_MS);
    node[1].store = ready_store(url, "n2", TIMEOUT_MS);
}

static void close_nodes(void) {
    for (int i = 0; i < NODES; i++) {
        node[i].store->ops->close(node[i].store);
    }
}

/* Value number i: any bytes, some of them long. */
static size_t make_value(unsigned i, char value[TOP_KEY_MAX + 1]) {
    size_t len = (size_t)snprintf(value, TOP_KEY_MAX + 1, "/%u", i);
    while (i % 3 == 0 && len < TOP_KEY_MAX - i % 7) {
        value[len] = (char)(i * 37 + len * 11);
        len++;
    }
    return len;
}

/* The row as the node has it now. */
static const struct rows_row *row_of(struct node *of) {
    unsigned char *at = of->bytes;
    for (unsigned i = 0; i < VALUES; i++) {
        char value[TOP_KEY_MAX + 1];
        const struct top_entry entry = {of->count[i], of->error[i], make_value(i, value), value};
        at = of->count[i] > 0 ? top_entry_write(at, &entry) : at;
    }
    of->component[0] = (struct rows_component){"count", ROWS_ADD, (int64_t)of->events, NULL, 0};
    of->component[1] =
        (struct rows_component){"top(route)", ROWS_BLOB, 0, of->bytes, (size_t)(at - of->bytes)};
    of->row = (struct rows_row){"/pay", 4, of->events, 2, of->component};
    return &of->row;
}

static void count(struct node *of, unsigned i, uint64_t n) {
    of->count[i] += n;
    of->events += n;
}

static void send(struct node *of) {
    had_row(of->store, row_of(of));
}

/* The score of a value; -1: it is not on the board. */
static long long score(unsigned i) {
    char value[TOP_KEY_MAX + 1];
    const size_t len = make_value(i, value);
    redisReply *reply = lab_command(&server, "ZSCORE %b %b", BOARD, sizeof BOARD - 1, value, len);
    const long long found = reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : -1;
    freeReplyObject(reply);
    return found;
}

static void compare_board(void) {
    long long there = 0;
    for (unsigned i = 0; i < VALUES; i++) {
        uint64_t least = 0;
        for (int n = 0; n < NODES; n++) {
            least += node[n].count[i] - node[n].error[i];
        }
        ck_assert_int_eq(score(i), least > 0 ? (long long)least : -1);
        there += least > 0;
    }
    ck_assert_int_eq(lab_number(&server, "ZCARD %b", BOARD, sizeof BOARD - 1), there);
    must_be_sound();
}

START_TEST(scores_are_what_all_nodes_have) {
    open_nodes();
    count(&node[0], 1, 7);
    count(&node[0], 3, 200);
    send(&node[0]);
    compare_board();
    count(&node[1], 3, 100000);
    count(&node[1], 4, 1);
    node[1].error[3] = 300;
    send(&node[1]);
    compare_board();
    send(&node[0]); /* once more */
    send(&node[1]);
    compare_board();
    count(&node[0], 1, 3);
    send(&node[0]);
    compare_board();
    redisReply *reply =
        lab_command(&server, "ZREVRANGE %b 0 0 WITHSCORES", BOARD, sizeof BOARD - 1);
    ck_assert_uint_eq(reply->elements, 2);
    ck_assert_int_eq(atoll(reply->element[1]->str), 99900);
    freeReplyObject(reply);
    node[0].events = node[0].count[1] = 2; /* late, from before: nothing changes */
    row_of(&node[0]);
    had_row(node[0].store, &node[0].row);
    ck_assert_int_eq(score(1), 10);
    ck_assert_int_gt(lab_number(&server, "TTL %b", BOARD, sizeof BOARD - 1), KEEP_S - 60);
    /* the audit finds one that is wrong, and passes over one that is gone */
    char finding[AUDIT_SENTENCE_MAX];
    lab_do(&server, "ZINCRBY %b 1 /1", BOARD, sizeof BOARD - 1);
    audit(finding);
    ck_assert_ptr_nonnull(strstr(finding, "the score board of top(route) of /pay is not what"));
    lab_do(&server, "ZINCRBY %b -1 /1", BOARD, sizeof BOARD - 1);
    must_be_sound();
    lab_do(&server, "ZADD %b 1 another", BOARD, sizeof BOARD - 1);
    audit(finding);
    ck_assert_ptr_nonnull(strstr(finding, "the score board"));
    lab_do(&server, "DEL %b", BOARD, sizeof BOARD - 1);
    must_be_sound();
    close_nodes();
}
END_TEST

START_TEST(who_loses_its_counter_leaves_the_board) {
    open_nodes();
    count(&node[0], 1, 5);
    count(&node[0], 2, 6);
    count(&node[1], 1, 1);
    send(&node[0]);
    send(&node[1]);
    node[0].count[1] = 0; /* another value has taken it */
    node[0].count[7] = 6;
    node[0].error[7] = 5;
    node[0].events++;
    send(&node[0]);
    compare_board();
    node[1].count[1] = 0;
    count(&node[1], 8, 1);
    send(&node[1]);
    ck_assert_int_eq(score(1), -1);
    compare_board();
    close_nodes();
}
END_TEST

START_TEST(one_that_is_gone_is_made_anew) {
    open_nodes();
    count(&node[0], 1, 5);
    count(&node[1], 1, 20);
    count(&node[1], 2, 3);
    send(&node[0]);
    send(&node[1]);
    lab_do(&server, "DEL %b", BOARD, sizeof BOARD - 1);
    send(&node[0]); /* as it was */
    compare_board();
    lab_do(&server, "DEL %b", BOARD, sizeof BOARD - 1);
    count(&node[0], 2, 1);
    send(&node[0]);
    compare_board();
    /* the window is gone, and the board was left */
    lab_do(&server, "DEL " WINDOW);
    send(&node[0]);
    ck_assert_int_eq(score(1), 5);
    send(&node[1]);
    compare_board();
    lab_do(&server, "FLUSHALL");
    send(&node[1]);
    send(&node[0]);
    compare_board();
    close_nodes();
}
END_TEST

START_TEST(what_is_no_board_fails_before_anything_is_written) {
    open_nodes();
    lab_do(&server, "SET %b x", BOARD, sizeof BOARD - 1);
    count(&node[0], 1, 5);
    ck_assert_int_eq(send_at(node[0].store, 0, row_of(&node[0]), 1).outcome, STORE_FAILED);
    ck_assert_ptr_nonnull(strstr(store_why, "WRONGTYPE"));
    ck_assert_int_eq(lab_number(&server, "EXISTS " WINDOW), 0);
    lab_do(&server, "DEL %b", BOARD, sizeof BOARD - 1);
    for (size_t len = 1; len < 4; len++) { /* cut anywhere: count, error, length, a value of two */
        row_of(&node[0]);
        node[0].component[1].len = len;
        ck_assert_int_eq(send_at(node[0].store, 0, &node[0].row, 1).outcome,
                         len < 3 ? STORE_FAILED : STORE_STORED);
        ck_assert(len >= 3 || strstr(store_why, "are no entries of a top"));
        ck_assert_int_eq(lab_number(&server, "EXISTS " WINDOW), len >= 3);
    }
    close_nodes();
}
END_TEST

START_TEST(whatever_comes) {
    open_nodes();
    srand(29);
    for (int round = 0; round < 150; round++) {
        struct node *of = &node[rand() % NODES];
        for (int n = rand() % 5; n >= 0; n--) {
            const unsigned i = (unsigned)rand() % VALUES;
            if (of->count[i] == 0 && rand() % 2) { /* takes over the counter of another */
                const unsigned from = (unsigned)rand() % VALUES;
                of->count[i] = of->error[i] = of->count[from];
                of->count[from] = of->error[from] = 0;
            }
            count(of, i, rand() % 10 ? 1 + (uint64_t)rand() % 3 : 1 + (uint64_t)rand() % 100000);
        }
        if (rand() % 20 == 0) {
            lab_do(&server, rand() % 2 ? "DEL " WINDOW : "FLUSHALL");
            send(&node[0]);
            send(&node[1]);
        } else if (rand() % 10 == 0) {
            lab_do(&server, "DEL %b", BOARD, sizeof BOARD - 1);
        }
        send(of);
        if (of != &node[0] && node[0].events > 0) {
            send(&node[0]);
        }
        if (node[1].events > 0) {
            send(&node[1]);
        }
        compare_board();
    }
    close_nodes();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        scores_are_what_all_nodes_have, who_loses_its_counter_leaves_the_board,
        one_that_is_gone_is_made_anew, what_is_no_board_fails_before_anything_is_written,
        whatever_comes};
    return one_server_run("redis/rows_board", tests, sizeof tests / sizeof *tests);
}
