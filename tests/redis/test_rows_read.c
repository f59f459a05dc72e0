/* What readers, the read-back and the audit find of rows. */
#include "tests/redis/rows_lab.h"

#include <stdlib.h>

/* What was read: the values of one component of each row, by the row's key. */
struct read_rows {
    unsigned rows, blobs;
    int64_t count, sum, least, most;
    size_t hll_len;
    char keys[256], bytes[64];
    uint64_t part_sum, events;
};

static void note_row(struct read_rows *read, const struct rows_row *row) {
    read->rows++;
    read->events += row->count;
    strncat(read->keys, row->key, row->key_len < 40 ? row->key_len : 40);
    strcat(read->keys, ";");
    for (size_t i = 0; i < row->n; i++) {
        const struct rows_component *component = &row->component[i];
        if (strcmp(component->name, "count") == 0) {
            ck_assert_int_eq(component->rule, ROWS_ADD);
            read->count += component->value;
        } else if (strcmp(component->name, "sum(seconds)") == 0) {
            read->sum += component->value;
        } else if (component->rule == ROWS_MIN) {
            read->least = component->value;
        } else if (component->rule == ROWS_MAX) {
            read->most = component->value;
        } else if (component->rule == ROWS_HLL) {
            read->hll_len = component->len;
        } else if (component->rule == ROWS_BLOB) {
            read->blobs++;
            strncat(read->bytes, (const char *)component->bytes, component->len);
        }
    }
}

static bool take_total(void *cls, const struct rows_place *at, const struct rows_row *row) {
    ck_assert_int_eq(at->window, MINUTE);
    note_row(cls, row);
    return true;
}

static void take_part(void *cls, const struct rows_place *at, const struct rows_row *row) {
    ck_assert_int_eq(at->window, MINUTE);
    note_row(cls, row);
}

static void take_sum(void *cls, const struct rows_place *at, uint64_t sum) {
    ck_assert_int_eq(at->window, MINUTE);
    ((struct read_rows *)cls)->part_sum += sum;
}

static void read_totals(struct read_rows *read) {
    struct link *link = connect_link();
    struct rows_place first = place;
    bool there[3];
    memset(read, 0, sizeof *read);
    first.window--;
    ck_assert(rows_reader_find(link, &first, 3, there, store_why));
    ck_assert(!there[0] && there[1] && !there[2]);
    for (int i = 0; i < 3; i++, first.window++) {
        ck_assert_msg(rows_reader_read_window(link, &first, &(struct rows_taker){take_total, read},
                                              store_why),
                      "%s", store_why);
    }
    link_free(link);
}

static void read_back(struct store *store, struct read_rows *read) {
    struct store_rows_range range = {place, 3};
    memset(read, 0, sizeof *read);
    range.first.window--;
    ck_assert_msg(store->ops->read_back_rows(store, &range,
                                             &(struct store_rows_taker){take_part, take_sum, read},
                                             store_why),
                  "%s", store_why);
}

START_TEST(totals_and_parts_are_read) {
    static unsigned char hll[12400];
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    struct read_rows read;
    struct plain_row row;
    make_row(&row, "AA1", 5, -3, 40);
    had_row(one, &row.row);
    make_row(&row, "AA1", 30, 2, 50);
    had_row(two, &row.row);
    make_row(&row, "AA2", 4, -1, 7);
    had_row(two, &row.row);
    struct rows_component component[] = {{"count", ROWS_ADD, 2, NULL, 0},
                                         {"distinct(client)", ROWS_HLL, 0, hll, 0},
                                         {"ewma(60s)", ROWS_BLOB, 0, (void *)"ab", 2}};
    const struct rows_row rich = {"", 0, 2, 3, component};
    component[1].len = make_hll(0, 5, hll, sizeof hll);
    had_row(one, &rich);
    component[2].bytes = (const void *)"cd";
    had_row(two, &rich);
    had_row(one, &rich); /* no more events: what is there stays */

    read_totals(&read);
    ck_assert_uint_eq(read.rows, 3);
    ck_assert_str_eq(read.keys, "AA1;AA2;;");
    ck_assert_int_eq(read.count, 43);
    ck_assert_int_eq(read.sum, 390);
    ck_assert_int_eq(read.most, 7); /* of the row that came last */
    ck_assert_uint_gt(read.hll_len, 16);
    ck_assert_uint_eq(read.blobs, 2);
    ck_assert_str_eq(read.bytes, "abcd");

    read_back(one, &read);
    ck_assert_str_eq(read.keys, "AA1;;");
    ck_assert_int_eq(read.count, 7);
    ck_assert_uint_eq(read.events, 7);
    ck_assert_uint_eq(read.part_sum, 7);
    ck_assert_int_eq(read.least, -3); /* of all nodes */
    ck_assert_int_eq(read.most, 50);
    ck_assert_uint_gt(read.hll_len, 16);
    ck_assert_str_eq(read.bytes, "ab");
    struct store *three = ready_store(url, "n3", TIMEOUT_MS);
    read_back(three, &read);
    ck_assert_uint_eq(read.rows + read.part_sum, 0);
    one->ops->close(one);
    two->ops->close(two);
    three->ops->close(three);
}
END_TEST

