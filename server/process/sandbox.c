/* See sandbox.h. The calls were found with strace over the integration and fault tests; beside each
 * are those that other versions of the C library use for the same purpose. */
#define _GNU_SOURCE
#include "server/process/sandbox.h"

#include <errno.h>
#include <sys/prctl.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

bool sandbox_enter(void) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    errno = ENOSYS;
    return false;
}

#else

#include <asm/ioctls.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Calls of later kernels, which we do not know, fail with ENOSYS, so that a later C library falls
 * back to known ones. */
#define KNOWN_LAST 450

#define WORD 0xffffffff /* the arguments that we test are small: the low word holds them */
#define SOCKET_TYPE 0xf /* the rest are flags such as SOCK_CLOEXEC */
#define BINARY_TREE 2   /* the libseccomp optimisation level for filters of many calls */

/* The library leaves out calls that an architecture does not have. */
#define CALL(name) SCMP_SYS(name)
static const int permitted[] = {
    /* an event's way */
    CALL(recvfrom), CALL(sendmsg), CALL(sendto), CALL(epoll_ctl), CALL(accept4), CALL(close),
    CALL(futex), CALL(read), CALL(write), CALL(recvmsg), CALL(readv), CALL(writev), CALL(shutdown),
    CALL(clock_gettime), CALL(clock_nanosleep), CALL(setsockopt), CALL(getsockopt), CALL(ppoll),
    CALL(epoll_pwait), CALL(sendmmsg), CALL(restart_syscall), CALL(nanosleep), CALL(gettimeofday),
    CALL(pselect6), CALL(connect), CALL(bind), CALL(listen), CALL(getsockname), CALL(getpeername),
    CALL(epoll_create1), CALL(eventfd2),
    /* the state file, tokens, certificates, what the resolver reads */
    CALL(openat), CALL(fstat), CALL(newfstatat), CALL(statx), CALL(lseek), CALL(pread64),
    CALL(pwrite64), CALL(fcntl), CALL(flock), CALL(fsync), CALL(fdatasync), CALL(msync),
    CALL(ftruncate), CALL(fallocate), CALL(renameat), CALL(renameat2), CALL(unlinkat),
    CALL(mkdirat), CALL(faccessat), CALL(readlinkat), CALL(getdents64), CALL(fadvise64),
    CALL(uname), CALL(sysinfo), CALL(getrandom), CALL(getrusage), CALL(prlimit64), CALL(dup),
    CALL(dup3), CALL(umask),
    /* memory and threads */
    CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(exit), CALL(exit_group),
    CALL(set_robust_list), CALL(get_robust_list), CALL(rseq), CALL(membarrier), CALL(sched_yield),
    CALL(sched_getaffinity), CALL(getcpu), CALL(gettid), CALL(getpid), CALL(getppid), CALL(getuid),
    CALL(geteuid), CALL(getgid), CALL(getegid), CALL(rt_sigaction), CALL(rt_sigprocmask),
    CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(set_tid_address),
    /* x86-64: older calls, of which other architectures have only the newer form */
    CALL(poll), CALL(epoll_wait), CALL(open), CALL(stat), CALL(lstat), CALL(access), CALL(readlink),
    CALL(mkdir), CALL(rename), CALL(unlink), CALL(select), CALL(time), CALL(epoll_create),
    CALL(eventfd), CALL(getdents), CALL(dup2), CALL(arch_prctl)};

/* A call that is permitted if up to two of its arguments match. */
struct rule {
    int call;
    unsigned arguments;
    struct scmp_arg_cmp argument[2];
};

#define MASKED(index, mask, value)                                                                 \
    { index, SCMP_CMP_MASKED_EQ, mask, value }
#define IF(name, index, mask, value)                                                               \
    {                                                                                              \
        CALL(name), 1, {                                                                           \
            MASKED(index, mask, value)                                                             \
        }                                                                                          \
    }
#define SOCKET(family, type)                                                                       \
    {                                                                                              \
        CALL(socket), 2, {                                                                         \
            MASKED(0, WORD, family), MASKED(1, SOCKET_TYPE, type)                                  \
        }                                                                                          \
    }

