/* Checks whether the rows of reports in Redis are what they should be: every total is the sum of
 * its parts, every part's events are those of its rows, score boards match the nodes' bytes, and a
 * window's hash holds nothing else. Over a connected link, in its thread. */
#ifndef AFORO_REDIS_ROWS_AUDIT_H
#define AFORO_REDIS_ROWS_AUDIT_H

#include "redis/audit.h"
#include "redis/rows.h"

/* Checks one window in all groups and reports what is wrong with it, each thing once. False fills
 * `why` (LINK_WHY_MAX) when it could not be read. */
bool rows_audit_window(struct link *link, const struct rows_place *place, audit_finding *finding,
                       void *cls, char *why);

/* The same for all windows of all reports that began in [from_us, to_us] and are still kept at
 * now_us. */
struct rows_audit_span {
    int64_t from_us, to_us, now_us;
};
bool rows_audit_reports(struct link *link, const struct rows_audit_span *span,
                        audit_finding *finding, void *cls, char *why);

#endif
