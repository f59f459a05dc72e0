/* What a person is told who starts the server, and when. */
#include "server/process/banner.h"
#include "tests/unit/check_main.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What it prints on standard output, which is no terminal meanwhile; nor is standard error. */
static const char *printed(enum banner_when when, const struct banner *banner) {
    static char text[2048];
    int ends[2], kept[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    fflush(stdout);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert(dup2(ends[1], STDOUT_FILENO) >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    banner_print(when, banner);
    ck_assert(dup2(kept[0], STDOUT_FILENO) >= 0 && dup2(kept[1], STDERR_FILENO) >= 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    close(ends[1]);
    close(kept[0]);
    close(kept[1]);
    return text;
}

START_TEST(where_to_send_and_read) {
    struct banner banner = {.address = "127.0.0.1:80", .admin_address = ""};
    const char *text = printed(BANNER_ON, &banner);
    ck_assert_ptr_nonnull(strstr(text, "aforod on http://127.0.0.1:80 (stop: Ctrl-C)\n"));
    ck_assert_ptr_nonnull(strstr(text, "curl -X POST http://127.0.0.1:80/ --data"));
    ck_assert_ptr_nonnull(strstr(text, "curl \"http://127.0.0.1:80/counts/1s"));
    banner = (struct banner){"0.0.0.0:80", "[::]:81", true, true, true};
    text = printed(BANNER_ON, &banner);
    ck_assert_ptr_nonnull(strstr(
        text, "curl -X POST -H \"Authorization: Bearer TOKEN\" https://127.0.0.1:80/ --data"));
    ck_assert_ptr_nonnull(
        strstr(text, "curl -H \"Authorization: Bearer TOKEN\" \"https://[::1]:81/counts/1s"));
}
END_TEST

START_TEST(nobody_is_told_unless_asked_for) {
    const struct banner banner = {.address = "127.0.0.1:80", .admin_address = ""};
    ck_assert_str_eq(printed(BANNER_OFF, &banner), "");
    ck_assert_str_eq(printed(BANNER_AUTO, &banner), "");
}
END_TEST

CHECK_MAIN("banner", where_to_send_and_read, nobody_is_told_unless_asked_for)
