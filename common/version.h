/* The one version of both programs: --version, /healthz and the log say the same. */
#ifndef AFORO_COMMON_VERSION_H
#define AFORO_COMMON_VERSION_H

/* "1.2.3", as CMake's project() has it. Any thread. */
const char *version_text(void);

#endif
