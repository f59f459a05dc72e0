#include "redis/url.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    enum redis_url_kind kind;
    unsigned hosts;
    const char *host; /* the last of them */
    int port;
    const char *user, *password, *path, *master;
    int db;
    const char *address;
} must_parse[] = {
    {"redis://h", REDIS_URL_SERVER, 1, "h", 6379, "", "", "", "", 0, "h:6379"},
    {"redis://h/", REDIS_URL_SERVER, 1, "h", 6379, "", "", "", "", 0, "h:6379"},
    {"redis://10.0.0.1:7000/15", REDIS_URL_SERVER, 1, "10.0.0.1", 7000, "", "", "", "", 15,
     "10.0.0.1:7000"},
    {"redis://bob:pw@h:1", REDIS_URL_SERVER, 1, "h", 1, "bob", "pw", "", "", 0, "h:1"},
    {"redis://:pw@h:65535", REDIS_URL_SERVER, 1, "h", 65535, "", "pw", "", "", 0, "h:65535"},
    {"redis://b%6fb:%3a%2F%40%25@h", REDIS_URL_SERVER, 1, "h", 6379, "bob", ":/@%", "", "", 0,
     "h:6379"},
    {"redis://:a@b@h", REDIS_URL_SERVER, 1, "h", 6379, "", "a@b", "", "", 0, "h:6379"},
    {"redis://:a:b@h", REDIS_URL_SERVER, 1, "h", 6379, "", "a:b", "", "", 0, "h:6379"},
    {"redis://[::1]:7000", REDIS_URL_SERVER, 1, "::1", 7000, "", "", "", "", 0, "[::1]:7000"},
    {"redis://:p@[fe80::1]/2", REDIS_URL_SERVER, 1, "fe80::1", 6379, "", "p", "", "", 2,
     "[fe80::1]:6379"},
    {"unix:///run/redis.sock", REDIS_URL_SERVER, 0, "", 0, "", "", "/run/redis.sock", "", 0,
     "/run/redis.sock"},
    {"unix:///a?db=4", REDIS_URL_SERVER, 0, "", 0, "", "", "/a", "", 4, "/a"},
    {"redis+sentinel://s1/mymaster", REDIS_URL_SENTINEL, 1, "s1", 26379, "", "", "", "mymaster", 0,
     "sentinel s1:26379 mymaster"},
    {"redis+sentinel://bob:pw@s1:1,s2,[::1]:3/my%20m/7", REDIS_URL_SENTINEL, 3, "::1", 3, "bob",
     "pw", "", "my m", 7, "sentinel s1:1 (+2) my m"},
    {"redis+cluster://c1:7000,c2:7001", REDIS_URL_CLUSTER, 2, "c2", 7001, "", "", "", "", 0,
     "cluster c1:7000 (+1)"},
    {"redis+cluster://:pw@c1/", REDIS_URL_CLUSTER, 1, "c1", 6379, "", "pw", "", "", 0,
     "cluster c1:6379"},
    {"rediss://u:pw@h:6380/3", REDIS_URL_SERVER, 1, "h", 6380, "u", "pw", "", "", 3, "h:6380"},
    {"rediss+sentinel://s1,s2/m", REDIS_URL_SENTINEL, 2, "s2", 26379, "", "", "", "m", 0,
     "sentinel s1:26379 (+1) m"},
    {"rediss+cluster://c1", REDIS_URL_CLUSTER, 1, "c1", 6379, "", "", "", "", 0, "cluster c1:6379"},
};

