/* What is read by a layout that was learnt is what the plain parser says, in both its variants. */
#include "ingest/timestamp_layout.h"

#include "tests/unit/check_main.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])
#define ROOM 64

/* Each is the first of its stream. */
static const char *const learnable[] = {
    "2016-05-28 11:11:11",
    "2016-05-28T11:11:11Z",
    "2016-05-28t11:11:11z",
    "2016-05-28T11:11:11.1",
    "2016-05-28T11:11:11.12Z",
    "2016-05-28T11:11:11.123Z",
    "2016-05-28 11:11:11,123",
    "2016-05-28 11:11:11.123456",
    "2016-05-28T11:11:11.1234567Z",
    "2016-05-28T11:11:11.12345678",
    "2016-05-28T11:11:11.123456789Z",
    "2016-05-28T13:11:11+02:00",
    "2016-05-28T03:41:11-0730",
    "2016-05-28T13:11:11.5+0200",
    "2016-05-28T13:11:11.123+02:00",
    "2016-05-28T13:11:11,123456789+02:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "146443387",
    "1464433871",
    "1464433871.1",
    "1464433871.123",
    "1464433871.123456",
    "1464433871.1234567",
    "1464433871.123456789",
    "146443387112",
    "1464433871123",
    "146443387112345",
    "1464433871123456",
    "146443387112345678",
    "1464433871123456789",
    "9999999999999999999",
};

/* They are taken, but say nothing that the next could be read by. */
static const char *const not_learnable[] = {
    "2016-05-28 11:11:60", "0",           "14644338", "0464433871", "14644338711", "14644338711234",
    "14644338711234567",   "146443387.5",
};

static void copy_text(char text[ROOM], const char *from) {
    memset(text, 0, ROOM);
    memcpy(text, from, strlen(from));
}

static int64_t learn(struct timestamp_layout *layout, const char *text) {
    struct timestamp_error error;
    int64_t us;
    ck_assert_msg(timestamp_parse_plain(text, strlen(text), &us, &error), "%s", text);
    ck_assert_msg(timestamp_layout_learn(layout, text, strlen(text), us), "%s", text);
    ck_assert_uint_eq(layout->len, strlen(text));
    return us;
}

/* text of the layout's length: what the layout says is what the plain parser says; with words of
 * any size. Returns whether it is taken. */
static bool compare(const struct timestamp_layout *layout, const char *text) {
    struct timestamp_error error;
    int64_t us = 1, plain_us = 1, swar_us = 1;
    const bool known = timestamp_layout_read(layout, text, &us);
    const bool good = timestamp_parse_plain(text, layout->len, &plain_us, &error);
    DEMAND(!known || (good && us == plain_us), "%.*s: %" PRId64 ", not %" PRId64, layout->len, text,
           us, plain_us);
    DEMAND(known || us == 1, "%.*s: the time was touched", layout->len, text);
    const bool swar = timestamp_layout_rest_swar(layout, text) &&
                      (layout->is_epoch ? timestamp_layout_epoch_swar(layout, text, &swar_us)
                                        : timestamp_layout_calendar_swar(layout, text, &swar_us));
    DEMAND(swar == known && swar_us == us, "%.*s: SWAR differs", layout->len, text);
    return known;
}

START_TEST(a_layout_is_learnt) {
    for (size_t i = 0; i < COUNT_OF(learnable); i++) {
        struct timestamp_layout layout = {0};
        char text[ROOM];
        copy_text(text, learnable[i]);
        learn(&layout, learnable[i]);
        ck_assert_msg(compare(&layout, text), "%s is not of its own layout", text);
    }
}
END_TEST

START_TEST(a_layout_that_cannot_be_learnt_leaves_the_known_one) {
    for (size_t i = 0; i < COUNT_OF(not_learnable); i++) {
        const char *text = not_learnable[i];
        struct timestamp_layout layout = {0}, before;
        struct timestamp_error error;
        int64_t us;
        learn(&layout, "2016-05-28T11:11:11Z");
        before = layout;
        ck_assert_msg(timestamp_parse_plain(text, strlen(text), &us, &error), "%s", text);
        ck_assert_msg(!timestamp_layout_learn(&layout, text, strlen(text), us), "%s", text);
        ck_assert_mem_eq(&layout, &before, sizeof layout);
    }
}
END_TEST

START_TEST(every_byte_in_every_place) {
    for (size_t i = 0; i < COUNT_OF(learnable); i++) {
        struct timestamp_layout layout = {0};
        learn(&layout, learnable[i]);
        unsigned taken = 0;
        for (size_t place = 0; place < layout.len; place++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[ROOM];
                copy_text(text, learnable[i]);
                text[place] = (char)byte;
                taken += compare(&layout, text);
            }
        }
        /* itself at each place, and other digits in its clock or number */
        DEMAND(taken > layout.len + 20u, "%s: %u taken", learnable[i], taken);
    }
}
END_TEST

