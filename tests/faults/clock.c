/* Preloaded into aforod by the tests: the wall clock is off by as many microseconds as a mapped
 * file says, or stands still at what it says, and each msync is noted there. The steady clock is
 * left alone, as a real step leaves it.
 *
 *   DEV_AFORO_CLOCK names the file: int64 offset_us, int64 frozen_us (0: it runs), int64 msyncs */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct steering {
    _Atomic int64_t offset_us, frozen_us, msyncs;
};

static struct steering *steering;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DEV_AFORO_CLOCK");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof *steering, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        steering = map == MAP_FAILED ? NULL : map;
        close(fd);
    }
}

int clock_gettime(clockid_t id, struct timespec *t) {
    const long result = syscall(SYS_clock_gettime, id, t);
    if (result == 0 && steering && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t us = steering->frozen_us;
        us = us ? us : (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000 + steering->offset_us;
        t->tv_sec = us / 1000000;
        t->tv_nsec = us % 1000000 * 1000;
    }
    return (int)result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    (void)zone;
    struct timespec t;
    const int result = clock_gettime(CLOCK_REALTIME, &t);
    tv->tv_sec = t.tv_sec;
    tv->tv_usec = t.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) {
        *out = t.tv_sec;
    }
    return t.tv_sec;
}

int msync(void *start, size_t bytes, int flags) {
    const long result = syscall(SYS_msync, start, bytes, flags);
    if (steering && result == 0 && flags & MS_SYNC) {
        steering->msyncs++;
    }
    return (int)result;
}
