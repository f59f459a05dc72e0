/* What readers, the read-back and the audit find of rows. */
#include "tests/redis/rows_lab.h"

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
                                         {"top(route)", ROWS_BLOB, 0, (void *)"ab", 2}};
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
    const TTest *const tests[] = {totals_and_parts_are_read,
                                  reports_are_listed_with_their_definitions,
                                  what_is_no_value_is_an_error_that_names_its_key,
                                  the_audit_finds_what_is_wrong, the_audit_reads_large_windows};
    return one_server_run("redis/rows_read", tests, sizeof tests / sizeof *tests);
}
