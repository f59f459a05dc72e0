/* What the audit says of a chunk's hash, by what a server answers: parts and totals, what an owner
 * left, and which key of which group is meant. test_redis_reader.c has the rest of it. */
#include "redis/audit.h"

#include "redis/part.h"
#include "redis/schema.h"
#include "tests/unit/redis/canned_redis.h"

#include <inttypes.h>

#define MINUTE INT64_C(24407231) /* a chunk of 1 s windows: 2016-05-28T11:11 */
#define ANSWERS_MAX 65536

static char why[LINK_WHY_MAX];

/* All that is answered, in one piece; bytes of parts may be NUL. */
static struct {
    char text[ANSWERS_MAX];
    size_t len;
} answers;

static struct {
    unsigned n;
    char sentence[4][AUDIT_SENTENCE_MAX];
} findings;

static void find(void *cls, const char *sentence) {
    ck_assert_ptr_eq(cls, &findings);
    if (findings.n < 4) {
        snprintf(findings.sentence[findings.n], AUDIT_SENTENCE_MAX, "%s", sentence);
    }
    findings.n++;
}

static void say(const char *text) {
    const size_t len = strlen(text);
    ck_assert_uint_lt(answers.len + len, sizeof answers.text);
    memcpy(answers.text + answers.len, text, len);
    answers.len += len;
}

static void say_bytes(const char *bytes, size_t len) {
    char head[32];
    snprintf(head, sizeof head, "$%zu\r\n", len);
    say(head);
    ck_assert_uint_lt(answers.len + len, sizeof answers.text);
    memcpy(answers.text + answers.len, bytes, len);
    answers.len += len;
    say("\r\n");
}

static void say_field(const char *name, const char *value) {
    say_bytes(name, strlen(name));
    say_bytes(value, strlen(value));
}

/* A part of one byte a value: of windows 0 and 1. */
static void say_part(const char *name, unsigned char zero, unsigned char one, unsigned char sum) {
    const char part[] = {1, 7, 0, 0, 0, (char)sum, 0, 0, 0, 0, 0, 0, (char)zero, (char)one};
    say_bytes(name, strlen(name));
    say_bytes(part, sizeof part);
}

/* The head of a hash of so many fields, and the first of them: until, as it should be. */
static void say_hash(enum resolution r, int64_t chunk, unsigned fields) {
    char text[32];
    snprintf(text, sizeof text, "*%u\r\n", 2 * fields);
    say(text);
    snprintf(text, sizeof text, "%" PRId64, schema_until_s(r, chunk));
    say_field("until", text);
}

static void begin(void) {
    canned_begin();
    memset(&answers, 0, sizeof answers);
    memset(&findings, 0, sizeof findings);
    why[0] = '\0';
}

static unsigned server; /* whom the hashes are asked of */

static void add_server(void) {
    const unsigned number = server = canned_add("a:1", "", true);
    ck_assert_int_eq(write(canned[number].ours, answers.text, answers.len), (ssize_t)answers.len);
    shutdown(canned[number].ours, SHUT_WR);
}

static bool audit(const char *url_text, struct chunk_range range) {
    struct redis_url url;
    add_server();
    ck_assert_msg(redis_url_parse(url_text, &url, why), "%s", why);
    struct link *link = link_new(&url, 2000);
    ck_assert_msg(link && link_connect(link, why), "%s", why);
    const bool ok = audit_check_chunks(link, range, find, &findings, why);
    ck_assert(!link_pending(link));
    link_free(link);
    return ok;
}

static void audit_minute(void) {
    const bool ok = audit("redis://a:1", (struct chunk_range){RESOLUTION_1S, MINUTE, 1});
    ck_assert_msg(ok, "%s", why);
}

static void must_find(unsigned i, const char *words) {
    ck_assert_msg(i < findings.n && strstr(findings.sentence[i], words), "%u of %u: %s", i,
                  findings.n, findings.sentence[i]);
}

START_TEST(a_total_is_the_sum_of_the_parts) {
    say_hash(RESOLUTION_1S, MINUTE, 5);
    say_part("n:one", 2, 3, 5);
    say_part("n:two", 0, 4, 4);
    say_field("00", "2");
    say_field("01", "7");
    audit_minute();
    ck_assert_msg(findings.n == 0, "%s", findings.sentence[0]);
    ck_assert_str_eq(canned_sent(server), "*2  $7  HGETALL  $29  aforo:2:{1s:2016-05-28T11:11}  ");
}
END_TEST

START_TEST(a_total_that_is_not_is_told_once_a_window) {
    say_hash(RESOLUTION_1S, MINUTE, 4);
    say_part("n:one", 2, 3, 5);
    say_field("00", "1");
    say_field("59", "9");
    audit_minute();
    ck_assert_uint_eq(findings.n, 3);
    must_find(0, "aforo:2:{1s:2016-05-28T11:11}: window 00: its total is 1, and the nodes' parts "
                 "sum to 2");
    must_find(1, "window 01: its total is 0, and the nodes' parts sum to 3");
    must_find(2, "window 59: its total is 9, and the nodes' parts sum to 0");
}
END_TEST

/* It is a copy of what is in a part, or was: it belongs to no total. */
START_TEST(what_an_owner_left_is_no_finding) {
    char field[SCHEMA_KEY_MAX];
    schema_left_field("one", UINT32_MAX, field);
    ck_assert_str_eq(field, "o:4294967295:one");
    say_hash(RESOLUTION_1S, MINUTE, 6);
    say_part("o:7:one", 1, 0, 1);
    say_part("n:one", 2, 3, 5);
    say_part(field, 2, 2, 4);
    say_field("00", "2");
    say_field("01", "3");
    audit_minute();
    ck_assert_msg(findings.n == 0, "%s", findings.sentence[0]);
}
END_TEST

