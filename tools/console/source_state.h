/* What reports need of a source that source_state_open has opened. */
#ifndef AFORO_TOOLS_CONSOLE_SOURCE_STATE_H
#define AFORO_TOOLS_CONSOLE_SOURCE_STATE_H

#include "tools/console/source.h"

const char *source_state_dir(const struct source *source);

#endif
