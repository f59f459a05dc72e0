/* Standard descriptors that are closed are opened on /dev/null, and told. */
#include "common/standard_files.h"
#include "tests/unit/check_main.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, with those closed: what it returns when all three are /dev/null or were open before;
 * else 100. */
static int open_without(int closed) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct stat null, is;
        stat("/dev/null", &null);
        for (int fd = 0; fd < 3; fd++) {
            if (closed & 1 << fd) {
                close(fd);
            }
        }
        const int said = standard_files_open();
        for (int fd = 0; fd < 3; fd++) {
            if (fstat(fd, &is) || ((closed & 1 << fd) && is.st_rdev != null.st_rdev)) {
                _exit(100);
            }
        }
        _exit(said);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(each_that_is_closed) {
    for (int closed = 0; closed < 8; closed++) {
        ck_assert_int_eq(open_without(closed), closed);
    }
}
END_TEST

CHECK_MAIN("standard_files", each_that_is_closed)