START_TEST(what_an_owner_left_damaged_is_a_finding) {
    say_hash(RESOLUTION_1S, MINUTE, 6);
    say_part("n:one", 2, 3, 5);
    say_part("o:7:one", 1, 0, 2); /* a sum that is not the sum of its values */
    say_field("o:8:one", "7");    /* cut */
    say_field("00", "2");
    say_field("01", "3");
    audit_minute();
    ck_assert_uint_eq(findings.n, 2);
    must_find(0, "aforo:2:{1s:2016-05-28T11:11}: what an owner left is damaged: o:7:one");
    must_find(1, "what an owner left is damaged: o:8:one");
}
END_TEST

START_TEST(a_damaged_part_is_named_and_not_summed) {
    say_hash(RESOLUTION_1S, MINUTE, 4);
    say_part("n:one", 2, 0, 2);
    say_part("n:two", 1, 1, 3);
    say_field("00", "2");
    audit_minute();
    ck_assert_uint_eq(findings.n, 1);
    must_find(0, "the part of node two is damaged");
}
END_TEST

/* "final" alone ends the sums; until is looked at all the same. */
START_TEST(a_chunk_that_is_closed_has_no_parts) {
    say("*6\r\n");
    say_field("00", "5");
    say_field("final", "1");
    say_field("until", "12x");
    audit_minute();
    ck_assert_uint_eq(findings.n, 2);
    must_find(0, "until: '12x' is no time");
    must_find(1, "and should be ");
}
END_TEST

START_TEST(a_long_range_is_asked_in_pipelines) {
    const struct chunk_range range = {RESOLUTION_1S, MINUTE, LINK_PIPELINE_MAX + 2};
    for (uint32_t i = 0; i < range.n; i++) {
        if (i == 0 || i == LINK_PIPELINE_MAX - 1 || i == LINK_PIPELINE_MAX + 1) {
            say_hash(range.resolution, range.first + i, 2);
            say_field("odd", "1");
        } else {
            say("*0\r\n");
        }
    }
    ck_assert_msg(audit("redis://a:1", range), "%s", why);
    ck_assert_uint_eq(findings.n, 3);
    must_find(0, "aforo:2:{1s:2016-05-28T11:11}: field 'odd' is none of aforo's");
    must_find(1, "aforo:2:{1s:2016-05-28T15:26}: ");
    must_find(2, "aforo:2:{1s:2016-05-28T15:28}: ");
}
END_TEST

/* All groups, one after the other, of a cluster of one master. */
START_TEST(each_group_of_a_cluster_is_looked_at) {
    canned_add("a:1", "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n", false);
    for (uint32_t i = 0; i < 2 * SCHEMA_GROUPS_MAX; i++) {
        if (i == 1 || i == 10 || i == 2 * SCHEMA_GROUPS_MAX - 1) {
            say_hash(RESOLUTION_1S, MINUTE + i % 2, 2);
            say_field("odd", "1");
        } else {
            say("*0\r\n");
        }
    }
    ck_assert_msg(audit("redis+cluster://a:1", (struct chunk_range){RESOLUTION_1S, MINUTE, 2}),
                  "%s", why);
    ck_assert_uint_eq(findings.n, 3);
    must_find(0, "aforo:2:{1s:2016-05-28T11:12}: ");
    must_find(1, "aforo:2:{1s:2016-05-28T11:11#5}: ");
    must_find(2, "aforo:2:{1s:2016-05-28T11:12#7}: ");
    const char *sent = canned_sent(server);
    ck_assert(strstr(sent, "T11:12}  ") && strstr(sent, "T11:11#1}  ") &&
              strstr(sent, "T11:12#7}"));
}
END_TEST

/* The first failure is the one that is told, and the answers after it are taken. */
START_TEST(an_error_among_the_answers) {
    say("-WRONGTYPE first\r\n");
    say_hash(RESOLUTION_1S, MINUTE + 1, 2);
    say_field("odd", "1");
    say("-WRONGTYPE second\r\n");
    ck_assert(!audit("redis://a:1", (struct chunk_range){RESOLUTION_1S, MINUTE, 3}));
    ck_assert_str_eq(why, "aforo:2:{1s:2016-05-28T11:11}: WRONGTYPE first");
    ck_assert_uint_eq(findings.n, 1);
    must_find(0, "aforo:2:{1s:2016-05-28T11:12}: ");
}
END_TEST

START_TEST(answers_that_are_no_hash) {
    static const char *const odd[] = {":1\r\n", "*1\r\n$1\r\na\r\n", "*2\r\n$1\r\na\r\n:1\r\n",
                                      "*2\r\n:1\r\n$1\r\na\r\n"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        answers.len = 0;
        say(odd[i]);
        ck_assert(!audit("redis://a:1", (struct chunk_range){RESOLUTION_1S, MINUTE, 1}));
        ck_assert_str_eq(why, "aforo:2:{1s:2016-05-28T11:11}: an answer that is no hash");
        ck_assert_uint_eq(findings.n, 0);
    }
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, canned_end}), "redis_audit",
                a_total_is_the_sum_of_the_parts, a_total_that_is_not_is_told_once_a_window,
                what_an_owner_left_is_no_finding, what_an_owner_left_damaged_is_a_finding,
                a_damaged_part_is_named_and_not_summed, a_chunk_that_is_closed_has_no_parts,
                a_long_range_is_asked_in_pipelines, each_group_of_a_cluster_is_looked_at,
                an_error_among_the_answers, answers_that_are_no_hash)