/* The text, and a word of the sentence. */
static const char *const must_not_parse[][2] = {
    {"", "begins"},
    {"h:6379", "begins"},
    {"redisss://h", "begins"},
    {"unixs:///a", "begins"},
    {"rediss://a,b", "one host"},
    {"rediss+sentinel://s1", "master"},
    {"rediss+cluster://c1/3", "no database"},
    {"REDIS://h", "begins"},
    {"redis:/h", "begins"},
    {"redis://", "lacks a host"},
    {"redis://:6379", "lacks a host"},
    {"redis://user:pw@", "lacks a host"},
    {"redis://h:", "port"},
    {"redis://h:0", "port"},
    {"redis://h:65536", "port"},
    {"redis://h:99999999999999999999", "port"},
    {"redis://h:63x9", "port"},
    {"redis://h: 1", "port"},
    {"redis://h:-1", "port"},
    {"redis://::1", "lacks a host"},
    {"redis://[::1", "]"},
    {"redis://[::1]7", "]"},
    {"redis://[]:7", "lacks a host"},
    {"redis://h/x", "database"},
    {"redis://h/-1", "database"},
    {"redis://h/1/2", "database"},
    {"redis://h/99999999999", "database"},
    {"redis://a,b", "one host"},
    {"redis://:%4@h", "%"},
    {"redis://:%zz@h", "%"},
    {"redis://:a%00b@h", "%"},
    {"redis://bob@h", "no password"},
    {"redis://bob:@h", "no password"},
    {"unix://relative", "absolute"},
    {"unix://", "absolute"},
    {"unix:///a?db=x", "db="},
    {"unix:///a?base=1", "db="},
    {"redis+sentinel://s1", "master"},
    {"redis+sentinel://s1/", "master"},
    {"redis+sentinel://s1//3", "master"},
    {"redis+sentinel://s1,/m", "lacks a host"},
    {"redis+sentinel://s1/m/x", "database"},
    {"redis+cluster://c1/3", "no database"},
    {"redis+cluster://c1,,c2", "lacks a host"},
    {"redis+cluster://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "16"},
};

static void setup(void) {
    unsetenv("AFORO_REDIS_PASSWORD");
    unsetenv("AFORO_REDIS_PASSWORD_FILE");
}

START_TEST(parses) {
    const size_t i = (size_t)_i;
    struct redis_url url;
    char why[REDIS_URL_WHY_MAX] = "";
    ck_assert_msg(redis_url_parse(must_parse[i].text, &url, why), "%s: %s", must_parse[i].text,
                  why);
    ck_assert_int_eq(url.kind, must_parse[i].kind);
    ck_assert(url.tls == (strncmp(must_parse[i].text, "rediss", 6) == 0));
    ck_assert_uint_eq(url.hosts, must_parse[i].hosts);
    const struct redis_host *last = &url.host[url.hosts ? url.hosts - 1 : 0];
    ck_assert_str_eq(last->name, must_parse[i].host);
    ck_assert_int_eq(last->port, must_parse[i].port);
    ck_assert_str_eq(url.user, must_parse[i].user);
    ck_assert_str_eq(url.password, must_parse[i].password);
    ck_assert_str_eq(url.path, must_parse[i].path);
    ck_assert_str_eq(url.master, must_parse[i].master);
    ck_assert_int_eq(url.db, must_parse[i].db);
    ck_assert_str_eq(url.address, must_parse[i].address);
}
END_TEST

START_TEST(refuses) {
    struct redis_url url;
    char why[REDIS_URL_WHY_MAX] = "";
    ck_assert_msg(!redis_url_parse(must_not_parse[_i][0], &url, why), "%s", must_not_parse[_i][0]);
    ck_assert_msg(strstr(why, must_not_parse[_i][1]), "%s: %s", must_not_parse[_i][0], why);
}
END_TEST

/* Whatever sign is missing or misplaced, the sentence and the address repeat nothing of the
 * password. */
START_TEST(never_says_the_password) {
    static const char *const texts[] = {
        "redis://:s3cret@h:1",        "redis://bob:s3cret@h",   "redis://:s3cret",
        "redis://:s3cret/x@h",        "redis://s3cret@h",       "redis://:a/s3cret@h",
        "redis://h/s3cret",           "unix:///a?s3cret",       "redis://:s3cret%@h",
        "redis+cluster://:s3cret@c1", "redis://:s3cret@h:port", "redis+sentinel://:s3cret@s/m",
        "http://:s3cret@h",           "redis://[s3cret"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct redis_url url;
        char why[REDIS_URL_WHY_MAX] = "";
        const bool ok = redis_url_parse(texts[i], &url, why);
        ck_assert_msg(!strstr(ok ? url.address : why, "s3cret"), "%s: %s", texts[i],
                      ok ? url.address : why);
    }
}
END_TEST

START_TEST(too_long_is_an_error_and_never_cut) {
    static const char *const formats[] = {"redis://%s",   "redis://:%s@h",         "redis://%s:p@h",
                                          "unix:///%s",   "redis+sentinel://s/%s", "redis://h/%s",
                                          "redis://h:%s", "redis+cluster://c,%s"};
    static const size_t lengths[] = {256, 300, 4000, 5000, 100000};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            struct redis_url url;
            char why[REDIS_URL_WHY_MAX] = "", *part = malloc(lengths[j] + 1),
                 *text = malloc(lengths[j] + 64);
            memset(part, '1', lengths[j]);
            part[lengths[j]] = '\0';
            snprintf(text, lengths[j] + 64, formats[i], part);
            ck_assert_msg(!redis_url_parse(text, &url, why), formats[i], "...");
            ck_assert_uint_gt(strlen(why), 0);
            free(part);
            free(text);
        }
    }
}
END_TEST

