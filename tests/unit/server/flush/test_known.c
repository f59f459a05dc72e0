/* What the flush remembers of the store, and what of it goes with a name. */
#include "tests/unit/server/flush/flush_fixture.h"

#include "counters/state/state_file.h"

#define R RESOLUTION_1S /* where one resolution stands for all */

static int64_t chunk_of(enum resolution r) {
    return window_chunk(r, window_at(r, T0));
}

static struct known_chunk *put(int64_t chunk, uint64_t sent) {
    struct known_chunk *place = known_at(&flush->known, R, chunk);
    place->sent[1] = sent;
    return place;
}

/* ---- places ---- */

START_TEST(a_place_is_emptied_for_another_chunk) {
    struct known_ring *ring = &flush->known.ring[R];
    const int64_t chunk = chunk_of(R);
    struct known_chunk *place = put(chunk, 5);
    place->there = 5;
    ck_assert(place->whole); /* a new file: nothing was ever sent */
    ck_assert_ptr_eq(known_at(&flush->known, R, chunk), place);
    ck_assert_ptr_eq(known_find(&flush->known, R, chunk), place);
    ck_assert_ptr_null(known_find(&flush->known, R, chunk + ring->places));
    ck_assert_ptr_ne(known_at(&flush->known, R, chunk + 1), place);
    ck_assert_ptr_ne(known_at(&flush->known, R, chunk + ring->places - 1), place);
    ck_assert_ptr_eq(known_at(&flush->known, R, chunk + ring->places), place);
    ck_assert_ptr_null(known_find(&flush->known, R, chunk));
    ck_assert_uint_eq(known_sum(place, R) + place->there, 0);
    ck_assert(place->whole);
    ck_assert(!known_at(&flush->known, R, chunk)->whole); /* what was sent of it is forgotten */
    ck_assert_int_eq(place->highest, chunk + ring->places);
    ck_assert(!known_at(&flush->known, R, chunk + ring->places)->whole); /* and of this one */
    ck_assert(known_at(&flush->known, R, chunk + 2 * ring->places)->whole);
}
END_TEST

START_TEST(what_is_older_than_the_memory_is_not_whole) {
    flush->known.ring[R].remembered_from = chunk_of(R);
    ck_assert(!known_at(&flush->known, R, chunk_of(R) - 1)->whole);
    ck_assert(known_at(&flush->known, R, chunk_of(R))->whole);
}
END_TEST

START_TEST(what_the_file_held_ahead_is_not_whole) {
    struct known_ring *ring = &flush->known.ring[R];
    ring->remembered_from = chunk_of(R) - 1;
    ring->remembered_to = chunk_of(R);
    ring->held_to = chunk_of(R) + 5;
    for (int64_t i = -2; i <= 6; i++) { /* each has a place of its own */
        ck_assert_int_eq(known_at(&flush->known, R, chunk_of(R) + i)->whole,
                         i == -1 || i == 0 || i == 6);
    }
}
END_TEST

START_TEST(places_span_all_that_may_change) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_ring *ring = &flush->known.ring[r];
        ck_assert_int_eq(ring->back,
                         (HORIZON_US + FUTURE_US) / chunk_width_us((enum resolution)r) + 8);
        ck_assert_int_eq(ring->places, ring->back + 1);
        ck_assert_int_eq(ring->remembered_from, 0);
    }
    ck_assert_uint_eq(flush->known.generation, 1);
    struct known known = {0};
    ck_assert(known_make(&known, counters));
    ck_assert_int_eq(known.ring[R].remembered_from, INT64_MAX); /* not before it was asked */
    known_free(&known);
}
END_TEST

