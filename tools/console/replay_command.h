/* aforo replay DIR...: counts the events that aforod --event-log has kept again. */
#ifndef AFORO_TOOLS_CONSOLE_REPLAY_COMMAND_H
#define AFORO_TOOLS_CONSOLE_REPLAY_COMMAND_H

#include <stdint.h>

/* argv[0] is "replay"; times like -1h count from now_us (wall clock). Returns the exit status: 1
 * also if part of the log is damaged, 2 for a wrong command line or a mistake in the
 * definitions. */
int replay_main(int argc, char **argv, int64_t now_us);

#endif
