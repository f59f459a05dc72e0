/* What a node says of itself, as words and back, and as JSON; and what becomes of words of others.
 */
#include "view/nodes.h"

#include "tests/unit/check_main.h"

#include <string.h>

static struct node_view some_node(void) {
    struct node_view node = {.node = "a",
                             .version = "0.1.0",
                             .started_us = 1464433871120000,
                             .received = 12,
                             .counted = 11,
                             .reasons = 2,
                             .refused = {{"malformed", 1}, {"too_late", 0}},
                             .lag_ms = 5,
                             .complete_through_us = 1464433872000000,
                             .visible_p99_ms = 250,
                             .last_seen_us = 1464433872300000};
    return node;
}

START_TEST(words_and_back) {
    const struct node_view node = some_node();
    struct node_view back = {0};
    char words[256], cut[32];
    nodes_write(&node, words, sizeof words);
    ck_assert_str_eq(
        words,
        "version=0.1.0 started=1464433871120 received=12 counted=11 lag_ms=5 "
        "complete_through=1464433872000 visible_p99_ms=250 refused.malformed=1 refused.too_late=0");
    nodes_read_words(words, &back);
    ck_assert_str_eq(back.version, "0.1.0");
    ck_assert_int_eq(back.started_us, node.started_us);
    ck_assert_uint_eq(back.received, 12);
    ck_assert_uint_eq(back.counted, 11);
    ck_assert_int_eq(back.lag_ms, 5);
    ck_assert_int_eq(back.complete_through_us, node.complete_through_us);
    ck_assert_int_eq(back.visible_p99_ms, 250);
    ck_assert_uint_eq(back.reasons, 2);
    ck_assert_str_eq(back.refused[0].name, "malformed");
    ck_assert_uint_eq(back.refused[0].events, 1);
    ck_assert(!back.ended);
    nodes_write(&node, cut, sizeof cut);
    ck_assert_uint_eq(strlen(cut), sizeof cut - 1);
}
END_TEST

START_TEST(what_is_not_known_yet_is_left_out) {
    struct node_view node = some_node(),
                     back = {.complete_through_us = 1, .visible_p99_ms = 1, .ended = true};
    char words[256];
    node.complete_through_us = node.visible_p99_ms = 0;
    node.ended = true;
    nodes_write(&node, words, sizeof words);
    ck_assert_ptr_null(strstr(words, "complete_through"));
    back.complete_through_us = 0;
    nodes_read_words(words, &back);
    ck_assert_int_eq(back.complete_through_us, 0);
    ck_assert_int_eq(back.visible_p99_ms, 0);
    ck_assert(back.ended);
}
END_TEST

START_TEST(words_of_others_do_no_harm) {
    static const char *const words[] = {"",
                                        " ",
                                        "=",
                                        "==",
                                        "refused.",
                                        "refused.=1",
                                        "received=",
                                        "received=-1",
                                        "received=1e9",
                                        "received=99999999999999999999999999",
                                        "started=99999999999999999999",
                                        "nothing",
                                        "x=y z",
                                        "lag_ms=9999999999999999999",
                                        "version=",
                                        "complete_through=99999999999999999"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct node_view node = {0};
        struct text text = {0};
        nodes_read_words(words[i], &node);
        nodes_add_json(&node, &text);
        ck_assert_msg(!text.failed && node.received == 0 && node.started_us == 0 &&
                          node.complete_through_us == 0 && node.reasons == 0,
                      "%s", words[i]);
        text_free(&text);
    }
    char many[8192] = "";
    for (int i = 0; i < 100; i++) {
        strcat(many, "refused.reason=1 ");
    }
    struct node_view node = {0};
    nodes_read_words(many, &node);
    ck_assert_uint_eq(node.reasons, NODES_REASONS_MAX);
    memset(many, 'x', 1000);
    memcpy(many, "version=", 8);
    nodes_read_words(many, &node);
    ck_assert_uint_eq(strlen(node.version), NODES_VERSION_MAX - 1);
}
END_TEST

START_TEST(json_of_a_node) {
    struct node_view node = some_node();
    struct text text = {0};
    strcpy(node.node, "<b>\"\x1b");
    nodes_add_json(&node, &text);
    text_add(&text, "", 1);
    ck_assert_str_eq(text.bytes,
                     "{\"node\":\"<b>\\\"\\u001b\",\"version\":\"0.1.0\","
                     "\"started\":\"2016-05-28T11:11:11.120Z\",\"received\":12,\"counted\":11,"
                     "\"refused\":{\"malformed\":1,\"too_late\":0},\"lag_ms\":5,"
                     "\"complete_through\":\"2016-05-28T11:11:12.000Z\",\"visible_p99_ms\":250,"
                     "\"last_seen\":\"2016-05-28T11:11:12.300Z\",\"state\":\"here\"}");
    text_free(&text);
    node.complete_through_us = node.visible_p99_ms = 0;
    node.gone = true;
    nodes_add_json(&node, &text);
    text_add(&text, "", 1);
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"complete_through\":null"));
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"visible_p99_ms\":null"));
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"state\":\"gone\""));
    text_free(&text);
}
END_TEST

CHECK_MAIN("nodes", words_and_back, what_is_not_known_yet_is_left_out, words_of_others_do_no_harm,
           json_of_a_node)
