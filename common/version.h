/* The version that both programs share: --version, /healthz and the log all report it. */
#ifndef AFORO_COMMON_VERSION_H
#define AFORO_COMMON_VERSION_H

/* "1.2.3", as CMake's project() has it. Any thread. */
const char *version_text(void);

#endif