/* What stands behind a stamp is not part of it. */
START_TEST(bytes_behind_it_change_nothing) {
    for (size_t i = 0; i < COUNT_OF(learnable); i++) {
        struct timestamp_layout layout = {0};
        learn(&layout, learnable[i]);
        for (int byte = 0; byte < 256; byte++) {
            char text[ROOM];
            memset(text, byte, sizeof text);
            memcpy(text, learnable[i], layout.len);
            DEMAND(compare(&layout, text), "%s and %d", learnable[i], byte);
        }
    }
}
END_TEST

/* xorshift64*: the same texts in every run. */
static uint64_t draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Another stamp of a layout: most of its digits are drawn anew, on the same day or another. */
static void draw_stamp(uint64_t *state, const char *like, char text[ROOM]) {
    const bool calendar = strlen(like) > 4 && like[4] == '-';
    copy_text(text, like);
    for (size_t i = calendar && draw(state) % 4 ? 11 : 0; text[i] != '\0'; i++) {
        const bool zone = calendar && i > 19 && (like[i - 1] == '+' || like[i - 1] == '-');
        if (zone && draw(state) % 8) {
            break;
        }
        if (text[i] >= '0' && text[i] <= '9' && draw(state) % 8) {
            const bool small = calendar && (i == 11 || i == 14 || i == 17);
            text[i] = (char)('0' + (draw(state) >> 20) % (small ? 3 : 10));
        }
    }
    if (draw(state) % 16 == 0) {
        text[draw(state) % strlen(text)] = "0123456789-:TZtz+., \n\r"[draw(state) % 22];
    }
}

/* Text is parsed where the sanitizers see its end. */
static bool parse_alone(struct timestamp_layouts *layouts, const char *text, size_t len,
                        int64_t *us, struct timestamp_error *error) {
    char *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    const bool good = timestamp_layouts_parse(layouts, copy, len, us, error);
    free(copy);
    return good;
}

/* A million stamps, in runs of one layout and mixed: times and sentences are those of the plain
 * parser. */
START_TEST(a_stream_is_read_as_by_the_plain_parser) {
    static struct timestamp_layouts layouts;
    uint64_t state = UINT64_C(0x20160528111111), accepted = 0, known = 0;
    const char *like = learnable[0];
    for (int i = 0; i < CHECK_TURNS(1000000); i++) {
        char text[ROOM], why[128], plain_why[128];
        struct timestamp_error error, plain_error;
        int64_t us = 1, plain_us = 1;
        if (draw(&state) % 4 == 0) {
            like = learnable[(draw(&state) >> 20) % COUNT_OF(learnable)];
        }
        draw_stamp(&state, like, text);
        const size_t len = strlen(text);
        const struct timestamp_layout *layout = &layouts.layout[len % TIMESTAMP_LAYOUTS];
        known += layout->len == len && compare(layout, text);
        const bool good = parse_alone(&layouts, text, len, &us, &error);
        const bool plain = timestamp_parse_plain(text, len, &plain_us, &plain_error);
        DEMAND(good == plain && us == plain_us, "%s", text);
        accepted += good;
        if (!good) {
            timestamp_explain(&error, why, sizeof why);
            timestamp_explain(&plain_error, plain_why, sizeof plain_why);
            DEMAND(strcmp(why, plain_why) == 0, "%s: \"%s\"", text, why);
        }
    }
    /* The test would be worth nothing if it only saw texts of one kind. */
    DEMAND(accepted > CHECK_TURNS(300000) && accepted < CHECK_TURNS(990000), "%" PRIu64 " accepted",
           accepted);
    DEMAND(known > CHECK_TURNS(100000), "%" PRIu64 " of a known layout", known);
}
END_TEST

START_TEST(a_new_day_is_learnt_in_passing) {
    static const char *const days[] = {"2016-05-28T23:59:59Z", "2016-05-29T00:00:00Z",
                                       "2016-02-29T00:00:00Z"};
    struct timestamp_layout layout = {0};
    learn(&layout, days[0]);
    for (size_t i = 0; i < COUNT_OF(days); i++) {
        char text[ROOM];
        int64_t us, plain_us;
        struct timestamp_error error;
        copy_text(text, days[i]);
        ck_assert(timestamp_layout_read_on(&layout, text, &us));
        ck_assert(timestamp_parse_plain(text, layout.len, &plain_us, &error));
        ck_assert_int_eq(us, plain_us);
    }
    char text[ROOM];
    int64_t us = 1;
    copy_text(text, "2015-02-29T00:00:00Z");
    ck_assert(!timestamp_layout_read_on(&layout, text, &us));
    ck_assert_int_eq(us, 1);
}
END_TEST

CHECK_MAIN("timestamp_layout", a_layout_is_learnt,
           a_layout_that_cannot_be_learnt_leaves_the_known_one, every_byte_in_every_place,
           bytes_behind_it_change_nothing, a_stream_is_read_as_by_the_plain_parser,
           a_new_day_is_learnt_in_passing)
