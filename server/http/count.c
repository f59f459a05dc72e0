#include "server/http/count.h"

#include "reports/add.h"
#include "server/http/keep.h"
#include "server/process/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct fields *count_fields(const struct worker *worker) {
    const struct report_set *set = worker->report_view.set;
    return set ? set->definitions->compiled : worker->server->no_fields;
}

/* ---- what a request contributes to its events ---- */

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
    if (keep_is_on(worker)) {
        keep_begin(connection);
    }
    if (!worker->report_view.adder) {
        return;
    }
    const struct fields *fields = count_fields(worker);
    record_begin(shared);
    const struct gather *query = &connection->query_text;
    if (query->len > 0) { /* one with a broken escape is refused, and nothing of it is needed */
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

/* An arrival is never refused, but its time may not be countable: with --future 0, the present
 * moment is ahead of the accepted span, which was set at the wake-up; and after the clock was set,
 * there may be no place for any time near it. */
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

static inline bool counts_at_arrival(const struct worker *worker) {
    return !worker->record.timed || worker->server->clock_is_arrival;
}

static inline enum shard_verdict count_now(struct worker *worker, int64_t arrival_us,
                                           uint64_t *unfit) {
    struct record *record = &worker->record;
    const bool at_arrival = counts_at_arrival(worker);
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

/* Finds where, and at which time, count_now would count the event. */
static enum shard_verdict look(struct worker *worker, int64_t arrival_us, int64_t *time_us,
                               struct shard_next *next) {
    struct shard *shard = worker->shard;
    if (!counts_at_arrival(worker)) {
        *time_us = worker->record.us;
        return shard_look_owner(shard, *time_us, next);
    }
    if (worker->report_view.adder) { /* the same choices as count_arrival */
        *time_us = arrival_us;
        if (shard_look_owner(shard, arrival_us, next) == SHARD_COUNTED) {
            return SHARD_COUNTED;
        }
        *time_us = worker->now_us;
        if (shard_look_owner(shard, worker->now_us, next) == SHARD_COUNTED) {
            return SHARD_COUNTED;
        }
    }
    *time_us = shard_look_arrival_owner(shard, arrival_us, next);
    return SHARD_COUNTED;
}

/* Writes the record and the counts as one transaction: see eventlog/tail.h. */
static enum shard_verdict count_and_keep(struct worker *worker, int64_t arrival_us,
                                         uint64_t *unfit) {
    struct shard_next next;
    int64_t time_us;
    *unfit = 0;
    const enum shard_verdict verdict = look(worker, arrival_us, &time_us, &next);
    if (verdict != SHARD_COUNTED) {
        return verdict;
    }
    const bool is_kept = keep_put(worker, time_us, arrival_us, &next);
    const enum shard_verdict counted = count_now(worker, arrival_us, unfit);
    if (is_kept) {
        keep_commit(worker);
    }
    return counted;
}

enum shard_verdict count_record(struct worker *worker, int64_t arrival_us, uint64_t *unfit) {
    return keep_is_on(worker) ? count_and_keep(worker, arrival_us, unfit)
                              : count_now(worker, arrival_us, unfit);
}

/* ---- what kept it out of a report ---- */

/* Removes from *left, and returns, the reports that field i kept the event out of for the same
 * reason as the first of them. */
static uint32_t take_reports(const struct worker *worker, unsigned i, uint32_t *left,
                             char reason[LEFT_OUT_WHY_MAX]) {
    const struct adder *adder = worker->report_view.adder;
    const unsigned reports = worker->report_view.set->definitions->reports;
    uint32_t taken = 0;
    for (unsigned r = 0; r < reports; r++) {
        const struct left_out *out = adder_left_out_owner(adder, r);
        char other[LEFT_OUT_WHY_MAX];
        if (!(*left >> r & 1) || !out || !(out->fields >> i & 1)) {
            *left &= ~(UINT32_C(1) << r);
            continue;
        }
        left_out_explain(out, fields_at(count_fields(worker), i), i, &worker->record,
                         taken ? other : reason);
        if (!taken || strcmp(other, reason) == 0) {
            taken |= UINT32_C(1) << r;
        }
    }
    *left &= ~taken;
    return taken;
}

void count_explain_field(const struct worker *worker, unsigned i, char reason[LEFT_OUT_WHY_MAX]) {
    uint32_t left = UINT32_MAX;
    take_reports(worker, i, &left, reason);
}

/* A sentence under construction; `size` is that of its text. */
struct sentence {
    char *text;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(sentence->text + sentence->len, sentence->size - sentence->len, format,
                            arguments);
    va_end(arguments);
    sentence->len += (size_t)n;
    if (sentence->len >= sentence->size) {
        sentence->len = sentence->size - 1;
    }
}

#define REST_MAX (sizeof " and 64 more; and 64 more fields" - 1)

/* Names reports as long as there is room. */
static void say_reports(const struct worker *worker, uint32_t reports, struct sentence *sentence) {
    const struct definitions *definitions = worker->report_view.set->definitions;
    const char *before = " ";
    say(sentence, ", left out of report%s", reports & (reports - 1) ? "s" : "");
    for (; reports; reports &= reports - 1) {
        const char *name = definitions->report[__builtin_ctz(reports)].table.name;
        if (sentence->len + strlen(before) + strlen(name) + REST_MAX >= sentence->size) {
            say(sentence, " and %d more", __builtin_popcount(reports));
            return;
        }
        say(sentence, "%s%s", before, name);
        before = ", ";
    }
}

/* Bytes that one reason with its field and the name of one report needs. */
#define CLAUSE_MAX                                                                                 \
    (sizeof "; : , left out of reports " + FIELD_NAME_MAX + LEFT_OUT_WHY_MAX + TABLE_NAME_MAX +    \
     REST_MAX)
_Static_assert(sizeof "counted" + CLAUSE_MAX <= ANSWERS_SENTENCE_MAX, "one is always said whole");

void count_explain_unfit(const struct worker *worker, uint64_t unfit,
                         char text[ANSWERS_SENTENCE_MAX]) {
    struct sentence sentence = {text, ANSWERS_SENTENCE_MAX, 0};
    say(&sentence, "counted");
    for (; unfit; unfit &= unfit - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(unfit);
        uint32_t left = UINT32_MAX, reports;
        char reason[LEFT_OUT_WHY_MAX];
        while ((reports = take_reports(worker, i, &left, reason))) {
            if (sentence.len + CLAUSE_MAX > sentence.size) {
                const int fields = __builtin_popcountll(unfit);
                say(&sentence, "; and %d more field%s", fields, fields > 1 ? "s" : "");
                return;
            }
            say(&sentence, "; %s: %s", fields_at(count_fields(worker), i)->name, reason);
            say_reports(worker, reports, &sentence);
        }
    }
}
