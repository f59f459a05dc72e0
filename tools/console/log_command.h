/* aforo log cat DIR, aforo log check DIR: what an event log contains, and whether it is whole. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_COMMAND_H
#define AFORO_TOOLS_CONSOLE_LOG_COMMAND_H

#include <stdint.h>

/* argv[0] is "log"; times like -1h count from now_us (wall clock). Returns the exit status. */
int log_main(int argc, char **argv, int64_t now_us);

#endif
