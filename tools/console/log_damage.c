#include "tools/console/log_damage.h"

#include "tools/console/terminal.h"

#include <inttypes.h>

void log_damage_complain(const struct eventlog_damage *damage) {
    const struct eventlog_where *where = damage->where;
    if (damage->last == UINT64_MAX)
        terminal_complain("%s: the records of node %s, shard %u from %" PRIu64
                          " on, if there were any, cannot be read: %s",
                          where->file, where->node, where->shard, damage->first, damage->why);
    else if (damage->last < damage->first)
        terminal_complain("%s: no record is missing, but %s", where->file, damage->why);
    else
        terminal_complain(
            "%s: records %" PRIu64 " to %" PRIu64 " of node %s, shard %u cannot be read: %s",
            where->file, damage->first, damage->last, where->node, where->shard, damage->why);
}
