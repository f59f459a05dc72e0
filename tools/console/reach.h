/* Whether what failed last failed because its source cannot be reached: no server or Redis answers,
 * or there is no such directory. A script that waits for a source to come up then knows what it
 * waits for: exit status 3. One thread; of the whole program, since the commands end in many
 * places. */
#ifndef AFORO_TOOLS_CONSOLE_REACH_H
#define AFORO_TOOLS_CONSOLE_REACH_H

#include <stdbool.h>

#define EXIT_UNREACHABLE 3

/* A source has failed, and could not be reached, or could; false also when it has answered. */
void reach_note(bool unreachable);

/* The same of a file or directory: whether it can be read. */
void reach_note_path(const char *path);

bool reach_is_lost(void);

/* The exit status of the program for that of a command: a failure (1) may be that of its source. */
int reach_status(int status);

#endif
