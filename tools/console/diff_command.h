/* aforo diff SOURCE SOURCE: prints each window and row in which they differ. */
#ifndef AFORO_TOOLS_CONSOLE_DIFF_COMMAND_H
#define AFORO_TOOLS_CONSOLE_DIFF_COMMAND_H

#include <stdint.h>

/* argv[0] is "diff". now_us: wall clock. Returns the exit status, as diff(1) does: 0 nothing
 * differs, 1 something does, 2 a wrong command line or a source that cannot be read. */
int diff_main(int argc, char **argv, int64_t now_us);

#endif
