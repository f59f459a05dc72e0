/* Preloaded into aforod by the tests: what its log thread does to files is counted, and at a
 * certain call the process is killed, or the thread stands still for as long as a mapped file says.
 * Calls are: the opening of a file that is being sealed, each write to it, fsync of anything, and
 * names that are given, taken or cut short.
 *
 *   DEV_AFORO_DISK names the file: int64 calls, int64 kill_at (0: never), int64 stands (1: it does
 *   when it seals), int64 standing (1: it is) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct steering {
    _Atomic int64_t calls, kill_at, stands, standing;
};

static struct steering *steering;
static _Atomic int sealing_fd = -1;
static pid_t own_pid;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DEV_AFORO_DISK");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    own_pid = getpid();
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof *steering, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        steering = map == MAP_FAILED ? NULL : map;
        close(fd);
    }
}

static void count_call(void) {
    if (steering && ++steering->calls == steering->kill_at) {
        syscall(SYS_tgkill, own_pid, own_pid, SIGKILL);
    }
}

static void stand_still(void) {
    while (steering && steering->stands) {
        steering->standing = 1;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    if (steering) {
        steering->standing = 0;
    }
}

static int is_of_log(const char *name) {
    return strstr(name, ".ndjson") != NULL;
}

static int open_counted(int dir_fd, const char *name, int flags, mode_t mode) {
    const int is_sealing = strncmp(name, ".sealing", 8) == 0;
    if (is_sealing) {
        count_call();
    }
    const int fd = (int)syscall(SYS_openat, dir_fd, name, flags, mode);
    if (is_sealing) {
        sealing_fd = fd;
    }
    return fd;
}

/* Either name, by what a program was built with. */
#define OPEN(call)                                                                                 \
    int call(int dir_fd, const char *name, int flags, ...) {                                       \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        const mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;                       \
        va_end(arguments);                                                                         \
        return open_counted(dir_fd, name, flags, mode);                                            \
    }
OPEN(openat)
OPEN(openat64)

ssize_t write(int fd, const void *bytes, size_t len) {
    if (fd == sealing_fd) {
        count_call();
    }
    return syscall(SYS_write, fd, bytes, len);
}

int fsync(int fd) {
    count_call();
    if (fd == sealing_fd) {
        stand_still();
        sealing_fd = -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t bytes) {
    count_call();
    return (int)syscall(SYS_ftruncate, fd, bytes);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    if (is_of_log(to)) {
        count_call();
    }
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int unlinkat(int dir_fd, const char *name, int flags) {
    if (is_of_log(name)) {
        count_call();
    }
    return (int)syscall(SYS_unlinkat, dir_fd, name, flags);
}
