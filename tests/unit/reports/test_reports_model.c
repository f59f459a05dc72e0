/* Reports against a model that cannot be wrong: one plain array of rows, found by looking at keys.
 * 100,000 events of two workers: late, early, with fields missing or of another type, conditions
 * that hold or not, many keys. All rows are equal, and so are the counts of unfit fields. */
#include "tests/unit/reports/reports_fixture.h"

#include <inttypes.h>

#define EVENTS 100000
#define PLACES (1 << 19) /* of the model's rows; a power of two */
#define KEY_TEXT_MAX 64
#define US "\x1f"

static const char text[] =
    "fields: {flight: , client: {type: int}, seconds: {type: int}, price: {type: decimal2}}\n"
    "reports:\n"
    "  - {name: keyed, by: [flight, client], windows: [1s, 10s, 1min], memory: 256MiB,\n"
    "     show: [count, sum(seconds), min(price), max(price), first, last], keys: {max: 100000}}\n"
    "  - {name: dear, when: price >= 50.5 and not flight starts \"(\", by: price, windows: "
    "[100ms],\n"
    "     show: [count, sum(seconds), min(price), max(price), first, last], memory: 256MiB}\n"
    "  - {name: bare, windows: [10ms, 1s], memory: 256MiB,\n"
    "     show: [count, sum(seconds), min(price), max(price), first, last]}\n";
enum { KEYED, DEAR, BARE, REPORTS };
enum { FLIGHT, CLIENT, SECONDS, PRICE, FIELDS };

/* An event as it was made up, before it became text. */
struct made_up {
    int64_t us;
    unsigned flight, client, seconds, price; /* price in cents */
    bool has[FIELDS], wrong[FIELDS];
};

struct model_row {
    bool used;
    unsigned report, width;
    int64_t window;
    char key[KEY_TEXT_MAX];
    uint64_t count, sum, least, most;
    int64_t first, last;
};

static struct model_row *model;
static size_t model_rows;
static uint64_t model_unfit[REPORTS][FIELDS];

static void make(void) {
    state_dir_make();
    model = calloc(PLACES, sizeof *model);
    ck_assert_ptr_nonnull(model);
    model_rows = 0;
    memset(model_unfit, 0, sizeof model_unfit);
}

static void unmake(void) {
    free(model);
    state_dir_remove();
}

