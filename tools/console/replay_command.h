/* aforo replay DIR...: the events that aforod --event-log has kept, counted again. */
#ifndef AFORO_TOOLS_CONSOLE_REPLAY_COMMAND_H
#define AFORO_TOOLS_CONSOLE_REPLAY_COMMAND_H

#include <stdint.h>

/* argv[0] is "replay". Returns the exit status: 1 also when something of the log is damaged, 2 for
 * a wrong command line, and for a mistake in the definitions. */
int replay_main(int argc, char **argv, int64_t now_us);

#endif
