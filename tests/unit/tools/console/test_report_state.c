/* Reports in a state directory that a server has counted in: found, written, and why not. */
#include "tools/console/report_source.h"

#include "tests/unit/reports/reports_fixture.h"
#include "view/text.h"

static const char billing[] =
    "fields: {flight: , client: {type: int}, seconds: {type: int}}\n"
    "reports:\n"
    "  - {name: billing, by: [flight, client], windows: [1s, 1min], show: [sum(seconds), first]}\n"
    "  - {name: all, windows: 1min, show: count}\n";
static const char edited[] =
    "fields: {flight: , client: {type: int}, seconds: {type: int}}\n"
    "reports:\n"
    "  - {name: billing, by: [flight], windows: [1min], show: [sum(seconds)]}\n";

static struct text text;
static char why[SOURCE_WHY_MAX];
static struct source *source;
static struct report_words words;

static void set_up(void) {
    state_dir_make();
    text = (struct text){0};
    words = (struct report_words){
        .name = "billing", .window = "1min", .to_us = QUERY_TO_NONE, .now_us = T0 + 100 * US_PER_S};
}

static void tear_down(void) {
    if (source != NULL)
        source->ops->close(source);
    text_free(&text);
    state_dir_remove();
}

static void add(const struct lab *lab, struct lab_event event) {
    uint64_t unfit;
    ck_assert_int_eq(lab_add(lab, 0, &event, &unfit), SHARD_COUNTED);
}

/* Two events of one key, one of another, in the minute of T0 and the one before. */
static void count_some(void) {
    struct lab *lab = lab_open(billing);
    add(lab, (struct lab_event){T0 - 20 * US_PER_S, {"AA2", "8", "5"}});
    add(lab, (struct lab_event){T0 + 100000, {"AA1", "7", "30"}});
    add(lab, (struct lab_event){T0 + 200000, {"AA1", "7", "8"}});
    lab_close(lab);
}

static bool take(void *cls, const char *bytes, size_t len) {
    text_add(cls, bytes, len);
    return true;
}

static const struct text_taker taker = {take, &text};

static void open_source(void) {
    const struct source_config config = {.place = state_dir};
    if (source == NULL)
        source = source_state_open(&config, why);
    ck_assert_msg(source != NULL, "%s", why);
}

static enum report_outcome ask(void) {
    open_source();
    text.len = 0;
    const enum report_outcome outcome = source->reports->rows(source, &words, &taker, why);
    text_add(&text, "", 1);
    return outcome;
}

START_TEST(rows_without_any_yaml) {
    count_some();
    ck_assert_msg(ask() == REPORT_DONE, "%s", why);
    ck_assert_str_eq(text.bytes, "2016-05-28 11:10:00.000, flight=AA2 client=8, sum(seconds)=5 "
                                 "first=2016-05-28 11:10:51.000000\n"
                                 "2016-05-28 11:11:00.000, flight=AA1 client=7, sum(seconds)=38 "
                                 "first=2016-05-28 11:11:11.100000\n");
    words.format = ROWS_CSV;
    words.last = 1;
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_str_eq(text.bytes,
                     "start,state,flight,client,sum(seconds),first\n"
                     "2016-05-28T11:11:00.000Z,closed,AA1,7,38,2016-05-28T11:11:11.100000Z\n");
}
END_TEST

START_TEST(what_is_asked) {
    static const char *const where[] = {"client=8", "flight=AA2"};
    count_some();
    words.where = where;
    words.wheres = 2;
    words.format = ROWS_CSV;
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_ptr_nonnull(strstr(text.bytes, ",AA2,8,5,"));
    ck_assert_ptr_null(strstr(text.bytes, ",AA1,"));
    words.wheres = 0;
    words.window = NULL; /* 1s */
    words.from_us = T0;
    words.to_us = T0 + US_PER_S;
    words.top = 1;
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_msg(strstr(text.bytes, "\n2016-05-28T11:11:11.000Z,final,AA1,7,38,"), "%s",
                  text.bytes);
    words.now_us = T0 + 100;
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_str_eq(text.bytes, "start,state,flight,client,sum(seconds),first\n");
    words.partial = true;
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_ptr_nonnull(strstr(text.bytes, ",open,AA1,7,38,"));
}
END_TEST