static struct model_row *find(const struct model_row *wanted) {
    uint64_t hash = wanted->report * 31 + wanted->width * 17 + (uint64_t)wanted->window * 1000003;
    for (const char *c = wanted->key; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    for (size_t i = hash % PLACES;; i = (i + 1) % PLACES) {
        struct model_row *row = &model[i];
        if (!row->used || (row->report == wanted->report && row->width == wanted->width &&
                           row->window == wanted->window && strcmp(row->key, wanted->key) == 0))
            return row;
    }
}

static void note_row(const struct model_row *wanted, const struct made_up *event) {
    struct model_row *row = find(wanted);
    if (!row->used) {
        *row = *wanted;
        row->used = true;
        row->least = row->most = event->price;
        row->first = row->last = event->us;
        DEMAND(++model_rows < PLACES / 2, "too many rows for the model");
    }
    row->count++;
    row->sum += event->seconds;
    row->least = event->price < row->least ? event->price : row->least;
    row->most = event->price > row->most ? event->price : row->most;
    row->first = event->us < row->first ? event->us : row->first;
    row->last = event->us > row->last ? event->us : row->last;
}

/* Of each report: its widths, and the fields that it needs. */
static const int64_t widths_us[REPORTS][3] = {{US_PER_S, 10 * US_PER_S, 60 * US_PER_S},
                                              {100 * US_PER_MS, 0, 0},
                                              {10 * US_PER_MS, US_PER_S, 0}};
static const bool needs[REPORTS][FIELDS] = {
    {true, true, true, true}, {false, false, true, true}, {false, false, true, true}};

static bool is_meant(unsigned report, const struct made_up *event) {
    const bool priced = event->has[PRICE] && !event->wrong[PRICE] && event->price >= 5050;
    return report != DEAR || (priced && !(event->has[FLIGHT] && event->flight % 10 == 0));
}

static void note_event(const struct made_up *event) {
    for (unsigned report = 0; report < REPORTS; report++) {
        bool fit = true;
        if (report == DEAR && event->wrong[PRICE]) { /* nobody can tell whether it is meant */
            model_unfit[report][PRICE]++;
            continue;
        }
        if (!is_meant(report, event))
            continue;
        for (unsigned i = 0; i < FIELDS; i++) {
            const bool lacks = needs[report][i] && (!event->has[i] || event->wrong[i]);
            model_unfit[report][i] += lacks;
            fit = fit && !lacks;
        }
        for (unsigned width = 0; fit && width < 3 && widths_us[report][width] > 0; width++) {
            struct model_row row = {
                .report = report, .width = width, .window = event->us / widths_us[report][width]};
            if (report == KEYED)
                snprintf(row.key, sizeof row.key, "%s%u" US "%u",
                         event->flight % 10 == 0 ? "%28" : "AA", event->flight, event->client);
            else if (report == DEAR)
                snprintf(row.key, sizeof row.key, "%u.%02u", event->price / 100,
                         event->price % 100);
            note_row(&row, event);
        }
    }
}

/* ---- events ---- */

static struct made_up make_up(uint64_t *random, int64_t now_us) {
    struct made_up event = {.us = now_us - (int64_t)(next_random(random) % (55 * US_PER_S))};
    const uint64_t odd = next_random(random) % 1000;
    if (odd < 10)
        event.us = now_us - 100 * US_PER_S;
    else if (odd < 20)
        event.us = now_us + 10 * US_PER_S;
    else if (odd < 300)
        event.us = now_us - (int64_t)(next_random(random) % 2000);
    event.flight = (unsigned)(next_random(random) % 40);
    event.client = (unsigned)(next_random(random) % 100);
    event.seconds = (unsigned)(next_random(random) % 3600);
    event.price = (unsigned)(next_random(random) % 10000);
    for (unsigned i = 0; i < FIELDS; i++) {
        const uint64_t fate = next_random(random) % 100;
        event.has[i] = fate > 0;
        event.wrong[i] = fate == 1 && i != FLIGHT;
    }
    return event;
}

static bool add(const struct lab *lab, unsigned worker, const struct made_up *event) {
    char values[FIELDS][32];
    struct lab_event as_text = {.us = event->us};
    uint64_t unfit;
    snprintf(values[FLIGHT], 32, "%s%u", event->flight % 10 == 0 ? "(" : "AA", event->flight);
    snprintf(values[CLIENT], 32, event->client % 3 == 0 ? "00%u" : "%u", event->client);
    snprintf(values[SECONDS], 32, "%u", event->seconds);
    snprintf(values[PRICE], 32, event->price % 100 == 0 ? "%u" : "%u.%02u", event->price / 100,
             event->price % 100);
    for (unsigned i = 0; i < FIELDS; i++) {
        if (event->wrong[i])
            snprintf(values[i], 32, "0x7");
        as_text.text[i] = event->has[i] ? values[i] : NULL;
    }
    return lab_add(lab, worker, &as_text, &unfit) == SHARD_COUNTED;
}

/* ---- comparing ---- */

static void expect_figures(const struct lab *lab, const struct model_row *row,
                           const struct report_row *found) {
    char expected[6][32];
    snprintf(expected[0], 32, "%" PRIu64, row->count);
    snprintf(expected[1], 32, "%" PRIu64, row->sum);
    snprintf(expected[2], 32, "%" PRIu64 ".%02" PRIu64, row->least / 100, row->least % 100);
    snprintf(expected[3], 32, "%" PRIu64 ".%02" PRIu64, row->most / 100, row->most % 100);
    snprintf(expected[4], 32, "%" PRId64, row->first);
    snprintf(expected[5], 32, "%" PRId64, row->last);
    for (unsigned i = 0; i < 6; i++) {
        const char *shown = lab_figure(lab, row->report, row->width, found, i);
        DEMAND(strcmp(shown, expected[i]) == 0, "report %u, width %u, figure %u: %s, not %s",
               row->report, row->width, i, shown, expected[i]);
    }
}

/* All rows of one window are in the model; returns how many there are. */
static size_t expect_window(const struct lab *lab, const struct model_row *which) {
    struct report_rows rows = lab_read(lab, which->report, which->width,
                                       which->window * widths_us[which->report][which->width]);
    for (size_t i = 0; i < rows.n; i++) {
        struct model_row wanted = *which;
        const struct report_row *found = &rows.row[i];
        DEMAND(!found->other && found->key_len < KEY_TEXT_MAX, "an odd row");
        snprintf(wanted.key, sizeof wanted.key, "%.*s", (int)found->key_len, found->key);
        const struct model_row *row = find(&wanted);
        DEMAND(row->used, "report %u, width %u: a row too many: %s", which->report, which->width,
               wanted.key);
        expect_figures(lab, row, found);
        const struct report_row *before = i > 0 ? &rows.row[i - 1] : NULL;
        DEMAND(before == NULL ||
                   memcmp(before->key, found->key,
                          before->key_len < found->key_len ? before->key_len : found->key_len) <= 0,
               "rows out of order");
    }
    const size_t n = rows.n;
    report_rows_free(&rows);
    return n;
}

START_TEST(all_rows_are_those_of_the_model) {
    struct lab *lab = lab_open(text);
    uint64_t random = 20261121, counted = 0, unfit[REPORTS][FIELDS] = {{0}};
    int64_t now_us = T0;
    size_t rows = 0;
    for (int i = 0; i < EVENTS; i++) {
        if (i % 10000 == 0)
            lab_set_now(lab, now_us += US_PER_S / 2);
        const struct made_up event = make_up(&random, now_us);
        if (add(lab, (unsigned)(next_random(&random) % LAB_WORKERS), &event)) {
            note_event(&event);
            counted++;
        }
    }
    ck_assert_uint_gt(counted, EVENTS * 97 / 100);
    ck_assert_uint_lt(counted, EVENTS * 99 / 100);
    for (unsigned report = 0; report < REPORTS; report++) {
        for (unsigned width = 0; width < 3 && widths_us[report][width] > 0; width++) {
            const int64_t width_us = widths_us[report][width];
            for (int64_t window = (T0 - LAB_HORIZON_US) / width_us;
                 window <= (now_us + LAB_FUTURE_US) / width_us; window++)
                rows += expect_window(
                    lab, &(struct model_row){.report = report, .width = width, .window = window});
        }
        for (unsigned i = 0; i < FIELDS; i++) {
            for (unsigned worker = 0; worker < LAB_WORKERS; worker++)
                unfit[report][i] += adder_unfit(lab->adder[worker], report, i);
            ck_assert_uint_eq(unfit[report][i], model_unfit[report][i]);
        }
        ck_assert_uint_eq(adder_gone(lab->adder[0], report) + adder_gone(lab->adder[1], report), 0);
    }
    ck_assert_uint_eq(rows, model_rows);
    lab_close(lab);
}
END_TEST

static const struct check_fixture with_model = {100, make, unmake};

CHECK_MAIN_WITH(with_model, "reports against a model", all_rows_are_those_of_the_model)