static const struct rule rules[] = {
    /* sockets: not raw ones, not packets; netlink is how getaddrinfo learns of interfaces */
    SOCKET(AF_INET, SOCK_STREAM),
    SOCKET(AF_INET, SOCK_DGRAM),
    SOCKET(AF_INET6, SOCK_STREAM),
    SOCKET(AF_INET6, SOCK_DGRAM),
    SOCKET(AF_UNIX, SOCK_STREAM),
    SOCKET(AF_UNIX, SOCK_DGRAM),
    IF(socket, 0, WORD, AF_NETLINK),
    IF(ioctl, 1, WORD, FIONREAD),
    IF(ioctl, 1, WORD, FIONBIO),
    IF(ioctl, 1, WORD, TCGETS),
    /* memory: none that is both writable and executable, and none that was writable and becomes
     * executable */
    IF(mprotect, 2, PROT_EXEC, 0),
    IF(mmap, 2, PROT_EXEC, 0),
    IF(mmap, 2, PROT_EXEC | PROT_WRITE, PROT_EXEC),
    /* threads, but no processes */
    IF(clone, 0, CLONE_THREAD, CLONE_THREAD),
    IF(prctl, 0, WORD, PR_SET_NAME),
    /* a thread's own priority: the thread of --admin-listen yields to the workers */
    {CALL(setpriority), 2, {MASKED(0, WORD, PRIO_PROCESS), MASKED(1, WORD, 0)}},
    /* the filter of known calls is loaded second, by either call, and refuses any further one */
    IF(seccomp, 0, WORD, SECCOMP_SET_MODE_FILTER),
    IF(prctl, 0, WORD, PR_SET_SECCOMP),
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A filter that does `otherwise` with calls that no rule names; NULL when out of memory. */
static scmp_filter_ctx make_filter(uint32_t otherwise) {
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (!filter) {
        return NULL;
    }
    /* aforod uses no call numbers of other architectures (x32, 32-bit code). They end the process;
     * or only the thread, if an outer filter keeps the library from finding out that the kernel can
     * end the process. */
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) || /* already set */
        seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1) ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE)) {
        seccomp_release(filter);
        return NULL;
    }
    return filter;
}

/* Each of these returns 0 or a negative errno. */
static int add_permitted(scmp_filter_ctx filter) {
    int error = 0;
    for (size_t i = 0; i < COUNT(permitted) && !error; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, permitted[i], 0);
    }
    for (size_t i = 0; i < COUNT(rules) && !error; i++) {
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].arguments,
                                       rules[i].argument);
    }
    /* signals to itself, since abort uses one */
    const struct scmp_arg_cmp own_pid = MASKED(0, WORD, (scmp_datum_t)getpid());
    if (!error) {
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1, &own_pid);
    }
    /* The flags of clone3 are in memory, which a filter cannot read; the C library falls back to
     * clone. */
    return error ? error : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

static int add_known(scmp_filter_ctx filter) {
    const struct scmp_arg_cmp more = MASKED(0, WORD, PR_SET_SECCOMP);
    const struct scmp_arg_cmp other = {0, SCMP_CMP_NE, PR_SET_SECCOMP, 0};
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), CALL(seccomp), 0);
    error = error ? error
                  : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), CALL(prctl), 1, &more);
    error = error ? error : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, CALL(prctl), 1, &other);
    for (int call = 0; call < KNOWN_LAST && !error; call++) {
        if (call != CALL(seccomp) && call != CALL(prctl)) {
            error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
        }
    }
    return error;
}

/* Of two filters, the kernel takes the stricter answer, and of two errors, that of the later
 * filter: what is not permitted fails with EPERM, what is not known with ENOSYS. */
bool sandbox_enter(void) {
    scmp_filter_ctx strict = make_filter(SCMP_ACT_ERRNO(EPERM));
    scmp_filter_ctx known = make_filter(SCMP_ACT_ERRNO(ENOSYS));
    int error = strict && known ? 0 : -ENOMEM;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        error = -errno;
    }
    error = error ? error : add_permitted(strict);
    error = error ? error : add_known(known);
    error = error ? error : seccomp_load(strict);
    error = error ? error : seccomp_load(known);
    seccomp_release(strict);
    seccomp_release(known);
    errno = -error;
    return !error;
}

#endif
