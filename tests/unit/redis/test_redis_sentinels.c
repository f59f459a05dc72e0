/* Which master a sentinel names, whether it is one, and notice of another, by what sentinels and
 * servers answer: sentinel.c. */
#include "redis/sentinel.h"

#include "tests/unit/redis/canned_redis.h"

#define NAMES_A "*2\r\n$1\r\na\r\n$1\r\n1\r\n"
#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
#define MASTER "*1\r\n$6\r\nmaster\r\n"
#define REPLICA "*1\r\n$5\r\nslave\r\n"

static struct redis_url url;
static struct wire_config config;
static struct sentinel_watch *watch;
static struct wire *master;
static char why[WIRE_WHY_MAX];

static void parse(const char *text) {
    ck_assert_msg(redis_url_parse(text, &url, why), "%s", why);
    config = (struct wire_config){.url = &url, .timeout_ms = 2000, .end_ms = WIRE_NO_END};
}

static void begin(void) {
    canned_begin();
    parse("redis+sentinel://s:9,t:9/ours");
}

static void close_both(void) {
    sentinel_watch_free(watch);
    watch = NULL;
    wire_close(master);
    master = NULL;
}

static void end(void) {
    close_both();
    canned_end();
}

static bool open_master(void) {
    why[0] = '\0';
    master = sentinel_open_master(&config, &watch, why);
    return master != NULL;
}

START_TEST(the_master_that_is_named) {
    const unsigned s = canned_add("s:9", NAMES_A, true);
    const unsigned a = canned_add("a:1", MASTER, true);
    ck_assert_int_eq(write(canned[s].ours, SUBSCRIBED, sizeof SUBSCRIBED - 1),
                     sizeof SUBSCRIBED - 1);
    ck_assert_msg(open_master(), "%s", why);
    ck_assert_ptr_nonnull(watch);
    ck_assert_str_eq(canned_sent(s), "*3  $8  SENTINEL  $23  get-master-addr-by-name  $4  ours  ");
    ck_assert_str_eq(canned_sent(a), "*1  $4  ROLE  ");
    ck_assert(!sentinel_watch_switched(watch));
}
END_TEST

/* A sentinel that is away, that does not know it or that is late is followed by the next. */
START_TEST(the_next_sentinel_is_asked) {
    static const struct {
        const char *first, *role, *sentence;
    } cases[] = {
        {NULL, MASTER, "s:9: out of memory"},
        {"", MASTER, "s:9: Server closed the connection"},
        {"*-1\r\n", MASTER, "sentinel s:9: knows no master called ours"},
        {"*1\r\n$1\r\na\r\n", MASTER, "sentinel s:9: knows no master called ours"},
        {"*2\r\n$1\r\na\r\n:1\r\n", MASTER, "sentinel s:9: knows no master called ours"},
        {"*2\r\n:1\r\n$1\r\n1\r\n", MASTER, "sentinel s:9: knows no master called ours"},
        {"-NOAUTH no\r\n", MASTER, "sentinel s:9: NOAUTH no"},
        {NAMES_A, REPLICA, "a:1: Sentinel names it, but it is a replica: a failover is under way"},
        {NAMES_A, "", "a:1: Server closed the connection"},
        {"*2\r\n$1\r\nb\r\n$1\r\n2\r\n", MASTER, "b:2: out of memory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int with_second = 0; with_second < 2; with_second++) {
            url.hosts = with_second ? 2 : 1;
            canned_n = 0;
            if (cases[i].first) {
                canned_add("s:9", cases[i].first, false);
            }
            canned_add("a:1", cases[i].role, false);
            if (with_second) {
                canned_add("t:9", NAMES_A SUBSCRIBED, true);
                canned_add("a:1", MASTER, true);
            }
            ck_assert_msg(open_master() == with_second, "%zu: %s", i, why);
            ck_assert_int_eq(watch != NULL, with_second);
            if (!with_second) {
                ck_assert_str_eq(why, cases[i].sentence);
            }
            close_both();
            canned_end();
        }
    }
    canned_n = 0;
}
END_TEST

/* One that may not say what it is (an ACL) is believed, and one notice less is no failure. */
START_TEST(what_may_not_be_asked) {
    canned_add("s:9", NAMES_A "-NOPERM no\r\n", false);
    canned_add("a:1", "-NOPERM no\r\n", true);
    ck_assert_msg(open_master(), "%s", why);
    ck_assert_ptr_null(watch);
    ck_assert(!sentinel_watch_switched(NULL));
}
END_TEST

/* The password is tried where one is wanted only. */
START_TEST(a_sentinel_with_a_password) {
    parse("redis+sentinel://:secret@s:9/ours");
    canned_add("s:9", "-NOAUTH no\r\n+OK\r\n" NAMES_A SUBSCRIBED, true);
    canned_add("a:1", "+OK\r\n" MASTER, true);
    ck_assert_msg(open_master(), "%s", why);
    close_both();
    canned_add("s:9", "-NOAUTH no\r\n-WRONGPASS no\r\n", true);
    ck_assert(!open_master());
    ck_assert_msg(strstr(why, "WRONGPASS"), "%s", why);
    canned_add("s:9", NAMES_A SUBSCRIBED, true);
    canned_add("a:1", "+OK\r\n" MASTER, true);
    ck_assert_msg(open_master(), "%s", why);
}
END_TEST

/* Of our master, and to another than the one that we have. */
START_TEST(notice_of_another_master) {
    static const struct {
        const char *text;
        bool switched;
    } cases[] = {
        {"ours a 1 b 2", true},   {"ours b 2 a 1", false}, {"theirs a 1 b 2", false},
        {"oursx a 1 b 2", false}, {"ours a 1 a 11", true}, {"ours a 1 ba 1", true},
        {"ours x", true},         {"our", false},
    };
    const unsigned s = canned_add("s:9", NAMES_A SUBSCRIBED, true);
    canned_add("a:1", MASTER, true);
    ck_assert_msg(open_master(), "%s", why);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[256];
        const int n =
            snprintf(message, sizeof message,
                     ":1\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n*3\r\n$1\r\nx\r\n$1\r\ny\r\n:1\r\n"
                     "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$%zu\r\n%s\r\n",
                     strlen(cases[i].text), cases[i].text);
        ck_assert_int_eq(write(canned[s].ours, message, (size_t)n), n);
        ck_assert_msg(sentinel_watch_switched(watch) == cases[i].switched, "%s", cases[i].text);
        ck_assert(!sentinel_watch_switched(watch)); /* told once */
    }
}
END_TEST

START_TEST(a_sentinel_that_goes_away_tells_nothing_more) {
    const unsigned s = canned_add("s:9", NAMES_A SUBSCRIBED, true);
    canned_add("a:1", MASTER, true);
    ck_assert_msg(open_master(), "%s", why);
    shutdown(canned[s].ours, SHUT_WR);
    ck_assert(!sentinel_watch_switched(watch));
    char byte;
    ssize_t n;
    while ((n = recv(canned[s].ours, &byte, 1, 0)) > 0) {
    }
    ck_assert_int_eq(n, 0); /* closed on the other side, too */
    ck_assert(!sentinel_watch_switched(watch));
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, end}), "redis_sentinels",
                the_master_that_is_named, the_next_sentinel_is_asked, what_may_not_be_asked,
                a_sentinel_with_a_password, notice_of_another_master,
                a_sentinel_that_goes_away_tells_nothing_more)