START_TEST(what_there_is_not) {
    count_some();
    words.name = "billin";
    ck_assert_int_eq(ask(), REPORT_UNKNOWN);
    ck_assert_str_eq(why, "no report billin; there are: all, billing");
    words.name = "billing";
    words.window = "1h";
    ck_assert_int_eq(ask(), REPORT_UNKNOWN);
    ck_assert_str_eq(why, "report billing has no window 1h; there are: 1s, 1min");
    words.window = "1min";
    static const char *const where[] = {"seconds=8"};
    words.where = where;
    words.wheres = 1;
    ck_assert_int_eq(ask(), REPORT_WRONG);
    words.wheres = 0;
    words.top = 1;
    words.by = "count";
    ck_assert_int_eq(ask(), REPORT_WRONG);
}
END_TEST

START_TEST(a_state_without_reports) {
    const struct counters_config config = tiny_config(1);
    counters_close(open_or_fail(&config));
    ck_assert_int_eq(ask(), REPORT_AWAY);
    ck_assert_ptr_nonnull(strstr(why, " has no reports; a server counts them with --reports FILE"));
    ck_assert_int_eq(source->reports->list(source, ROWS_TEXT, &taker, why), REPORT_AWAY);
}
END_TEST

/* After an edit both definitions are there: the one with newer rows is meant, unless one is named.
 */
START_TEST(two_definitions_of_a_name) {
    count_some();
    struct lab *lab = lab_open(edited);
    add(lab, (struct lab_event){T0 - 20 * US_PER_S, {"AA9", NULL, "1"}});
    char name[80];
    snprintf(name, sizeof name, "billing.%s", lab->definitions->report[0].table.digest);
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_ptr_nonnull(strstr(text.bytes, "flight=AA1 client=7"));
    ck_assert_ptr_null(strstr(text.bytes, "AA9"));
    words.name = name;
    ck_assert_int_eq(ask(), REPORT_DONE);
    ck_assert_str_eq(text.bytes, "2016-05-28 11:10:00.000, flight=AA9, sum(seconds)=1\n");
    words.name = "billing";
    add(lab, (struct lab_event){T0, {"AA9", NULL, "1"}});
    ck_assert_int_eq(ask(), REPORT_UNCLEAR);
    ck_assert_ptr_nonnull(strstr(why, "two definitions of billing were in force"));
    ck_assert_ptr_nonnull(strstr(why, name));
    lab_close(lab);
}
END_TEST

/* The earlier definition knows neither the window nor the key nor the figure. */
START_TEST(an_edit_that_adds_words) {
    static const char *const where[] = {"client=7"};
    struct lab *lab = lab_open(edited);
    add(lab, (struct lab_event){T0 - 20 * US_PER_S, {"AA9", NULL, "1"}});
    lab_close(lab);
    lab = lab_open("fields: {flight: , client: {type: int}, seconds: {type: int}}\n"
                   "reports:\n"
                   "  - {name: billing, by: [flight, client], windows: [1min, 5min],\n"
                   "     show: [sum(seconds), max(seconds)]}\n");
    add(lab, (struct lab_event){T0, {"AA1", "7", "30"}});
    lab_close(lab);
    words.window = "5min";
    words.partial = true; /* it is not over */
    ck_assert_msg(ask() == REPORT_DONE, "%s", why);
    ck_assert_ptr_nonnull(strstr(text.bytes, "flight=AA1 client=7"));
    words.window = "1min";
    words.where = where;
    words.wheres = 1;
    ck_assert_msg(ask() == REPORT_DONE, "%s", why);
    ck_assert_ptr_nonnull(strstr(text.bytes, "flight=AA1 client=7"));
    words.wheres = 0;
    words.top = 1;
    words.by = "max(seconds)";
    ck_assert_msg(ask() == REPORT_DONE, "%s", why);
    ck_assert_ptr_nonnull(strstr(text.bytes, "max(seconds)=30"));
}
END_TEST

START_TEST(the_list) {
    count_some();
    open_source();
    ck_assert_int_eq(source->reports->list(source, ROWS_JSON, &taker, why), REPORT_DONE);
    text_add(&text, "", 1);
    ck_assert_ptr_nonnull(strstr(text.bytes, "{\"name\":\"billing\",\"digest\":\""));
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"windows\":[\"1s\",\"1min\"],\"by\":[\"flight\","
                                             "\"client\"],\"show\":[\"sum(seconds)\",\"first\"]"));
    ck_assert_ptr_nonnull(strstr(text.bytes, "\"rows\":"));
    ck_assert_ptr_null(strstr(text.bytes, "unfit"));
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_state", rows_without_any_yaml, what_is_asked, what_there_is_not,
                a_state_without_reports, two_definitions_of_a_name, an_edit_that_adds_words,
                the_list)
