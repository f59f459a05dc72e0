#include "common/tokens.h"

#include "tests/unit/common/parsed_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_refused(const char *text, size_t len, const char *sentence) {
    char why[TOKENS_WHY_MAX] = "";
    ck_assert_ptr_null(tokens_parse(text, len, why));
    ck_assert_msg(strstr(why, sentence) != NULL, "'%s' does not say '%s'", why, sentence);
}

START_TEST(files_that_are_taken) {
    static const struct {
        const char *text;
        size_t n;
    } must_parse[] = {
        {A, 1},
        {A "\n", 1},
        {A "\r\n" B "\r\n", 2},
        {"# who\n\n" A "\n  \t\n" B, 2},
        {"  " A "\t\n", 1},
        {"\n\n#" A "\n" B, 1},
    };
    for (size_t i = 0; i < sizeof must_parse / sizeof *must_parse; i++) {
        struct tokens *tokens = parsed(must_parse[i].text);
        ck_assert_uint_eq(tokens_count(tokens), must_parse[i].n);
        tokens_free(tokens);
    }
    struct tokens *tokens = parsed("#" B "\n " A " \n");
    size_t len;
    ck_assert_mem_eq(tokens_text(tokens, 0, &len), A, 16);
    ck_assert_uint_eq(len, 16);
    tokens_free(tokens);
}
END_TEST

START_TEST(files_that_are_refused_by_the_line) {
    static const char *const must_not[][2] = {
        {"", "no token"},         {"\n# " A "\n", "no token"},  {A "\naaaa\n", "line 2"},
        {A " " B "\n", "line 1"}, {A "\n\n" A ",\n", "line 3"}, {"Bearer " A "\n", "line 1"},
        {"=" A "\n", "line 1"},   {A "=a\n", "line 1"},         {"================", "line 1"},
        {A "\xc3\xa4", "line 1"},
    };
    for (size_t i = 0; i < sizeof must_not / sizeof *must_not; i++) {
        assert_refused(must_not[i][0], strlen(must_not[i][0]), must_not[i][1]);
    }
    assert_refused(A "\0" A, 33, "line 1");
    char text[TOKENS_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    assert_refused(text, TOKENS_BYTES_MAX + 1, "line 1");
    assert_refused(text, TOKENS_BYTES_MIN - 1, "line 1");
    char why[TOKENS_WHY_MAX];
    struct tokens *longest = tokens_parse(text, TOKENS_BYTES_MAX, why);
    ck_assert_ptr_nonnull(longest);
    size_t len;
    ck_assert_mem_eq(tokens_text(longest, 0, &len), text, TOKENS_BYTES_MAX);
    ck_assert_uint_eq(len, TOKENS_BYTES_MAX);
    tokens_free(longest);
}
END_TEST

START_TEST(no_sentence_tells_a_secret) {
    char why[TOKENS_WHY_MAX];
    static const char secret[] = "hunter2 is the password of\n";
    ck_assert_ptr_null(tokens_parse(secret, sizeof secret - 1, why));
    ck_assert_ptr_null(strstr(why, "hunter2"));
}
END_TEST

START_TEST(as_many_as_allowed) {
    char text[(TOKENS_MAX + 1) * 18], why[TOKENS_WHY_MAX];
    size_t len = 0;
    for (int i = 0; i < TOKENS_MAX + 1; i++) {
        len += (size_t)sprintf(text + len, "token-%010d\n", i);
    }
    ck_assert_ptr_null(tokens_parse(text, len, why));
    ck_assert_ptr_nonnull(strstr(why, "more than 64"));
    struct tokens *tokens = tokens_parse(text, len - 17, why);
    ck_assert_ptr_nonnull(tokens);
    ck_assert_uint_eq(tokens_count(tokens), TOKENS_MAX);
    for (int i = 0; i < TOKENS_MAX; i++) {
        char one[TOKENS_BYTES_MAX] = {0}; /* zeros behind it, as who compares expects */
        sprintf(one, "token-%010d", i);
        ck_assert_mem_eq(tokens_text(tokens, (size_t)i, &len), one, sizeof one);
        ck_assert_uint_eq(len, 16);
    }
    tokens_free(tokens);
}
END_TEST

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(files_and_their_modes) {
    char dir[] = "/tmp/aforo-tokens-XXXXXX", path[64], why[TOKENS_WHY_MAX];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/tokens", dir);
    bool world_readable = true;
    ck_assert_ptr_null(tokens_read(path, &world_readable, why));
    ck_assert_ptr_nonnull(strstr(why, path));
    ck_assert_ptr_null(tokens_read(dir, &world_readable, why));
    ck_assert_ptr_nonnull(strstr(why, "regular file"));
    static const struct {
        mode_t mode;
        bool taken, world_readable;
    } rows[] = {{0400, true, false}, {0640, true, false}, {0644, true, true}, {0602, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(path, A "\n", rows[i].mode);
        struct tokens *tokens = tokens_read(path, &world_readable, why);
        ck_assert_msg((tokens != NULL) == rows[i].taken, "mode %o", rows[i].mode);
        if (tokens) {
            ck_assert_int_eq(world_readable, rows[i].world_readable);
            ck_assert_uint_eq(tokens_count(tokens), 1);
        } else {
            ck_assert_ptr_nonnull(strstr(why, "everybody may write"));
        }
        tokens_free(tokens);
        unlink(path);
    }
    write_file(path, A "\n", 0600);
    ck_assert_int_eq(truncate(path, 1 << 24), 0);
    ck_assert_ptr_null(tokens_read(path, &world_readable, why));
    ck_assert_ptr_nonnull(strstr(why, "is larger than"));
    unlink(path);
    write_file(path, "x", 0600); /* one byte is read, and is a token too short */
    ck_assert_ptr_null(tokens_read(path, &world_readable, why));
    ck_assert_ptr_nonnull(strstr(why, "line 1"));
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    /* and does not wait for a writer */
    ck_assert_ptr_null(tokens_read(path, &world_readable, why));
    unlink(path);
    rmdir(dir);
}
END_TEST

CHECK_MAIN("tokens", files_that_are_taken, files_that_are_refused_by_the_line,
           no_sentence_tells_a_secret, as_many_as_allowed, files_and_their_modes)