static bool note_report(void *cls, const char *report, const char *definition, size_t len) {
    snprintf(cls, 256, "%s=%.*s", report, (int)len, definition);
    return true;
}

START_TEST(reports_are_listed_with_their_definitions) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct link *link = connect_link();
    char seen[256] = "";
    const struct store_report report = {REPORT, "name: billing\n", 14, "1min 60000000 86400\n"};
    ck_assert(rows_reader_list(link, &(struct rows_report_taker){note_report, seen}, store_why));
    ck_assert_str_eq(seen, "");
    ck_assert_msg(store->ops->tell_report(store, &report, store_why), "%s", store_why);
    ck_assert(rows_reader_list(link, &(struct rows_report_taker){note_report, seen}, store_why));
    ck_assert_str_eq(seen, REPORT "=name: billing\n");
    link_free(link);
    store->ops->close(store);
}
END_TEST

START_TEST(what_is_no_value_is_an_error_that_names_its_key) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct plain_row row;
    struct read_rows read = {0};
    struct link *link = connect_link();
    make_row(&row, "AA2", 6, 1, 1);
    had_row(store, &row.row);
    lab_do(&server, "HSET " WINDOW " %b much", "AA2" US "sum(seconds)",
           sizeof "AA2" US "sum(seconds)" - 1);
    ck_assert(
        !rows_reader_read_window(link, &place, &(struct rows_taker){take_total, &read}, store_why));
    ck_assert_msg(strstr(store_why, WINDOW), "%s", store_why);
    lab_do(&server, "HSET " WINDOW " keys 2");
    ck_assert(
        !rows_reader_read_window(link, &place, &(struct rows_taker){take_total, &read}, store_why));
    ck_assert_msg(strstr(store_why, "none of a report"), "%s", store_why);
    ck_assert(link_connected(link));
    link_free(link);
    store->ops->close(store);
}
END_TEST

START_TEST(a_list_of_nodes_that_is_none_is_an_error) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct rows_component component[] = {{"count", ROWS_ADD, 2, NULL, 0},
                                               {"ewma(60s)", ROWS_BLOB, 0, (void *)"ab", 2}};
    const struct rows_row row = {"AA1", 3, 2, 2, component};
    struct read_rows read = {0};
    struct link *link = connect_link();
    had_row(store, &row);
    lab_do(&server, "HSET " WINDOW " nodes n1");
    ck_assert(
        !rows_reader_read_window(link, &place, &(struct rows_taker){take_total, &read}, store_why));
    ck_assert_msg(strstr(store_why, "none of a report"), "%s", store_why);
    link_free(link);
    store->ops->close(store);
}
END_TEST

/* ---- more rows than go out at once ---- */

#define MANY 8000
#define MANY_AT_ONCE 250

/* How often each row came, whose key is its number. */
struct counted_rows {
    unsigned rows, most;
    unsigned char times[MANY];
};

