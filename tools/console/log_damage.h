/* Reports what cannot be read of an event log. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_DAMAGE_H
#define AFORO_TOOLS_CONSOLE_LOG_DAMAGE_H

#include "eventlog/read.h"

/* Describes the damage on standard error. */
void log_damage_complain(const struct eventlog_damage *damage);

#endif