START_TEST(what_was_left_behind_is_joined) {
    struct known_ring ring = {0};
    known_leave_behind(&ring, -3, 20, 7);
    ck_assert_int_eq(ring.left_from, 1);
    ck_assert_int_eq(ring.own_from, 1);
    ring.left_behind = 0;
    known_leave_behind(&ring, 2, 20, 7);
    ck_assert_int_eq(ring.left_from, 2);
    ring.left_behind = ring.own_behind = 0;
    known_leave_behind(&ring, 10, 20, 8);
    ck_assert_int_eq(ring.left_from, 10);
    ck_assert_int_eq(ring.left_behind, 20);
    known_leave_behind(&ring, 12, 18, 9);
    ck_assert_int_eq(ring.left_from, 10);
    ck_assert_int_eq(ring.left_behind, 20);
    known_leave_behind(&ring, 5, 30, 10);
    ck_assert_int_eq(ring.left_from, 5);
    ck_assert_int_eq(ring.left_behind, 30);
    ck_assert_int_eq(ring.left_us, 10);
    ck_assert_int_eq(ring.own_from, 5);
    ck_assert_int_eq(ring.own_behind, 30);
    ring.own_behind = 0; /* as at the start of a run */
    known_leave_behind(&ring, 20, 25, 11);
    ck_assert_int_eq(ring.own_from, 20);
    ck_assert_int_eq(ring.own_behind, 25);
    ck_assert_int_eq(ring.left_from, 5);
    ck_assert_int_eq(ring.left_behind, 30);
}
END_TEST

START_TEST(runs_are_consecutive_chunks_of_which_something_was_sent) {
    const struct known_ring *ring = &flush->known.ring[R];
    const int64_t first = (chunk_of(R) / ring->places + 1) * ring->places; /* of place 0 */
    int64_t chunk = 99;
    ck_assert_int_eq(known_run(&flush->known, R, 0, &chunk), 1);
    ck_assert_int_eq(chunk, 0);
    put(first + 1, 1);
    put(first + 2, 1);
    put(first + 3 + ring->places, 1); /* not the next one */
    put(first + 4, 0);
    for (int64_t i = 5; i < ring->places; i++) {
        put(first + i, 1);
    }
    ck_assert_int_eq(known_run(&flush->known, R, 0, &chunk), 1);
    ck_assert_int_eq(chunk, 0);
    ck_assert_int_eq(known_run(&flush->known, R, 1, &chunk), 2);
    ck_assert_int_eq(chunk, first + 1);
    ck_assert_int_eq(known_run(&flush->known, R, 3, &chunk), 1);
    ck_assert_int_eq(chunk, first + 3 + ring->places);
    ck_assert_int_eq(known_run(&flush->known, R, 4, &chunk), 1);
    ck_assert_int_eq(chunk, 0);
    ck_assert_int_eq(known_run(&flush->known, R, 5, &chunk), ring->places - 5);
    ck_assert_int_eq(chunk, first + 5);
}
END_TEST

/* ---- what the file held ---- */

/* A file that agreed with the store: five counted, and three more read back from there. */
static void make_agreed(void) {
    count(T0, 5);
    for (int r = 0; r < RESOLUTIONS; r++) {
        shard_raise_owner(counters_readback_shard(counters), (enum resolution)r,
                          window_at((enum resolution)r, T0), 3);
    }
    ck_assert(counters_set_read_back_owner(counters));
    restart_node();
}

START_TEST(what_agreed_with_the_store_counts_as_sent) {
    make_agreed();
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_chunk *place = known_of((enum resolution)r, T0);
        ck_assert_uint_eq(sent_of((enum resolution)r, T0), 8);
        ck_assert_uint_eq(known_sum(place, (enum resolution)r), 8);
        ck_assert_uint_eq(place->total, 8);
        ck_assert(place->inherited && place->whole);
        ck_assert_int_eq(flush->known.ring[r].remembered_from, chunk_of((enum resolution)r));
    }
}
END_TEST

/* A clock that was ahead has taken one shard's part: what was read back instead is what the store
 * has, and adding it once more would double it. */
