/* `aforo top`: what is counted, live on a terminal. */
#ifndef AFORO_TOOLS_CONSOLE_TOP_H
#define AFORO_TOOLS_CONSOLE_TOP_H

#include "tools/console/source.h"

#include <signal.h>

/* Whether standard input and output are a terminal that can be drawn on; if not, rows are
 * printed. */
bool top_can_draw(void);

/* Draws until q or `*asked_to_end`, then restores the terminal. `place`: the source as the user
 * named it. False when the terminal failed; a message was printed. */
bool top_run(struct source *source, const char *place, const volatile sig_atomic_t *asked_to_end);

#endif
