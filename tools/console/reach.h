/* Whether the last failure was that its source could not be reached: no server or Redis answers, or
 * there is no such directory. The exit status is then 3, so that a script can wait for a source to
 * come up. State of the whole program, since the commands end in many places; one thread. */
#ifndef AFORO_TOOLS_CONSOLE_REACH_H
#define AFORO_TOOLS_CONSOLE_REACH_H

#include <stdbool.h>

#define EXIT_UNREACHABLE 3

/* Notes whether a source that failed was unreachable; false also if it has answered. */
void reach_note(bool unreachable);

/* The same for a file or directory, by whether it can be read. */
void reach_note_path(const char *path);

/* What was last noted. */
bool reach_is_lost(void);

/* Converts a command's exit status to the program's: a failure (1) becomes 3 if the source was
 * unreachable. */
int reach_status(int status);

#endif
