/* Which names a node may have, which one a new file gets, and how often it may change. */
#include "counters/state/name.h"

#include "tests/unit/counters/state/state_fixture.h"

START_TEST(what_may_be_a_name) {
    static const struct {
        const char *name;
        bool is_valid;
    } cases[] = {{"a", true},
                 {"AZaz09._-", true},
                 {"", false},
                 {"a b", false},
                 {"a/b", false},
                 {"a:b", false},
                 {"a\n", false},
                 {"\xc3\xa4", false},
                 {"0123456789012345678901234567890123456789012345678901234567890ab", true},
                 {"0123456789012345678901234567890123456789012345678901234567890abc", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(counters_node_id_is_valid(cases[i].name) == cases[i].is_valid, "'%s'",
                      cases[i].name);
    }
}
END_TEST

/* A copy's name is that of the node, cut so that it fits, a point and eight hexadecimal digits. */
START_TEST(a_copy_is_still_the_node_that_was_asked_for) {
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890ab";
    static const struct {
        const char *node, *asked;
        bool is_named;
    } cases[] = {
        {"n1", "n1", true},
        {"n1.0123abcd", "n1", true},
        {"n1.0123abcd", "n1.0123abcd", true},
        {"n1", "n2", false},
        {"n1.0123abcd", "n", false},
        {"n1.0123abc", "n1", false},
        {"n1.0123abcde", "n1", false},
        {"n1.0123ABCD", "n1", false},
        {"n1-0123abcd", "n1", false},
        {"n1", "n1.0123abcd", false},
        {"012345678901234567890123456789012345678901234567890123.0123abcd", long_name, true},
        {"012345678901234567890123456789012345678901234567890124.0123abcd", long_name, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(state_names_node(cases[i].node, cases[i].asked) == cases[i].is_named,
                      "%s, asked for %s", cases[i].node, cases[i].asked);
    }
}
END_TEST

START_TEST(a_new_file_gets_the_name_that_is_given_or_one_of_its_own) {
    char why[COUNTERS_WHY_MAX], one[COUNTERS_NODE_MAX], other[COUNTERS_NODE_MAX];
    struct counters_config config = tiny_config(1);
    ck_assert(state_choose_name(&config, one, why) && state_choose_name(&config, other, why));
    ck_assert(counters_node_id_is_valid(one) && strlen(one) == 16);
    ck_assert_str_ne(one, other);
    config.node_id = "given";
    ck_assert(state_choose_name(&config, one, why));
    ck_assert_str_eq(one, "given");
}
END_TEST

/* Readers may hold on to a name that was: so there are only so many of them while a file is open.
 */
START_TEST(names_last_as_long_as_the_file_is_open) {
    const struct counters_config config = tiny_config(1);
    const char *names[COUNTERS_NAMES_MAX];
    char why[COUNTERS_WHY_MAX] = "", name[COUNTERS_NODE_MAX];
    struct counters *counters = open_or_fail(&config);
    names[0] = counters_node_id(counters);
    snprintf(name, sizeof name, "%s", names[0]);
    for (int i = 1; i < COUNTERS_NAMES_MAX; i++) {
        char next[COUNTERS_NODE_MAX];
        snprintf(next, sizeof next, "name-%d", i);
        ck_assert(state_may_rename(counters, why));
        ck_assert_msg(state_rename(counters, next, why), "%s", why);
        names[i] = counters_node_id(counters);
        ck_assert_str_eq(names[i], next);
        const struct state_header header = header_now(); /* in the file, too, and nothing else */
        ck_assert_str_eq(header.node, next);
        for (size_t at = strlen(next); at < sizeof header.node; at++) {
            ck_assert_int_eq(header.node[at], '\0');
        }
    }
    ck_assert_str_eq(names[0], name);
    ck_assert_str_eq(names[1], "name-1");
    ck_assert(!state_may_rename(counters, why));
    ck_assert(!state_rename(counters, "one-more", why));
    ck_assert_msg(strstr(why, state_dir) && strstr(why, "4 names"), "%s", why);
    ck_assert_str_eq(counters_node_id(counters), "name-3");
    counters_close(counters);
    counters = open_or_fail(&config);
    ck_assert_str_eq(counters_node_id(counters), "name-3");
    ck_assert(state_may_rename(counters, why));
    counters_close(counters);
}
END_TEST

START_TEST(an_owner_is_this_file_in_this_boot) {
    const struct counters_config config = tiny_config(1);
    char one[COUNTERS_OWNER_MAX], again[COUNTERS_OWNER_MAX], other[COUNTERS_OWNER_MAX];
    struct counters *counters = open_or_fail(&config);
    counters_owner(counters, one);
    counters_close(counters);
    counters = open_or_fail(&config);
    counters_owner(counters, again);
    counters_close(counters);
    ck_assert_str_eq(one, again);
    char from[PATH_MAX_TEST], to[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, from);
    state_path("kept", to); /* so that its inode is not given to the next file */
    ck_assert_int_eq(rename(from, to), 0);
    counters = open_or_fail(&config);
    counters_owner(counters, other);
    counters_close(counters);
    ck_assert_str_ne(one, other);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_may_be_a_name, a_copy_is_still_the_node_that_was_asked_for,
                                  a_new_file_gets_the_name_that_is_given_or_one_of_its_own,
                                  names_last_as_long_as_the_file_is_open,
                                  an_owner_is_this_file_in_this_boot};
    return check_main_in_state_dir("name", tests, sizeof tests / sizeof tests[0]);
}
