#include "server/http/count.h"

#include "reports/add.h"
#include "reports/condition.h"
#include "server/process/clock.h"

#include <stdio.h>
#include <string.h>

const struct fields *count_fields(const struct worker *worker) {
    const struct report_set *set = worker->report_view.set;
    return set ? set->definitions->compiled : worker->server->no_fields;
}

/* ---- what a request gives to its events ---- */

void count_keep_query(struct connection *connection) {
    const char *query = connection->target.query;
    gather_clear(&connection->query_text);
    if (query) {
        gather_add(&connection->query_text, query, strlen(query));
    }
}

void count_begin(struct connection *connection) {
    struct worker *worker = connection->worker;
    struct record *shared = &worker->shared;
    if (!worker->report_view.adder) {
        return;
    }
    const struct fields *fields = count_fields(worker);
    record_begin(shared);
    const struct gather *query = &connection->query_text;
    if (query->len > 0) {
        record_read_form(shared, fields, FIELD_QUERY, query->text, query->len);
    }
    const char *name;
    for (unsigned i = 0; (name = fields_header(fields, i)); i++) {
        const char *value = MHD_lookup_connection_value(connection->mhd, MHD_HEADER_KIND, name);
        if (value) {
            record_take_header(shared, fields, i, value, strlen(value));
        }
    }
}

/* ---- an event ---- */

/* With --future 0 the present of this moment lies ahead of the accepted span, which was set at the
 * wake-up; and when the clock was set, no time near it may have a place. An arrival is never
 * refused. */
static enum shard_verdict count_arrival(struct worker *worker, int64_t arrival_us,
                                        uint64_t *unfit) {
    struct adder *adder = worker->report_view.adder;
    struct record *record = &worker->record;
    const int64_t event_us = record->us;
    record->us = arrival_us;
    if (adder_add_owner(adder, worker->shard, record, unfit) != SHARD_COUNTED) {
        record->us = worker->now_us;
        if (adder_add_owner(adder, worker->shard, record, unfit) != SHARD_COUNTED) {
            adder_add_arrival_owner(adder, worker->shard, record, arrival_us, unfit);
        }
    }
    record->us = event_us;
    return SHARD_COUNTED;
}

enum shard_verdict count_record(struct worker *worker, int64_t arrival_us, uint64_t *unfit) {
    struct record *record = &worker->record;
    const bool at_arrival = !record->timed || worker->server->clock_is_arrival;
    *unfit = 0;
    if (worker->report_view.adder) {
        if (worker->shared.present) {
            record_inherit(record, &worker->shared);
        }
        return at_arrival
                   ? count_arrival(worker, arrival_us, unfit)
                   : adder_add_owner(worker->report_view.adder, worker->shard, record, unfit);
    }
    if (!at_arrival) {
        return shard_add_owner(worker->shard, record->us);
    }
    shard_add_arrival_owner(worker->shard, arrival_us);
    return SHARD_COUNTED;
}

/* ---- what kept it out of a report ---- */

const char *count_explain_field(const struct worker *worker, unsigned i) {
    const struct record *record = &worker->record;
    if (!(record->present >> i & 1)) {
        return "missing";
    }
    if (!(record->unfit >> i & 1)) {
        return "its sum would leave the range of 2^53";
    }
    switch (fields_at(count_fields(worker), i)->type) {
    case FIELD_INT:
        return "not an int";
    case FIELD_DECIMAL:
        return "not a number of its type";
    default:
        return "longer than 1024 bytes";
    }
}

/* The first report that needs the field of an event that is in its `when`. */
static const char *find_report(const struct worker *worker, unsigned field) {
    const struct definitions *definitions = worker->report_view.set->definitions;
    for (unsigned r = 0; r < definitions->reports; r++) {
        const struct report *report = &definitions->report[r];
        if ((report->needs >> field & 1) &&
            (!report->when || condition_holds(report->when, &worker->record))) {
            return report->table.name;
        }
    }
    return "";
}

void count_explain_unfit(const struct worker *worker, uint64_t unfit, char *text, size_t cap) {
    const unsigned first = (unsigned)__builtin_ctzll(unfit);
    snprintf(text, cap, "counted; %s: %s, left out of report %s",
             fields_at(count_fields(worker), first)->name, count_explain_field(worker, first),
             find_report(worker, first));
}