START_TEST(a_chunk_that_lost_a_part_counts_as_sent_with_the_rest) {
    make_agreed();
    fake_wall_us += counters->shard[1].ring[RESOLUTION_10MS].chunks * US_PER_S;
    count(fake_wall_us, 1);
    fake_wall_us = T0;
    counters_set_read_back_owner(counters);
    restart_node();
    const struct known_chunk *place =
        known_find(&flush->known, RESOLUTION_10MS, chunk_of(RESOLUTION_10MS));
    ck_assert_ptr_nonnull(place);
    ck_assert_uint_eq(known_sum(place, RESOLUTION_10MS), 3);
    ck_assert_uint_eq(place->total, 3);
    ck_assert(place->inherited && place->whole);
}
END_TEST

START_TEST(what_never_did_does_not) {
    count(T0, 5);
    restart_node();
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_chunk *place = known_of((enum resolution)r, T0);
        ck_assert_uint_eq(known_sum(place, (enum resolution)r), 0);
        ck_assert_uint_eq(place->total, 5);
        ck_assert(place->inherited && place->whole);
    }
}
END_TEST

START_TEST(what_is_counted_since_is_not_the_files) {
    make_agreed();
    count(T0 - US_PER_S, 1);
    ck_assert(!known_of(RESOLUTION_10MS, T0 - US_PER_S)->inherited);
    ck_assert_uint_eq(sent_of(RESOLUTION_10MS, T0 - US_PER_S), 0);
    ck_assert(!known_of(RESOLUTION_10MS, T0 - US_PER_S)->whole); /* older than what it held */
}
END_TEST

/* The reason why a flush cannot begin. */
static void must_not_start(const char *part) {
    struct known known = {0};
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert(known_make(&known, counters));
    ck_assert(!known_remember(&known, counters, why));
    known_free(&known);
    ck_assert_msg(strstr(why, part) != NULL, "%s", why);
}