static bool count_row(void *cls, const struct rows_place *at, const struct rows_row *row) {
    struct counted_rows *counted = cls;
    char key[8] = "";
    memcpy(key, row->key, row->key_len);
    const int number = atoi(key);
    ck_assert(at->window == MINUTE && row->key_len == 4 && number >= 0 && number < MANY);
    ck_assert(row->n == 4 && row->component[0].value == number + 1);
    ck_assert_int_eq(row->component[3].value, 2 * number);
    counted->times[number]++;
    return ++counted->rows != counted->most;
}

static void send_many(struct store *store) {
    static struct plain_row row[MANY_AT_ONCE];
    struct rows_row rows[MANY_AT_ONCE];
    for (int from = 0; from < MANY; from += MANY_AT_ONCE) {
        for (int i = 0; i < MANY_AT_ONCE; i++) {
            char key[32];
            snprintf(key, sizeof key, "%04d", from + i);
            make_row(&row[i], key, from + i + 1, 1, 2 * (from + i));
            rows[i] = row[i].row;
        }
        ck_assert_int_eq(send_at(store, 0, rows, MANY_AT_ONCE).outcome, STORE_STORED);
    }
}

static void must_find_all(struct link *link) {
    static struct counted_rows counted;
    counted = (struct counted_rows){0};
    const bool ok =
        rows_reader_read_window(link, &place, &(struct rows_taker){count_row, &counted}, store_why);
    ck_assert_msg(ok, "%s", store_why);
    ck_assert_uint_eq(counted.rows, MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_uint_eq(counted.times[i], 1);
    }
}

START_TEST(rows_of_many_pipelines_come_once_each_also_after_one_that_was_not_wanted_whole) {
    static struct counted_rows counted;
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct link *link = connect_link();
    send_many(store);
    must_find_all(link);
    counted = (struct counted_rows){.most = 1000};
    ck_assert(!rows_reader_read_window(link, &place, &(struct rows_taker){count_row, &counted},
                                       store_why));
    ck_assert_str_eq(store_why, "");
    ck_assert_uint_eq(counted.rows, 1000);
    ck_assert(!link_pending(link));
    must_find_all(link);
    lab_do(&server, "HSET " WINDOW " %b much", "4321" US "max(ms)", sizeof "4321" US "max(ms)" - 1);
    counted = (struct counted_rows){0};
    ck_assert(!rows_reader_read_window(link, &place, &(struct rows_taker){count_row, &counted},
                                       store_why));
    ck_assert_msg(strstr(store_why, "none of a report"), "%s", store_why);
    ck_assert(link_connected(link) && !link_pending(link));
    link_free(link);
    store->ops->close(store);
}
END_TEST

/* What came of each of some windows. */
struct seen_windows {
    const struct rows_place *place;
    unsigned rows[4], hlls[4], blobs[4];
    int64_t count[4];
};

static bool see_row(void *cls, const struct rows_place *at, const struct rows_row *row) {
    struct seen_windows *seen = cls;
    const size_t i = (size_t)(at - seen->place);
    ck_assert_uint_lt(i, 4);
    seen->rows[i]++;
    for (size_t c = 0; c < row->n; c++) {
        const struct rows_component *component = &row->component[c];
        seen->count[i] += strcmp(component->name, "count") == 0 ? component->value : 0;
        seen->hlls[i] += component->rule == ROWS_HLL && component->len > 16;
        seen->blobs[i] += component->rule == ROWS_BLOB && component->len == 2;
    }
    return true;
}

START_TEST(windows_that_are_read_together_keep_their_rows_apart) {
    static unsigned char hll[12400];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct link *link = connect_link();
    struct rows_place places[4] = {place, place, place, place};
    struct seen_windows seen = {.place = places};
    struct rows_component component[] = {{"count", ROWS_ADD, 2, NULL, 0},
                                         {"distinct(client)", ROWS_HLL, 0, hll, 0},
                                         {"ewma(60s)", ROWS_BLOB, 0, (void *)"ab", 2}};
    component[1].len = make_hll(0, 5, hll, sizeof hll);
    for (int i = 0; i < 4; i++) { /* numbers alone, bytes too, nothing, numbers alone */
        const struct rows_row rows[] = {{"AA1", 3, 2, i == 1 ? 3 : 1, component},
                                        {"AA2", 3, 2, i == 1 ? 3 : 1, component}};
        struct store_ack ack;
        places[i].window += i;
        const struct store_rows sent = {places[i], 0, KEEP_S, 2, rows};
        ck_assert(i == 2 || store->ops->send_rows(store, &sent, &ack, store_why));
    }
    ck_assert_msg(
        rows_reader_read_windows(link, places, 4, &(struct rows_taker){see_row, &seen}, store_why),
        "%s", store_why);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(seen.rows[i], i == 2 ? 0 : 2);
        ck_assert_int_eq(seen.count[i], 2 * seen.rows[i]);
        ck_assert_uint_eq(seen.hlls[i], i == 1 ? 2 : 0);
        ck_assert_uint_eq(seen.blobs[i], i == 1 ? 2 : 0);
    }
    link_free(link);
    store->ops->close(store);
}
END_TEST

