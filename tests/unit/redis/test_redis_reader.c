/* Reading totals (reader.c) and checking chunks (audit.c), by what a server answers. */
#include "redis/reader.h"

#include "redis/audit.h"
#include "redis/schema.h"
#include "tests/unit/redis/canned_redis.h"

#define MINUTE INT64_C(24407231) /* a chunk of 1 s windows: 2016-05-28T11:11 */

static char why[LINK_WHY_MAX];

static struct link *connect_to(const char *answers) {
    struct redis_url url;
    canned_begin();
    canned_add("a:1", answers, false);
    ck_assert_msg(redis_url_parse("redis://a:1", &url, why), "%s", why);
    struct link *link = link_new(&url, 500);
    ck_assert(link && link_connect(link, why));
    return link;
}

static void end(struct link *link) {
    link_free(link);
    canned_end();
}

/* An array of 60 nils, but for one value. */
static const char *counts_with(unsigned slot, const char *value) {
    static char text[1024];
    int n = snprintf(text, sizeof text, "*60\r\n");
    for (unsigned i = 0; i < 60; i++) {
        n += i == slot ? snprintf(text + n, sizeof text - (size_t)n, "$%zu\r\n%s\r\n",
                                  strlen(value), value)
                       : snprintf(text + n, sizeof text - (size_t)n, "$-1\r\n");
    }
    return text;
}

/* Only chunks that are there are asked for their counts: one answer is enough. */
START_TEST(totals_of_chunks_that_are_there) {
    char answers[2048];
    uint64_t counts[3 * 60];
    snprintf(answers, sizeof answers, ":0\r\n:1\r\n:0\r\n%s", counts_with(7, "4711"));
    struct link *link = connect_to(answers);
    ck_assert_msg(
        reader_read_totals(link, (struct chunk_range){RESOLUTION_1S, MINUTE - 1, 3}, counts, why),
        "%s", why);
    for (size_t i = 0; i < 3 * 60; i++) {
        ck_assert_uint_eq(counts[i], i == 60 + 7 ? 4711 : 0);
    }
    end(link);
}
END_TEST

START_TEST(what_is_no_count_is_named) {
    static const char *const values[] = {"12a", "-1", "9007199254740993", "99999999999999999", ""};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char answers[2048];
        uint64_t counts[60];
        snprintf(answers, sizeof answers, ":1\r\n%s", counts_with(0, values[i]));
        struct link *link = connect_to(answers);
        ck_assert(
            !reader_read_totals(link, (struct chunk_range){RESOLUTION_1S, MINUTE, 1}, counts, why));
        ck_assert_msg(strstr(why, "a:1: aforo:2:{1s:2016-05-28T11:11}: "), "%s", why);
        end(link);
    }
}
END_TEST

/* The first failure is told, and the link stays in step. */
START_TEST(an_error_among_answers) {
    bool there[3];
    struct link *link = connect_to(":1\r\n-WRONGTYPE other\r\n:x\r\n:1\r\n:0\r\n:1\r\n");
    const struct chunk_range two = {RESOLUTION_1S, MINUTE, 2}, three = {RESOLUTION_1S, MINUTE, 3};
    ck_assert(!reader_find_totals(link, two, there, why));
    ck_assert_msg(strstr(why, "T11:12}: WRONGTYPE other"), "%s", why);
    ck_assert(link_connected(link));
    ck_assert(!reader_find_totals(link, three, there, why)); /* ":x" is no protocol at all */
    ck_assert(!link_connected(link) && !link_pending(link));
    end(link);
}
END_TEST

/* ---- audit ---- */

struct findings {
    unsigned n;
    char first[AUDIT_SENTENCE_MAX];
};

static void find(void *cls, const char *sentence) {
    struct findings *findings = cls;
    if (findings->n++ == 0) {
        snprintf(findings->first, sizeof findings->first, "%s", sentence);
    }
}

static struct findings audit(const char *hash) {
    struct findings findings = {0};
    struct link *link = connect_to(hash);
    ck_assert_msg(audit_check_chunks(link, (struct chunk_range){RESOLUTION_1S, MINUTE, 1}, find,
                                     &findings, why),
                  "%s", why);
    end(link);
    return findings;
}

START_TEST(what_is_wrong_with_a_chunk) {
    char until[64], text[24];
    const int n =
        snprintf(text, sizeof text, "%lld", (long long)schema_until_s(RESOLUTION_1S, MINUTE));
    snprintf(until, sizeof until, "$5\r\nuntil\r\n$%d\r\n%s\r\n", n, text);
    static const struct {
        unsigned fields, findings;
        const char *hash, *words;
    } cases[] = {
        {0, 0, "", ""},
        {4, 0, "$2\r\n01\r\n$1\r\n0\r\n", ""},
        {4, 1, "$2\r\n01\r\n$1\r\n3\r\n",
         "window 01: its total is 3, and the nodes' parts sum to 0"},
        {6, 0, "$2\r\n01\r\n$1\r\n3\r\n$5\r\nfinal\r\n$1\r\n1\r\n", ""},
        {4, 2, "$2\r\n01\r\n$2\r\n3x\r\n", "window 01: '3x' is no count"},
        {4, 1, "$3\r\nn:x\r\n$1\r\n7\r\n", "the part of node x is damaged"},
        {4, 1, "$2\r\n60\r\n$1\r\n3\r\n", "field '60' is none of aforo's"},
        {4, 1, "$5\r\nother\r\n$1\r\n3\r\n", "field 'other' is none of aforo's"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hash[512];
        snprintf(hash, sizeof hash, "*%u\r\n%s%s", cases[i].fields, cases[i].fields ? until : "",
                 cases[i].hash);
        const struct findings findings = audit(hash);
        ck_assert_msg(findings.n == cases[i].findings && strstr(findings.first, cases[i].words),
                      "%zu: %u, %s", i, findings.n, findings.first);
        ck_assert(!findings.n || strstr(findings.first, "aforo:2:{1s:2016-05-28T11:11}: "));
    }
    const struct findings late = audit("*2\r\n$5\r\nuntil\r\n$1\r\n7\r\n");
    ck_assert_msg(late.n == 1 && strstr(late.first, "until is 7, and should be "), "%s",
                  late.first);
}
END_TEST

START_TEST(a_hash_that_cannot_be_read) {
    static const char *const answers[] = {"-WRONGTYPE other\r\n", "*1\r\n$1\r\na\r\n", ":1\r\n",
                                          "*2\r\n$1\r\na\r\n:1\r\n", ""};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct findings findings = {0};
        struct link *link = connect_to(answers[i]);
        ck_assert(!audit_check_chunks(link, (struct chunk_range){RESOLUTION_1S, MINUTE, 1}, find,
                                      &findings, why));
        ck_assert(*why && findings.n == 0);
        end(link);
    }
}
END_TEST

CHECK_MAIN("redis_reader", totals_of_chunks_that_are_there, what_is_no_count_is_named,
           an_error_among_answers, what_is_wrong_with_a_chunk, a_hash_that_cannot_be_read)
