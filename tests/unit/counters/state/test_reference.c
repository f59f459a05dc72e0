/* What is noted beside the state file: written before the first event, kept until the store was
 * read back, each copy's own. */
#include "counters/state/reference.h"

#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OPENED "opened.aforo"
#define BYTES_MAX (64 * 1024)

static const char *others_of(const char *node) {
    static char name[COUNTERS_NODE_MAX + 24];
    snprintf(name, sizeof name, "others-%s.aforo", node);
    return name;
}

static bool there(const char *name) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    return access(path, F_OK) == 0;
}

static void shell(const char *format, const char *a, const char *b) {
    char command[4 * PATH_MAX_TEST];
    snprintf(command, sizeof command, format, a, b);
    ck_assert_int_eq(system(command), 0);
}

static size_t load(const char *name, unsigned char *bytes) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    const size_t n = fread(bytes, 1, BYTES_MAX, file);
    fclose(file);
    ck_assert_uint_gt(n, 0);
    return n;
}

static void store(const char *name, const unsigned char *bytes, size_t n) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

static void count(struct counters *counters, int64_t us, unsigned times) {
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, us);
    for (unsigned i = 0; i < times; i++) {
        ck_assert_int_eq(shard_add_owner(shard, us), SHARD_COUNTED);
    }
}

static struct counters *open_tiny(void) {
    const struct counters_config config = tiny_config(1);
    return open_or_fail(&config);
}

/* What a reference says of the window of a moment, and in all. */
struct asked {
    int64_t us;
    uint64_t at[RESOLUTIONS], all[RESOLUTIONS];
    unsigned chunks;
};

static void look(void *cls, enum resolution r, int64_t chunk, const uint64_t *of) {
    struct asked *asked = cls;
    asked->chunks++;
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        asked->all[r] += of[slot];
        if (chunk_first_window(r, chunk) + slot == window_at(r, asked->us)) {
            asked->at[r] = of[slot];
        }
    }
}

static struct asked ask(const struct counters *counters, enum reference which, int64_t us,
                        enum reference_kin *kin) {
    struct asked asked = {.us = us};
    char why[COUNTERS_WHY_MAX] = "";
    enum reference_kin ignored;
    ck_assert_msg(counters_find_reference(counters, which, kin ? kin : &ignored, why), "%s", why);
    ck_assert_msg(counters_read_reference(counters, which, look, &asked, why), "%s", why);
    return asked;
}

static void must_hold(const struct counters *counters, uint64_t expected) {
    const struct asked asked = ask(counters, REFERENCE_OPENED, T0, NULL);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(asked.at[r], expected);
        ck_assert_uint_eq(asked.all[r], expected);
    }
    ck_assert_uint_eq(asked.chunks, expected ? RESOLUTIONS : 0);
}

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
    counters_close(counters);
    state_dir_remove();
    snprintf(state_dir, sizeof state_dir, "%s", original);
    counters = open_tiny(); /* the original has its own still */
    must_hold(counters, 0);
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

START_TEST(it_holds_all_resolutions_and_large_counts) {
    struct counters *counters = open_tiny();
    const uint64_t many = (UINT64_C(1) << 53) - 1;
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0);
    for (int r = 0; r < RESOLUTIONS; r++) { /* the worker's own: only the test may raise it */
        shard_raise_owner(shard, (enum resolution)r, window_at((enum resolution)r, T0), many);
    }
    ck_assert(counters_set_read_back_owner(counters));
    counters_close(counters);
    counters = open_tiny();
    must_hold(counters, many);
    counters_close(counters);
}
END_TEST

/* ---- damage ---- */

static void must_refuse(const char *name, const char *word) {
    const struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "", path[PATH_MAX_TEST];
    state_path(name, path);
    struct counters *counters = counters_open(&config, NULL, why);
    DEMAND(counters == NULL, "it was taken");
    DEMAND(strstr(why, path) && strstr(why, word) && !strchr(why, '\n'),
           "\"%s\" does not say %s and %s", why, path, word);
}

START_TEST(a_damaged_one_is_refused_and_may_be_moved_away) {
    static unsigned char whole[BYTES_MAX];
    struct counters *counters = open_tiny();
    count(counters, T0, 300);
    ck_assert(counters_set_read_back_owner(counters));
    counters_close(counters);
    counters_close(open_tiny());
    const size_t n = load(OPENED, whole);
    for (size_t bit = 0; bit < 8 * n; bit += bit < 200 ? 1 : 7) {
        whole[bit / 8] ^= (unsigned char)(1 << bit % 8);
        store(OPENED, whole, n);
        must_refuse(OPENED, "move it away");
        whole[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut += cut < 150 ? 1 : 7) {
        store(OPENED, whole, cut);
        must_refuse(OPENED, "move it away");
    }
    memset(whole + n, 0, 8);
    store(OPENED, whole, n + 8);
    must_refuse(OPENED, "move it away");
    char path[PATH_MAX_TEST];
    state_path(OPENED, path);
    ck_assert_int_eq(unlink(path), 0);
    counters = open_tiny();
    must_hold(counters, 300);
    counters_close(counters);
}
END_TEST

START_TEST(something_else_of_that_name_is_refused) {
    char path[PATH_MAX_TEST];
    counters_close(open_tiny());
    state_path(OPENED, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    must_refuse(OPENED, "cannot be read");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* nobody writes: opening it must not wait */
    must_refuse(OPENED, "cannot be read");
    ck_assert_int_eq(unlink(path), 0);
    state_path(OPENED ".new", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    must_refuse(OPENED, "cannot write");
    ck_assert_int_eq(rmdir(path), 0);
    counters_close(open_tiny());
    ck_assert(there(OPENED));
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
        ck_assert(counters_is_copy(counters) && counters_was_read_back(counters));
        must_hold_records(counters, &records);
        counters_close(counters);
    }
    config.node_id = "n2";
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert_ptr_null(counters_open(&config, NULL, why));
    ck_assert_msg(strstr(why, "n1.0123abcd") && strstr(why, "n2"), "%s", why);
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

int main(void) {
    Suite *suite = suite_create("reference");
    TCase *tcase = tcase_create("reference");
    tcase_add_checked_fixture(tcase, state_dir_make, state_dir_remove);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, it_is_there_before_the_first_event);
    tcase_add_test(tcase, it_stays_as_it_is_until_the_store_was_read_back);
    tcase_add_test(tcase, what_was_read_back_is_not_in_it);
    tcase_add_test(tcase, a_reader_writes_none);
    tcase_add_test(tcase, a_copied_directory_gets_its_own);
    tcase_add_test(tcase, a_copied_file_gets_its_own);
    tcase_add_test(tcase, it_holds_all_resolutions_and_large_counts);
    tcase_add_test(tcase, a_damaged_one_is_refused_and_may_be_moved_away);
    tcase_add_test(tcase, something_else_of_that_name_is_refused);
    tcase_add_test(tcase, a_copy_has_its_name_and_what_others_report_for_good);
    tcase_add_test(tcase, names_change_a_few_times);
    tcase_add_test(tcase, others_of_another_name_are_not_ours);
    tcase_add_test(tcase, a_crash_while_a_copy_takes_another_name_leaves_what_the_old_one_had);
    tcase_add_test(tcase, an_older_copy_put_in_place_is_another_file);
    tcase_add_test(tcase, damaged_others_are_told);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
