/* The filter of system calls, from inside: what must not work, and what must. */
#define _GNU_SOURCE
#include "server/process/sandbox.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs it inside the filter, in a child: libcheck takes the time of a test in the test's process,
 * by calls that the filter refuses, and would then mix two clocks. An assertion that fails ends the
 * child with its sentence told to libcheck; with the same exit status the test has failed, too.
 * Returns how the child ended. */
static int inside(void (*tried)(void)) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (sandbox_enter()) {
            tried();
        } else {
            ck_assert_int_eq(errno, ENOSYS); /* this build has no filter; there is nothing to say */
        }
        _exit(EXIT_SUCCESS);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status)) {
        exit(WEXITSTATUS(status));
    }
    return status;
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        errno = 0;                                                                                 \
        ck_assert_msg((long)(call) == -1 && errno == EPERM, #call ": errno %d", errno);            \
    } while (0)

static void try_programs_and_processes(void) {
    char *const words[] = {"true", NULL};
    REFUSED(execv("/bin/true", words));
    REFUSED(fork());
    REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    REFUSED(kill(getppid(), 0));
    REFUSED(syscall(SYS_tgkill, getppid(), getppid(), 0));
    REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    REFUSED(syscall(SYS_unshare, 0));
    REFUSED(syscall(SYS_bpf, 0, NULL, 0));
    REFUSED(syscall(SYS_io_uring_setup, 1, NULL));
    REFUSED(setuid(0));
    REFUSED(chdir("/"));
}

START_TEST(no_program_and_no_process) {
    ck_assert_int_eq(inside(try_programs_and_processes), 0);
}
END_TEST

static void try_sockets_and_code(void) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(page != MAP_FAILED);
    REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
    REFUSED(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
    REFUSED(socket(AF_INET6, SOCK_RAW, IPPROTO_TCP));
    REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0));
    const int permitted[] = {socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
                             socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                             socket(AF_UNIX, SOCK_STREAM, 0),
                             socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)};
    for (size_t i = 0; i < sizeof permitted / sizeof *permitted; i++) {
        ck_assert_msg(permitted[i] >= 0 || errno == EAFNOSUPPORT, "kind %zu: errno %d", i, errno);
        close(permitted[i]);
    }
    REFUSED(mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
    ck_assert_int_eq(mprotect(page, 4096, PROT_READ), 0);
}

START_TEST(no_other_sockets_and_no_code_of_its_own) {
    ck_assert_int_eq(inside(try_sockets_and_code), 0);
}
END_TEST

static void try_kinds_of_calls(void) {
    const int type = SOCK_SEQPACKET | SOCK_CLOEXEC;
    REFUSED(socket(AF_UNIX, type, 0)); /* no kind that nothing here asks for */
    REFUSED(syscall(SYS_seccomp, 1, 0, NULL));
    REFUSED(prctl(PR_SET_SECCOMP, 2, NULL));
    REFUSED(setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
    REFUSED(setpriority(PRIO_PGRP, 0, 19));
    REFUSED(setpriority(PRIO_USER, 0, 19));
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 19), 0);
    ck_assert(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
              MAP_FAILED);
}

START_TEST(calls_are_told_apart_by_their_arguments) {
    ck_assert_int_eq(inside(try_kinds_of_calls), 0);
}
END_TEST

/* As a service manager's filter may: libseccomp then uses prctl. */
static void refuse_seccomp_call(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {.len = 4, .filter = filter};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

START_TEST(within_a_filter_that_refuses_the_call_for_more) {
    const pid_t child = fork();
    int status;
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        refuse_seccomp_call();
        const bool entered = sandbox_enter();
        _exit(entered ? syscall(4000) != -1 || errno != ENOSYS || fork() != -1 : errno != ENOSYS);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

static void try_unknown_calls(void) {
    ck_assert(syscall(4000) == -1 && errno == ENOSYS);
    ck_assert(syscall(450) == -1 && errno == ENOSYS); /* the first that is not known */
    ck_assert(syscall(449) == -1 && errno == EPERM);
    ck_assert(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
}

START_TEST(unknown_calls_are_not_there) {
    ck_assert_int_eq(inside(try_unknown_calls), 0);
}
END_TEST

START_TEST(a_failed_assertion_ends_it_as_ever) {
    const int status = inside(abort);
    ck_assert_msg(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT), "status %#x",
                  (unsigned)status);
}
END_TEST

static void *nothing(void *cls) {
    errno = 0;
    return fork() == -1 && errno == EPERM ? cls : NULL;
}

static void do_what_counting_does(void) {
    pthread_t thread; /* which inherits the filter */
    void *ended = NULL;
    int here = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, nothing, &here), 0);
    ck_assert_int_eq(pthread_join(thread, &ended), 0);
    ck_assert_ptr_eq(ended, &here);

    struct addrinfo *found = NULL;
    ck_assert_int_eq(getaddrinfo("localhost", "80", NULL, &found), 0);
    freeaddrinfo(found);

    int ends[2], ready = -1;
    ck_assert(pipe(ends) == -1 && errno == EPERM);
    ck_assert_int_eq(prctl(PR_SET_NAME, "counter"), 0);
    ck_assert(prctl(PR_SET_DUMPABLE, 1) == -1 && errno == EPERM);

    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(ioctl(fileno(file), FIONREAD, &ready), 0);
    ck_assert(ioctl(fileno(file), TIOCSTI, "x") == -1 && errno == EPERM);
    ck_assert_int_eq(posix_fallocate(fileno(file), 0, 8192), 0);
    void *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    ck_assert(mapped != MAP_FAILED && msync(mapped, 8192, MS_SYNC) == 0);
    fclose(file);
}

START_TEST(what_counting_needs) {
    ck_assert_int_eq(inside(do_what_counting_does), 0);
}
END_TEST

CHECK_MAIN("sandbox", no_program_and_no_process, no_other_sockets_and_no_code_of_its_own,
           calls_are_told_apart_by_their_arguments, within_a_filter_that_refuses_the_call_for_more,
           unknown_calls_are_not_there, a_failed_assertion_ends_it_as_ever, what_counting_needs)
