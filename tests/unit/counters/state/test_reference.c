/* What is noted beside the state file: written before the first event, kept until the store was
 * read back, each copy's own. */
#include "tests/unit/counters/state/reference_fixture.h"

/* ---- opened.aforo ---- */

START_TEST(it_is_there_before_the_first_event) {
    struct counters *counters = open_tiny();
    enum reference_kin kin = REFERENCE_AGREED;
    ck_assert(there(OPENED) && !there(OPENED ".new") &&
              !there(others_of(counters_node_id(counters))));
    const struct asked nothing = ask(counters, REFERENCE_OPENED, T0, &kin);
    ck_assert_uint_eq(nothing.chunks, 0); /* there was nothing */
    ck_assert_int_eq(kin, REFERENCE_NEW);
    count(counters, T0, 3);
    must_hold(counters, 0); /* what comes later does not change it */
    ck_assert(!counters_is_copy(counters));
    counters_close(counters);
    ck_assert(there(OPENED));
}
END_TEST

START_TEST(it_stays_as_it_is_until_the_store_was_read_back) {
    unsigned char before[BYTES_MAX], after[BYTES_MAX];
    counters_close(open_tiny());
    const size_t n = load(OPENED, before);
    for (unsigned run = 0; run < 3; run++) {
        struct counters *counters = open_tiny();
        count(counters, T0, 5);
        must_hold(counters, 0);
        counters_close(counters);
        ck_assert_uint_eq(load(OPENED, after), n);
        ck_assert_mem_eq(before, after, n);
    }
    struct counters *counters = open_tiny();
    ck_assert(counters_set_read_back_owner(counters));
    ck_assert(!there(OPENED));
    must_hold(counters, 0); /* none is as good as an empty one */
    counters_close(counters);
    ck_assert(!there(OPENED));
    enum reference_kin kin = REFERENCE_NEW;
    counters = open_tiny(); /* the next run notes what there is now */
    must_hold(counters, 15);
    ask(counters, REFERENCE_OPENED, T0, &kin);
    ck_assert_int_eq(kin, REFERENCE_AGREED);
    count(counters, T0, 1);
    counters_close(counters);
    counters = open_tiny();
    must_hold(counters, 15);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 16);
    counters_close(counters);
}
END_TEST

START_TEST(what_was_read_back_is_not_in_it) {
    struct counters *counters = open_tiny();
    count(counters, T0, 4);
    for (int r = 0; r < RESOLUTIONS; r++) {
        shard_raise_owner(counters_readback_shard(counters), (enum resolution)r,
                          window_at((enum resolution)r, T0), 90);
    }
    ck_assert(counters_set_read_back_owner(counters));
    counters_close(counters);
    counters = open_tiny();
    must_hold(counters, 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 94);
    counters_close(counters);
}
END_TEST

START_TEST(a_reader_writes_none) {
    char why[COUNTERS_WHY_MAX] = "", path[PATH_MAX_TEST];
    counters_close(open_tiny());
    state_path(OPENED, path);
    ck_assert_int_eq(unlink(path), 0);
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    counters_close(reader);
    ck_assert(!there(OPENED));
}
END_TEST

static enum reference_kin kin_of(const struct counters *counters) {
    char why[COUNTERS_WHY_MAX] = "";
    enum reference_kin kin = REFERENCE_AGREED;
    ck_assert_msg(counters_find_reference(counters, REFERENCE_OPENED, &kin, why), "%s", why);
    return kin;
}

/* A copied directory brings its note along: that is of another file, and this one gets its own. */
START_TEST(a_copied_directory_gets_its_own) {
    char original[sizeof state_dir], copy[PATH_MAX_TEST];
    struct counters *counters = open_tiny();
    count(counters, T0, 7);
    counters_close(counters);
    snprintf(original, sizeof original, "%s", state_dir);
    snprintf(copy, sizeof copy, "%s-copy", state_dir);
    shell("cp -rp %s %s", original, copy);
    snprintf(state_dir, sizeof state_dir, "%.60s", copy);
    counters = open_tiny();
    must_hold(counters, 7);
    ck_assert_int_eq(kin_of(counters), REFERENCE_INHERITED); /* which of the two sends the 7? */
    counters_close(counters);
    state_dir_remove();
    snprintf(state_dir, sizeof state_dir, "%s", original);
    counters = open_tiny(); /* the original has its own still */
    must_hold(counters, 0);
    ck_assert_int_eq(kin_of(counters), REFERENCE_NEW);
    counters_close(counters);
}
END_TEST

START_TEST(a_copied_file_gets_its_own) {
    struct counters *counters = open_tiny();
    count(counters, T0, 7);
    counters_close(counters);
    ck_assert(there(OPENED));
    shell("cp -p %s/counters.aforo %s/copied", state_dir, state_dir);
    shell("mv %s/copied %s/counters.aforo", state_dir, state_dir);
    counters = open_tiny();
    must_hold(counters, 7);
    counters_close(counters);
}
END_TEST