static void shell(const char *format) {
    char command[4 * PATH_MAX_TEST];
    snprintf(command, sizeof command, format, state_dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(counts_that_two_would_tell_of_are_refused) {
    count(T0, 5);
    flush_free(flush);
    counters_close(counters);
    shell("cd %s && cp counters.aforo c && mv c counters.aforo");
    open_counters();
    must_not_start("copy of a state file");
    counters_close(counters);
    shell("rm %s/opened.aforo");
    open_node();
}
END_TEST

START_TEST(a_damaged_reference_is_told) {
    char why[COUNTERS_WHY_MAX] = "";
    make_agreed();
    shell("cd %s && printf damaged | dd of=opened.aforo conv=notrunc status=none");
    must_not_start("opened.aforo");
    const int64_t none[RESOLUTIONS] = {0};
    ck_assert(!known_remember_range(&flush->known, counters, none, none, why));
    ck_assert(!known_become_copy(&flush->known, counters, "other", why));
    ck_assert_uint_eq(sent_of(R, T0), 8);
    ck_assert_str_eq(counters_node_id(counters), NODE);
}
END_TEST

START_TEST(only_what_is_missing_in_a_range_is_read_once_more) {
    make_agreed();
    char why[COUNTERS_WHY_MAX] = "";
    int64_t first[RESOLUTIONS], n[RESOLUTIONS];
    static const struct {
        int64_t from, n;
        bool whole;
        uint64_t expected;
    } rows[] = {
        {0, 1, false, 5}, {-1, 2, false, 5}, {1, 9, false, 0}, {-9, 9, false, 0}, {0, 1, true, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int r = 0; r < RESOLUTIONS; r++) {
            first[r] = chunk_of((enum resolution)r) + rows[i].from;
            n[r] = rows[i].n;
            struct known_chunk *place = known_of((enum resolution)r, T0);
            memset(place->sent, 0, resolution_table[r].slots * sizeof place->sent[0]);
            place->whole = rows[i].whole;
        }
        ck_assert(known_remember_range(&flush->known, counters, first, n, why));
        for (int r = 0; r < RESOLUTIONS; r++) {
            ck_assert_uint_eq(sent_of((enum resolution)r, T0), rows[i].expected);
        }
    }
}
END_TEST

START_TEST(nothing_is_read_of_a_file_that_is_new) {
    count(T0, 5);
    restart_node();
    char why[COUNTERS_WHY_MAX] = "";
    int64_t first[RESOLUTIONS] = {0}, n[RESOLUTIONS] = {INT64_MAX, INT64_MAX, INT64_MAX};
    known_of(R, T0)->whole = false;
    ck_assert(known_remember_range(&flush->known, counters, first, n, why));
    ck_assert_uint_eq(sent_of(R, T0), 0);
}
END_TEST

/* ---- a copy ---- */

START_TEST(what_is_found_is_left_at_no_more_than_was_sent) {
    uint64_t ours[SLOTS_MAX] = {[0] = 9, [1] = 3, [2] = 4};
    const uint32_t last = resolution_table[R].slots - 1;
    struct known_chunk *place = put(chunk_of(R), 5);
    place->sent[0] = 2;
    place->sent[2] = 4;
    place->sent[3] = 8;
    place->sent[last] = 7;
    ours[last] = 1;
    known_find_left(&flush->known, R, chunk_of(R), ours);
    ck_assert(place->found);
    ck_assert_uint_eq(place->sent[0], 2);
    ck_assert_uint_eq(place->sent[1], 3);
    ck_assert_uint_eq(place->sent[2], 4);
    ck_assert_uint_eq(place->sent[3], 0);
    ck_assert_uint_eq(place->sent[last], 1);
    known_find_left(&flush->known, R, chunk_of(R) + flush->known.ring[R].places, ours);
    ck_assert_int_eq(place->chunk, chunk_of(R)); /* never heard of: nothing to leave */
}
END_TEST

START_TEST(what_is_not_found_is_left_only_where_another_has_it_all_the_same) {
    for (unsigned row = 0; row < 16; row++) {
        const bool found = row & 1, inherited = row & 2, there = row & 4, was_read_back = row & 8;
        for (int r = 0; r < RESOLUTIONS; r++) {
            struct known_chunk *place = known_of((enum resolution)r, T0);
            place->sent[resolution_table[r].slots - 1] = 5;
            place->found = found;
            place->inherited = inherited;
            place->there = there ? 5 : 0;
        }
        known_settle_left(&flush->known, was_read_back);
        for (int r = 0; r < RESOLUTIONS; r++) {
            struct known_chunk *place = known_of((enum resolution)r, T0);
            ck_assert_uint_eq(known_sum(place, (enum resolution)r),
                              found || inherited || (there && was_read_back) ? 5 : 0);
            ck_assert(!place->found);
        }
    }
}
END_TEST

START_TEST(a_copy_gives_away_what_it_sent_and_what_it_held) {
    make_agreed();
    char why[COUNTERS_WHY_MAX] = "";
    count(T0 + US_PER_MS, 2);    /* sent, together with what was there */
    count(T0 - 2 * US_PER_S, 4); /* not sent */
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct known_chunk *place = known_of((enum resolution)r, T0);
        place->sent[window_slot((enum resolution)r, window_at((enum resolution)r, T0))] = 10;
    }
    known_leave_behind(&flush->known.ring[R], 1, 2, 0);
    flush->known.ring[R].own_behind = 0; /* by the run before: it is the other server's */
    ck_assert(known_become_copy(&flush->known, counters, NODE ".00000002", why));
    ck_assert_str_eq(counters_node_id(counters), NODE ".00000002");
    ck_assert_int_eq(flush->known.ring[R].left_behind, 0);
    for (int restarts = 0; restarts < 2; restarts++) {
        /* What was opened is all of it; the read-back shard has three of those. */
        ck_assert_uint_eq(others_of(RESOLUTION_10MS, T0), 8);
        ck_assert_uint_eq(ours_of(RESOLUTION_10MS, T0), 2);
        ck_assert_uint_eq(others_of(RESOLUTION_10MS, T0 - 2 * US_PER_S), 0);
        ck_assert_uint_eq(ours_of(RESOLUTION_10MS, T0 - 2 * US_PER_S), 4);
        ck_assert_ptr_null(known_others(&flush->known, R, chunk_of(R) - 1));
        ck_assert_int_eq(flush->known.ring[R].places,
                         (HORIZON_US + FUTURE_US) / chunk_width_us(R) + 9);
        if (restarts == 0) {
            for (int64_t i = 0; i < flush->known.ring[R].places; i++) {
                ck_assert_uint_eq(known_at(&flush->known, R, chunk_of(R) + i)->total, 0);
                ck_assert(known_at(&flush->known, R, chunk_of(R) + i)->whole); /* it begins anew */
            }
            restart_node();
        }
    }
}
END_TEST

START_TEST(a_copy_of_a_copy_gives_away_both) {
    char why[COUNTERS_WHY_MAX] = "";
    count(T0, 5);
    known_of(R, T0)->sent[window_slot(R, window_at(R, T0))] = 2;
    ck_assert(known_become_copy(&flush->known, counters, NODE ".00000002", why));
    ck_assert_uint_eq(others_of(R, T0), 2);
    ck_assert_uint_eq(ours_of(R, T0), 3);
    known_of(R, T0)->sent[window_slot(R, window_at(R, T0))] = 2;
    known_of(R, T0 - 120 * US_PER_S)->sent[0] = 1;
    ck_assert(known_become_copy(&flush->known, counters, NODE ".00000003", why));
    ck_assert_uint_eq(others_of(R, T0), 4);
    ck_assert_uint_eq(ours_of(R, T0), 1);
    ck_assert_uint_eq(known_others(&flush->known, R, chunk_of(R) - 2)[0], 1);
    known_of(R, T0)->sent[window_slot(R, window_at(R, T0))] = 9; /* never below nothing */
    ck_assert(known_become_copy(&flush->known, counters, NODE ".00000004", why));
    ck_assert_uint_eq(ours_of(R, T0), 0);
}
END_TEST

START_TEST(what_others_report_was_not_sent_by_us) {
    char why[COUNTERS_WHY_MAX] = "";
    count(T0, 5);
    known_of(R, T0)->sent[window_slot(R, window_at(R, T0))] = 2;
    ck_assert(known_become_copy(&flush->known, counters, NODE ".00000002", why));
    struct known_chunk *place = known_of(R, T0);
    place->sent[window_slot(R, window_at(R, T0))] = 1;
    shard_raise_owner(counters_readback_shard(counters), R, window_at(R, T0), 4);
    known_settle(&flush->known, counters, R, place);
    ck_assert_uint_eq(sent_of(R, T0), 3); /* 1 + 4 that came from the store - 2 of theirs */
    ck_assert(place->whole);
    place->sent[window_slot(R, window_at(R, T0))] = 0;
    shard_raise_owner(counters_readback_shard(counters), R, window_at(R, T0 - US_PER_S), 1);
    known_settle(&flush->known, counters, R, place);
    ck_assert_uint_eq(sent_of(R, T0), 2);
    ck_assert_uint_eq(sent_of(R, T0 - US_PER_S), 1);
}
END_TEST

CHECK_MAIN_OF_NODE(
    "known", a_place_is_emptied_for_another_chunk, what_is_older_than_the_memory_is_not_whole,
    what_the_file_held_ahead_is_not_whole, places_span_all_that_may_change,
    what_was_left_behind_is_joined, runs_are_consecutive_chunks_of_which_something_was_sent,
    what_agreed_with_the_store_counts_as_sent,
    a_chunk_that_lost_a_part_counts_as_sent_with_the_rest, what_never_did_does_not,
    what_is_counted_since_is_not_the_files, counts_that_two_would_tell_of_are_refused,
    a_damaged_reference_is_told, only_what_is_missing_in_a_range_is_read_once_more,
    nothing_is_read_of_a_file_that_is_new, what_is_found_is_left_at_no_more_than_was_sent,
    what_is_not_found_is_left_only_where_another_has_it_all_the_same,
    a_copy_gives_away_what_it_sent_and_what_it_held, a_copy_of_a_copy_gives_away_both,
    what_others_report_was_not_sent_by_us)