/* ---- audited ---- */

static void must_find(const char *what) {
    char finding[AUDIT_SENTENCE_MAX];
    audit(finding);
    ck_assert_msg(strstr(finding, what) && strstr(finding, WINDOW), "%s", finding);
}

START_TEST(the_audit_finds_what_is_wrong) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct plain_row row;
    make_row(&row, "AA1", 5, -3, 40);
    must_be_sound(); /* nothing is there */
    had_row(store, &row.row);
    must_be_sound();
    lab_do(&server, "HINCRBY " WINDOW " %b 1", "AA1" US "count", sizeof "AA1" US "count" - 1);
    must_find("count of AA1: differs from the sum of its parts by 1");
    lab_do(&server, "HINCRBY " WINDOW " %b -1", "AA1" US "count", sizeof "AA1" US "count" - 1);
    must_be_sound();
    lab_do(&server, "HSET " WINDOW " n:n1 %s", "7 6");
    must_find("events of n1: differs from the sum of its parts by 1");
    lab_do(&server, "HSET " WINDOW " n:n1 %s", "7 5");
    lab_do(&server, "HSET " WINDOW " until 5");
    must_find("until is not what it should be");
    lab_do(&server, "HSET " WINDOW " until %lld",
           (long long)rows_until_s(place.width_us, place.window));
    lab_do(&server, "HSET " WINDOW " stranger 5");
    must_find("field 'stranger' is none of aforo's");
    lab_do(&server, "HDEL " WINDOW " stranger");
    must_be_sound();
    lab_do(&server, "HSET " WINDOW " %b 1", "AA1" US "avg2", sizeof "AA1" US "avg2" - 1);
    must_find("is of no component");
    store->ops->close(store);
}
END_TEST

/* More elements than hiredis takes in one answer. */
START_TEST(the_audit_reads_large_windows) {
    enum { AT_ONCE = 100, CALLS = 80 };
    static struct plain_row row[AT_ONCE];
    struct rows_row rows[AT_ONCE];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    for (int call = 0; call < CALLS; call++) {
        for (int i = 0; i < AT_ONCE; i++) {
            char key[32];
            snprintf(key, sizeof key, "key-%d", call * AT_ONCE + i);
            make_row(&row[i], key, i + 1, i, i);
            rows[i] = row[i].row;
        }
        ck_assert_int_eq(send_at(store, 0, rows, AT_ONCE).outcome, STORE_STORED);
    }
    ck_assert_int_gt(lab_number(&server, "HLEN " WINDOW), 1 << 15);
    must_be_sound();
    lab_do(&server, "HINCRBY " WINDOW " %b 3", "key-7777" US "count",
           sizeof "key-7777" US "count" - 1);
    must_find("count of key-7777: differs from the sum of its parts by 3");
    store->ops->close(store);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        totals_and_parts_are_read,
        reports_are_listed_with_their_definitions,
        what_is_no_value_is_an_error_that_names_its_key,
        a_list_of_nodes_that_is_none_is_an_error,
        rows_of_many_pipelines_come_once_each_also_after_one_that_was_not_wanted_whole,
        windows_that_are_read_together_keep_their_rows_apart,
        the_audit_finds_what_is_wrong,
        the_audit_reads_large_windows};
    return one_server_run("redis/rows_read", tests, sizeof tests / sizeof *tests);
}