START_TEST(the_longest_parts_fit) {
    char text[2048], part[256];
    struct redis_url url;
    char why[REDIS_URL_WHY_MAX] = "";
    memset(part, 'x', 255);
    part[255] = '\0';
    snprintf(text, sizeof text, "redis+sentinel://%s:%s@%s:1,%s/%s/1", part, part, part, part,
             part);
    ck_assert_msg(redis_url_parse(text, &url, why), "%s", why);
    ck_assert_str_eq(url.master, part);
    ck_assert_str_eq(url.host[1].name, part);
    ck_assert_uint_lt(strlen(url.address), sizeof url.address);
}
END_TEST

static bool parse_with_file(const char *content, size_t len, struct redis_url *url, char *why) {
    char path[] = "/tmp/aforo-password-XXXXXX";
    const int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fwrite(content, 1, len, file);
    fclose(file);
    setenv("AFORO_REDIS_PASSWORD_FILE", path, 1);
    const bool ok = redis_url_parse("redis://bob@h", url, why);
    remove(path);
    return ok;
}

START_TEST(the_password_s_other_sources) {
    struct redis_url url;
    char why[REDIS_URL_WHY_MAX] = "", longest[300];
    memset(longest, 'p', sizeof longest);
    ck_assert(parse_with_file("pw of file\r\nsecond line\n", 24, &url, why));
    ck_assert_str_eq(url.password, "pw of file");
    ck_assert(parse_with_file("no end", 6, &url, why));
    ck_assert_str_eq(url.password, "no end");
    ck_assert(parse_with_file(longest, 255, &url, why));
    ck_assert_uint_eq(strlen(url.password), 255);
    ck_assert(!parse_with_file(longest, 256, &url, why));
    ck_assert(!parse_with_file("", 0, &url, why));
    ck_assert(!parse_with_file("\n", 1, &url, why));
    setenv("AFORO_REDIS_PASSWORD_FILE", "/nonexistent/file", 1);
    ck_assert(!redis_url_parse("redis://h", &url, why));
    ck_assert_msg(strstr(why, "/nonexistent/file") && strstr(why, "AFORO_REDIS_PASSWORD_FILE"),
                  "%s", why);
    setenv("AFORO_REDIS_PASSWORD", "of environment", 1); /* comes before the file */
    ck_assert(redis_url_parse("redis://h", &url, why));
    ck_assert_str_eq(url.password, "of environment");
    ck_assert(redis_url_parse("redis://:own@h", &url, why)); /* the URL's own comes before both */
    ck_assert_str_eq(url.password, "own");
    ck_assert(redis_url_parse("unix:///a", &url, why));
    ck_assert_str_eq(url.password, "of environment");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis_url");
    TCase *tcase = tcase_create("redis_url");
    tcase_add_checked_fixture(tcase, setup, setup);
    tcase_add_loop_test(tcase, parses, 0, sizeof must_parse / sizeof must_parse[0]);
    tcase_add_loop_test(tcase, refuses, 0, sizeof must_not_parse / sizeof must_not_parse[0]);
    tcase_add_test(tcase, never_says_the_password);
    tcase_add_test(tcase, too_long_is_an_error_and_never_cut);
    tcase_add_test(tcase, the_longest_parts_fit);
    tcase_add_test(tcase, the_password_s_other_sources);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