/* ---- a copy ---- */

static uint64_t random_state;

struct records {
    int64_t chunk[30];
    uint64_t count[30][SLOTS_MAX];
    unsigned n, next, found;
};

static bool next_record(void *cls, enum resolution *r, int64_t *chunk, uint64_t *of) {
    struct records *records = cls;
    if (records->next == records->n) {
        return false;
    }
    *r = (enum resolution)(records->next % RESOLUTIONS);
    *chunk = records->chunk[records->next];
    memcpy(of, records->count[records->next++], resolution_table[*r].slots * sizeof *of);
    return true;
}

static void compare_record(void *cls, enum resolution r, int64_t chunk, const uint64_t *of) {
    struct records *records = cls;
    ck_assert_uint_lt(records->found, records->n);
    ck_assert_int_eq(r, (enum resolution)(records->found % RESOLUTIONS));
    ck_assert_int_eq(chunk, records->chunk[records->found]);
    ck_assert_mem_eq(of, records->count[records->found], resolution_table[r].slots * sizeof *of);
    records->found++;
}

static void make_records(struct records *records, unsigned n) {
    *records = (struct records){.n = n};
    for (unsigned i = 0; i < n; i++) {
        records->chunk[i] = (int64_t)(next_random(&random_state) % 1000000000);
        for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
            records->count[i][slot] = next_random(&random_state) >> next_random(&random_state) % 64;
        }
    }
}

static void become(struct counters *counters, const char *node, struct records *records) {
    char why[COUNTERS_WHY_MAX] = "", before[COUNTERS_NODE_MAX];
    records->next = records->found = 0;
    snprintf(before, sizeof before, "%s", counters_node_id(counters));
    ck_assert_msg(counters_become_copy_owner(counters, node, next_record, records, why), "%s", why);
    ck_assert_str_eq(counters_node_id(counters), node);
    ck_assert(counters_is_copy(counters));
    ck_assert(there(others_of(node)) && !there(OPENED));
    ck_assert(strcmp(before, node) == 0 || !there(others_of(before)));
}

static void must_hold_records(const struct counters *counters, struct records *records) {
    char why[COUNTERS_WHY_MAX] = "";
    records->found = 0;
    ck_assert_msg(counters_read_reference(counters, REFERENCE_OTHERS, compare_record, records, why),
                  "%s", why);
    ck_assert_uint_eq(records->found, records->n);
}

START_TEST(a_copy_has_its_name_and_what_others_report_for_good) {
    static struct records records;
    struct counters_config config = tiny_config(1);
    config.node_id = "n1";
    for (unsigned n = 0; n <= 30; n += 15) { /* none is as good as some */
        struct counters *counters = open_or_fail(&config);
        make_records(&records, n);
        become(counters, "n1.0123abcd", &records);
        must_hold_records(counters, &records);
        counters_close(counters);
        counters = open_or_fail(&config); /* asked for by the name it had: it is that one's copy */
        ck_assert_str_eq(counters_node_id(counters), "n1.0123abcd");
        ck_assert(counters_is_copy(counters) && counters->header.read_back != 0);
        must_hold_records(counters, &records);
        counters_close(counters);
    }
    config.node_id = "n2";
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert_ptr_null(counters_open(&config, NULL, why));
    ck_assert_msg(strstr(why, "n1.0123abcd") && strstr(why, "n2"), "%s", why);
}
END_TEST

