/* What aforod may ask of the kernel, from here on: a filter of system calls (seccomp) that all
 * later threads inherit, so that a bug in what reads hostile bytes is not the whole machine. Files,
 * sockets and memory as aforod needs them; no other program is started, no process is made, traced
 * or signalled, no memory is written and executed. What is not permitted fails with EPERM and is
 * not the end of the process: counting goes on. */
#ifndef AFORO_SERVER_PROCESS_SANDBOX_H
#define AFORO_SERVER_PROCESS_SANDBOX_H

#include <stdbool.h>

/* Before the first thread is started. False when the kernel, or the kind of build (sanitizers make
 * calls of their own), has no filter; errno then says why. Nobody gains privileges by exec
 * afterwards, either way. */
bool sandbox_enter(void);

#endif
