/* One connection: what is said when it is made, what is refused, and how long is waited. */
#include "redis/wire.h"

#include "tests/unit/redis/canned_redis.h"

static struct redis_url url;
static struct wire_config config;
static char why[WIRE_WHY_MAX];

static void begin(const char *text) {
    canned_begin();
    *why = '\0';
    ck_assert_msg(redis_url_parse(text, &url, why), "%s", why);
    config = (struct wire_config){.url = &url, .timeout_ms = 60, .end_ms = WIRE_NO_END};
}

/* One answer each: with the next one there already, nothing more would be sent. */
START_TEST(it_logs_in_and_selects) {
    static const struct {
        const char *url, *sent;
    } cases[] = {{"redis://me:secret@a:1", "*3  $4  AUTH  $2  me  $6  secret  "},
                 {"redis://:secret@a:1", "*2  $4  AUTH  $6  secret  "},
                 {"redis://a:1/3", "*2  $6  SELECT  $1  3  "},
                 {"redis://a:1/0", ""},
                 {"redis://a:1", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].url);
        bool refused = true;
        const unsigned server = canned_add("a:1", "+OK\r\n", true);
        struct wire *wire = wire_open(&config, &url.host[0], &refused, why);
        ck_assert_msg(wire && !refused, "%s", why);
        ck_assert_str_eq(canned_sent(server), cases[i].sent);
        wire_close(wire);
        canned_end();
    }
}
END_TEST

START_TEST(a_sentinel_is_told_nothing) {
    begin("redis://me:secret@a:1/3");
    const unsigned server = canned_add("a:1", "", true);
    struct wire *wire = wire_open_bare(&config, &url.host[0], why);
    ck_assert_ptr_nonnull(wire);
    ck_assert_str_eq(canned_sent(server), "");
    wire_close(wire);
    canned_end();
}
END_TEST

START_TEST(nobody_is_there) {
    begin("redis://a:1");
    ck_assert_ptr_null(wire_open_bare(&config, &url.host[0], why));
    ck_assert_str_eq(why, "a:1: out of memory");
    canned_end();
}
END_TEST

/* Trying again soon is of use only where nobody answered. */
START_TEST(a_refusal_is_told_from_a_silence) {
    static const struct {
        const char *answers, *words;
        bool refused;
    } cases[] = {{"-WRONGPASS no\r\n", "AUTH: WRONGPASS no", true},
                 {"+OK\r\n-ERR DB index is out of range\r\n", "SELECT: ERR DB", true},
                 {"", "Server closed", false},
                 {"+OK\r\n", "Server closed", false},
                 {"garbage\r\n", "Protocol error", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin("redis://:secret@a:1/3");
        bool refused = !cases[i].refused;
        canned_add("a:1", cases[i].answers, false);
        ck_assert_ptr_null(wire_open(&config, &url.host[0], &refused, why));
        ck_assert_msg(refused == cases[i].refused && strstr(why, "a:1: ") &&
                          strstr(why, cases[i].words) && !strstr(why, "secret"),
                      "%s: %s", cases[i].words, why);
        canned_end();
    }
}
END_TEST

static bool refuse_peer(const struct wire_peer *peer, char *sentence) {
    snprintf(sentence, WIRE_WHY_MAX, "%s: not this one", peer->address);
    return false;
}

START_TEST(the_check_may_refuse) {
    begin("redis://a:1");
    bool refused = false;
    config.check = refuse_peer;
    canned_add("a:1", "", true);
    ck_assert_ptr_null(wire_open(&config, &url.host[0], &refused, why));
    ck_assert(refused);
    ck_assert_str_eq(why, "a:1: not this one");
    canned_end();
}
END_TEST

static struct wire *open_plain(const char *answers) {
    begin("redis://a:1");
    canned_add("a:1", answers, true);
    struct wire *wire = wire_open(&config, &url.host[0], NULL, why);
    ck_assert_msg(wire != NULL, "%s", why);
    return wire;
}

static redisReply *call(struct wire *wire) {
    const char *argv[] = {"PING"};
    return wire_call(&(struct wire_peer){&config, wire, "a:1"}, 1, argv, why);
}

START_TEST(an_answer_that_does_not_come_ends_the_wait) {
    struct wire *wire = open_plain("+half an ans");
    const int64_t before_ms = wire_now_ms();
    ck_assert_ptr_null(call(wire));
    ck_assert_int_ge(wire_now_ms() - before_ms, config.timeout_ms - 1);
    ck_assert(wire_timed_out(wire));
    ck_assert_str_eq(why, "a:1: no answer in time");
    wire_close(wire);
    canned_end();
}
END_TEST

/* Whoever ends the wait may be another thread; what is there already is read all the same. */
START_TEST(no_wait_goes_past_its_end) {
    struct wire *wire = open_plain("+PONG\r\n");
    _Atomic int64_t until_ms = 0;
    config.timeout_ms = 1000000;
    config.until_ms = &until_ms;
    redisReply *reply = call(wire);
    ck_assert(reply && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    ck_assert_ptr_null(call(wire));
    ck_assert_str_eq(why, "a:1: no answer in time");
    wire_close(wire);
    wire = open_plain("");
    config.timeout_ms = 1000000;
    config.end_ms = wire_now_ms();
    ck_assert_ptr_null(call(wire));
    wire_close(wire);
    canned_end();
}
END_TEST

START_TEST(an_array_that_claims_to_be_huge_is_not_made_room_for) {
    struct wire *wire = open_plain("*2000000000\r\n");
    ck_assert_ptr_null(call(wire));
    ck_assert_msg(strstr(why, "a:1: "), "%s", why);
    wire_close(wire);
    canned_end();
}
END_TEST

START_TEST(an_error_is_known_by_its_first_word) {
    static const struct {
        const char *answer;
        bool is_moved;
    } cases[] = {{"-MOVED 1 a:1\r\n", true}, {"-MOVED\r\n", true}, {"-MOVEDX 1\r\n", false},
                 {"-ERR MOVED\r\n", false},  {"-MOV\r\n", false},  {"+MOVED 1 a:1\r\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *wire = open_plain(cases[i].answer);
        redisReply *reply = call(wire);
        ck_assert_msg(wire_is_error(reply, "MOVED") == cases[i].is_moved, "%s", cases[i].answer);
        freeReplyObject(reply);
        wire_close(wire);
        canned_end();
    }
}
END_TEST

CHECK_MAIN("redis_wire", it_logs_in_and_selects, a_sentinel_is_told_nothing, nobody_is_there,
           a_refusal_is_told_from_a_silence, the_check_may_refuse,
           an_answer_that_does_not_come_ends_the_wait, no_wait_goes_past_its_end,
           an_array_that_claims_to_be_huge_is_not_made_room_for,
           an_error_is_known_by_its_first_word)
