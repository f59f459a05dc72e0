/* What of an event log cannot be read, as a sentence. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_DAMAGE_H
#define AFORO_TOOLS_CONSOLE_LOG_DAMAGE_H

#include "eventlog/read.h"

/* Names it on standard error. */
void log_damage_complain(const struct eventlog_damage *damage);

#endif