/* What goes with a copy that `aforo backup` makes of a copy. */
START_TEST(a_backup_has_what_others_report) {
    static struct records records;
    char original[sizeof state_dir], to[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    make_records(&records, 6);
    struct counters *counters = open_tiny();
    become(counters, "n1.0123abcd", &records);
    counters_close(counters);
    snprintf(original, sizeof original, "%s", state_dir);
    snprintf(to, sizeof to, "%s/backup", state_dir);
    shell("mkdir -p %s/%s", to, others_of("n1.0123abcd")); /* in the way */
    ck_assert(!counters_backup(state_dir, to, why));
    ck_assert_msg(strstr(why, others_of("n1.0123abcd")) && strstr(why, "cannot be copied"), "%s",
                  why);
    shell("rmdir %s/%s", to, others_of("n1.0123abcd"));
    ck_assert_msg(counters_backup(state_dir, to, why), "%s", why);
    snprintf(state_dir, sizeof state_dir, "%.60s", to);
    counters = open_tiny();
    ck_assert(counters_is_copy(counters));
    must_hold_records(counters, &records);
    counters_close(counters);
    snprintf(state_dir, sizeof state_dir, "%s", original);
}
END_TEST

/* An earlier name stays readable for who holds on to it; there is an end to how many. */
START_TEST(names_change_a_few_times) {
    static struct records records;
    make_records(&records, 3);
    struct counters *counters = open_tiny();
    const char *first = counters_node_id(counters);
    char before[COUNTERS_NODE_MAX], node[COUNTERS_NODE_MAX], why[COUNTERS_WHY_MAX] = "";
    snprintf(before, sizeof before, "%s", first);
    for (int i = 1; i < COUNTERS_NAMES_MAX; i++) {
        snprintf(node, sizeof node, "copy.%08x", (unsigned)i);
        become(counters, node, &records);
        ck_assert_str_eq(first, before);
    }
    records.next = 0;
    ck_assert(!counters_become_copy_owner(counters, "one.too-many", next_record, &records, why));
    ck_assert_msg(strstr(why, "start again"), "%s", why);
    ck_assert_str_eq(counters_node_id(counters), node);
    ck_assert(counters_is_copy(counters)); /* nothing has changed */
    must_hold_records(counters, &records);
    counters_close(counters);
}
END_TEST

/* A crash after the file of the new name, and before the state file has that name: all is what it
 * was. */
START_TEST(others_of_another_name_are_not_ours) {
    static struct records records;
    make_records(&records, 6);
    struct counters *counters = open_tiny();
    count(counters, T0, 2);
    counters_close(counters);
    shell("cp %s/counters.aforo %s/before", state_dir, state_dir);
    counters = open_tiny();
    become(counters, "n1.0123abcd", &records);
    counters_close(counters);
    shell("mv %s/before %s/counters.aforo", state_dir, state_dir);
    counters = open_tiny();
    ck_assert(!counters_is_copy(counters));
    ck_assert_uint_eq(ask(counters, REFERENCE_OTHERS, T0, NULL).chunks, 0);
    must_hold(counters, 2);
    counters_close(counters);
}
END_TEST

START_TEST(a_crash_while_a_copy_takes_another_name_leaves_what_the_old_one_had) {
    static struct records records, more;
    make_records(&records, 6);
    make_records(&more, 9);
    struct counters *counters = open_tiny();
    become(counters, "n1.0123abcd", &records);
    counters_close(counters);
    shell("cd %s && mkdir before && cp *.aforo before", state_dir, "");
    counters = open_tiny();
    become(counters, "n1.4567cdef", &more);
    counters_close(counters);
    shell("cd %s && mv before/* .", state_dir,
          ""); /* as if neither the name nor the old file had been changed yet */
    counters = open_tiny();
    ck_assert_str_eq(counters_node_id(counters), "n1.0123abcd");
    must_hold_records(counters, &records);
    counters_close(counters);
    shell("rmdir %s/before", state_dir, "");
}
END_TEST

/* An older copy that is written over the file keeps its inode and its birth. */
START_TEST(an_older_copy_put_in_place_is_another_file) {
    struct counters *counters = open_tiny();
    count(counters, T0, 4);
    ck_assert(counters_set_read_back_owner(counters));
    counters_close(counters);
    shell("cp %s/counters.aforo %s/before", state_dir, state_dir);
    counters = open_tiny();
    count(counters, T0, 6);
    counters_close(counters);
    shell("rm %s/opened.aforo", state_dir, "");
    counters = open_tiny();
    must_hold(counters, 10);
    counters_close(counters);
    shell("cat %s/before > %s/counters.aforo", state_dir, state_dir);
    counters = open_tiny();
    must_hold(counters, 4);
    count(counters, T0, 1);
    counters_close(counters);
    counters = open_tiny();
    must_hold(counters, 4);
    counters_close(counters);
    shell("rm %s/before", state_dir, "");
}
END_TEST

START_TEST(damaged_others_are_told) {
    static unsigned char whole[BYTES_MAX];
    static struct records records;
    make_records(&records, 6);
    struct counters *counters = open_tiny();
    become(counters, "n1.0123abcd", &records);
    const size_t n = load(others_of("n1.0123abcd"), whole);
    char why[COUNTERS_WHY_MAX] = "";
    whole[n / 2] ^= 1;
    store(others_of("n1.0123abcd"), whole, n);
    struct asked asked = {0};
    ck_assert(!counters_read_reference(counters, REFERENCE_OTHERS, look, &asked, why));
    ck_assert_msg(strstr(why, state_dir) && strstr(why, others_of("n1.0123abcd")) &&
                      strstr(why, "damaged"),
                  "%s", why);
    ck_assert_uint_eq(asked.chunks, 0); /* nothing of it was believed */
    counters_close(counters);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, state_dir_make, state_dir_remove}), "reference",
                it_is_there_before_the_first_event, it_stays_as_it_is_until_the_store_was_read_back,
                what_was_read_back_is_not_in_it, a_reader_writes_none,
                a_copied_directory_gets_its_own, a_copied_file_gets_its_own,
                a_copy_has_its_name_and_what_others_report_for_good,
                a_backup_has_what_others_report, names_change_a_few_times,
                others_of_another_name_are_not_ours,
                a_crash_while_a_copy_takes_another_name_leaves_what_the_old_one_had,
                an_older_copy_put_in_place_is_another_file, damaged_others_are_told)
