/* A filter of system calls (seccomp) that all later threads inherit, so that a bug in the code that
 * reads hostile bytes does not give away the whole machine. It permits files, sockets and memory as
 * aforod needs them. It does not permit starting a program; making, tracing or signalling a
 * process; or memory that is both written and executed. A call that is not permitted fails with
 * EPERM and does not end the process: counting continues. */
#ifndef AFORO_SERVER_PROCESS_SANDBOX_H
#define AFORO_SERVER_PROCESS_SANDBOX_H

#include <stdbool.h>

/* Installs the filter. By main, before the first thread is started. False, with errno set, when the
 * kernel cannot filter or the build has no filter (sanitizers make calls of their own). In either
 * case, no exec can gain privileges afterwards. */
bool sandbox_enter(void);

#endif
