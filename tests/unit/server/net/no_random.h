/* A kernel that has no random bytes when it is told so. */
#ifndef AFORO_TESTS_UNIT_NO_RANDOM_H
#define AFORO_TESTS_UNIT_NO_RANDOM_H

#include <stdbool.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool no_random;

/* In place of the C library's. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    return no_random ? (ssize_t)length - 1 : syscall(SYS_getrandom, buffer, length, flags);
}

#endif
