/* `aforo top`: what is counted, on a terminal, as it comes in. */
#ifndef AFORO_TOOLS_CONSOLE_TOP_H
#define AFORO_TOOLS_CONSOLE_TOP_H

#include "tools/console/source.h"

#include <signal.h>

/* Whether standard input and output are a terminal that can be drawn on; else rows are printed. */
bool top_can_draw(void);

/* Draws until q or `*asked_to_end`, and leaves the terminal as it was. `place`: what the source
 * reads, as it was named. False when the terminal failed; it was said. */
bool top_run(struct source *source, const char *place, const volatile sig_atomic_t *asked_to_end);

#endif
