/* See sandbox.h. The calls were found with strace over the integration and fault tests; beside each
 * that was seen stands what other versions of the C library use for the same. */
#define _GNU_SOURCE
#include "server/process/sandbox.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef ARCHITECTURE
#endif

#ifndef ARCHITECTURE

bool sandbox_enter(void) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    errno = ENOSYS;
    return false;
}

#else

/* What a later kernel has and we do not know: "not there", so that a later C library falls back to
 * what we know. */
#define KNOWN_LAST 450

#define SOCKET_TYPE 0xf /* the rest are flags such as SOCK_CLOEXEC */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define KEEP(bits) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (bits))
#define IF_IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define IF_ANY_OF(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (yes), (no))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)

/* Always permitted. */
#define CALL(name) IF_IS(SYS_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* Permitted when the low word of an argument (the numbers we ask about are small) is this, or one
 * of these. */
#define CALL_IF(name, argument, a)                                                                 \
    IF_IS(SYS_##name, 0, 4), LOAD(args[argument]), IF_IS((a), 0, 1), RETURN(SECCOMP_RET_ALLOW),    \
        REFUSE
#define CALL_IF_3(name, argument, a, b, c)                                                         \
    IF_IS(SYS_##name, 0, 6), LOAD(args[argument]), IF_IS((a), 2, 0), IF_IS((b), 1, 0),             \
        IF_IS((c), 0, 1), RETURN(SECCOMP_RET_ALLOW), REFUSE
/* Permitted without these bits in an argument, or only with them. */
#define CALL_WITHOUT(name, argument, bits)                                                         \
    IF_IS(SYS_##name, 0, 4), LOAD(args[argument]), IF_ANY_OF((bits), 1, 0),                        \
        RETURN(SECCOMP_RET_ALLOW), REFUSE
#define CALL_WITH(name, argument, bits)                                                            \
    IF_IS(SYS_##name, 0, 4), LOAD(args[argument]), IF_ANY_OF((bits), 0, 1),                        \
        RETURN(SECCOMP_RET_ALLOW), REFUSE

bool sandbox_enter(void) {
    const uint32_t own_pid = (uint32_t)getpid();
    struct sock_filter filter[] = {
        LOAD(arch), IF_IS(ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS), /* another architecture's numbers: nobody of ours */
        /* on x86-64 also the x32 calls */
        LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, KNOWN_LAST, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS),

        /* an event's way */
        CALL(recvfrom), CALL(sendmsg), CALL(sendto), CALL(epoll_ctl), CALL(accept4), CALL(close),
        CALL(futex), CALL(read), CALL(write), CALL(recvmsg), CALL(readv), CALL(writev),
        CALL(shutdown), CALL(clock_gettime), CALL(clock_nanosleep), CALL(setsockopt),
        CALL(getsockopt), CALL(ppoll), CALL(epoll_pwait), CALL(sendmmsg), CALL(restart_syscall),
        CALL(nanosleep), CALL(gettimeofday),
        /* sockets: not raw ones, not packets; netlink is how getaddrinfo learns of interfaces */
        IF_IS(SYS_socket, 0, 10), LOAD(args[0]), IF_IS(AF_NETLINK, 6, 0), IF_IS(AF_INET, 2, 0),
        IF_IS(AF_INET6, 1, 0), IF_IS(AF_UNIX, 0, 4), LOAD(args[1]), KEEP(SOCKET_TYPE),
        IF_IS(SOCK_RAW, 1, 0), RETURN(SECCOMP_RET_ALLOW), REFUSE, CALL(connect), CALL(bind),
        CALL(listen), CALL(getsockname), CALL(getpeername), CALL(epoll_create1), CALL(eventfd2),
        /* the state file, tokens, certificates, what the resolver reads */
        CALL(openat), CALL(fstat), CALL(newfstatat), CALL(statx), CALL(lseek), CALL(pread64),
        CALL(pwrite64), CALL(fcntl), CALL(flock), CALL(fsync), CALL(fdatasync), CALL(msync),
        CALL(ftruncate), CALL(fallocate), CALL(renameat), CALL(renameat2), CALL(unlinkat),
        CALL(mkdirat), CALL(faccessat), CALL(readlinkat), CALL(getdents64), CALL(fadvise64),
        CALL(uname), CALL(sysinfo), CALL(getrandom), CALL(getrusage), CALL(prlimit64), CALL(dup),
        CALL(dup3), CALL(umask), CALL_IF_3(ioctl, 1, FIONREAD, FIONBIO, TCGETS),
        /* memory: none that is written and executed, and none that was written and then is */
        CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL_WITHOUT(mprotect, 2, PROT_EXEC),
        IF_IS(SYS_mmap, 0, 5), LOAD(args[2]), IF_ANY_OF(PROT_EXEC, 0, 2),
        IF_ANY_OF(PROT_WRITE, 0, 1), REFUSE, RETURN(SECCOMP_RET_ALLOW),
        /* threads, but no processes. The flags of clone3 cannot be seen from here: the C library
           falls back to clone. */
        CALL_WITH(clone, 0, CLONE_THREAD), IF_IS(SYS_clone3, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS), CALL(exit), CALL(exit_group), CALL(set_robust_list),
        CALL(get_robust_list), CALL(rseq), CALL(membarrier), CALL(sched_yield),
        CALL(sched_getaffinity), CALL(getcpu), CALL(gettid), CALL(getpid), CALL(getppid),
        CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(rt_sigaction),
        CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sigaltstack),
        CALL(set_tid_address), CALL_IF(prctl, 0, PR_SET_NAME),
        /* signals to itself, which is how abort ends it */
        CALL_IF(tgkill, 0, own_pid),
#ifdef __x86_64__ /* what other architectures have under a newer number only */
        CALL(poll), CALL(epoll_wait), CALL(open), CALL(stat), CALL(lstat), CALL(access),
        CALL(readlink), CALL(mkdir), CALL(rename), CALL(unlink), CALL(select), CALL(time),
        CALL(epoll_create), CALL(eventfd), CALL(getdents), CALL(dup2), CALL(arch_prctl),
#endif
        CALL(pselect6), REFUSE};
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

#endif
