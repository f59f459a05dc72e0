#include "server/http/live_round.h"

#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static struct page page;

static void make(const char *query) {
    static char text[128];
    snprintf(text, sizeof text, "%s", query);
    client.fields = 0;
    for (char *rest = text, *next; (next = strsep(&rest, "&"));) {
        char *equals = strchr(next, '=');
        *equals = '\0';
        set_field(MHD_GET_ARGUMENT_KIND, next, equals + 1);
    }
    page = (struct page){0};
    live_round_make(&worker, NULL, &page);
}

static void assert_answer(const char *query, const char *expected) {
    make(query);
    ck_assert_str_eq(page.why, "");
    ck_assert_uint_eq(page.status, 200);
    char *text = read_response(page.response);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void set_time(int64_t now_us) {
    worker.now_us = now_us;
    atomic_store(&worker.woke_us, now_us);
    shard_set_now_owner(worker.shard, now_us);
}

/* T0 is 2016-05-28 11:11:11, 1464433871000 ms since 1970. */
START_TEST(windows_up_to_the_present_one) {
    set_time(T0 + 45000);
    shard_add_owner(worker.shard, T0);
    shard_add_owner(worker.shard, T0 + 40000);
    shard_add_owner(worker.shard, T0 + 40001);
    assert_answer("10ms=3", "{\"time_ms\":1464433871045,\"next_ms\":250,\n"
                            "\"10ms\":{\"from\":1464433871020,\"counts\":[0,0,2]}}\n");
    assert_answer("10ms=6&1s=2&1min=1",
                  "{\"time_ms\":1464433871045,\"next_ms\":250,\n"
                  "\"10ms\":{\"from\":1464433870990,\"counts\":[0,1,0,0,0,2]},\n"
                  "\"1s\":{\"from\":1464433870000,\"counts\":[0,3]},\n"
                  "\"1min\":{\"from\":1464433860000,\"counts\":[3]}}\n");
    live_answers_free(&worker.live);
}
END_TEST

START_TEST(a_hundred_who_ask_the_same_are_answered_once) {
    set_time(T0);
    const unsigned before = lab_responses;
    make("10ms=212&1s=76&nodes=1");
    struct MHD_Response *const first = page.response;
    ck_assert(page.shared);
    shard_add_owner(worker.shard, T0);
    for (int i = 0; i < 100; i++) {
        set_time(T0 + i * 999); /* just within 100 ms */
        make(i % 2 ? "1s=76&nodes=yes&10ms=212" : "10ms=212&1s=76&nodes=1");
        ck_assert(page.shared);
        ck_assert_ptr_eq(page.response, first);
    }
    ck_assert_uint_eq(lab_responses, before + 1);
    make("10ms=212&1s=76&nodes=0"); /* another question */
    ck_assert_ptr_ne(page.response, first);
    make("10ms=212&1s=77&nodes=1");
    ck_assert_ptr_ne(page.response, first);
    live_answers_free(&worker.live);
    ck_assert_uint_eq(lab_responses, before);
}
END_TEST

START_TEST(an_event_shows_after_100_ms) {
    set_time(T0);
    assert_answer("1s=1", "{\"time_ms\":1464433871000,\"next_ms\":250,\n"
                          "\"1s\":{\"from\":1464433871000,\"counts\":[0]}}\n");
    shard_add_owner(worker.shard, T0);
    set_time(T0 + 100 * US_PER_MS - 1);
    assert_answer("1s=1", "{\"time_ms\":1464433871000,\"next_ms\":250,\n"
                          "\"1s\":{\"from\":1464433871000,\"counts\":[0]}}\n");
    set_time(T0 + 100 * US_PER_MS);
    assert_answer("1s=1", "{\"time_ms\":1464433871100,\"next_ms\":250,\n"
                          "\"1s\":{\"from\":1464433871000,\"counts\":[1]}}\n");
    live_answers_free(&worker.live);
}
END_TEST

START_TEST(many_questions_take_no_more_room) {
    const unsigned before = lab_responses;
    set_time(T0);
    for (int i = 1; i < 200; i++) {
        char query[32];
        snprintf(query, sizeof query, "10ms=%d", i);
        make(query);
        ck_assert(page.shared);
    }
    ck_assert_uint_eq(lab_responses, before + LIVE_ANSWERS);
    live_answers_free(&worker.live);
    ck_assert_uint_eq(lab_responses, before);
}
END_TEST

/* Such an answer has a header that others must not get. */
START_TEST(the_last_answer_of_a_connection_is_its_own) {
    set_time(T0);
    make("10ms=1");
    ck_assert(page.shared);
    worker.answers_last = true;
    make("10ms=1");
    ck_assert(!page.shared);
    MHD_destroy_response(page.response);
    worker.answers_last = false;
    live_answers_free(&worker.live);
}
END_TEST

START_TEST(what_cannot_be_meant_is_refused) {
    static const char *const wrong[][2] = {
        {"nodes=0", "nothing is asked for: 10ms=N, 1s=N or 1min=N windows, nodes=1"},
        {"nodes=2", "nodes: must be 1 or yes, or 0 or no"},
        {"10ms=0", "10ms: must be a whole number from 1 to 4096"},
        {"1s=4097", "1s: must be a whole number from 1 to 4096"},
        {"1min=-1", "1min: must be a whole number from 1 to 4096"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        make(wrong[i][0]);
        ck_assert_uint_eq(page.status, 400);
        ck_assert_str_eq(page.why, wrong[i][1]);
        ck_assert_ptr_null(page.response);
    }
}
END_TEST

static bool fail_to_read(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    (void)cls;
    (void)r;
    (void)first;
    (void)n;
    (void)out;
    return false;
}

static struct query_reader find_nothing(void *cls, enum resolution r, int64_t now_us) {
    (void)cls;
    (void)r;
    (void)now_us;
    return (struct query_reader){.read = fail_to_read, .oldest = 0, .newest = INT64_MAX - 1};
}

static void explain(void *cls, char *why) {
    snprintf(why, PAGES_WHY_MAX, "%s", (const char *)cls);
}

START_TEST(a_source_that_fails_is_503_and_nothing_is_kept) {
    const struct live_source source = {
        .find_reader = find_nothing, .explain = explain, .cls = (void *)(uintptr_t) "it is away"};
    const unsigned before = lab_responses;
    set_time(T0);
    client.fields = 0;
    set_field(MHD_GET_ARGUMENT_KIND, "10ms", "3");
    page = (struct page){0};
    live_round_answer(&worker, NULL, &source, &page);
    ck_assert_uint_eq(page.status, 503);
    ck_assert_str_eq(page.why, "it is away");
    ck_assert_uint_eq(lab_responses, before);
}
END_TEST

HTTP_LAB_MAIN("live_round", windows_up_to_the_present_one,
              a_hundred_who_ask_the_same_are_answered_once, an_event_shows_after_100_ms,
              many_questions_take_no_more_room, the_last_answer_of_a_connection_is_its_own,
              what_cannot_be_meant_is_refused, a_source_that_fails_is_503_and_nothing_is_kept)
