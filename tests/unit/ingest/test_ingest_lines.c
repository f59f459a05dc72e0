#include "ingest/lines.h"

#include "tests/unit/check_main.h"
#include "tests/unit/ingest/lines_reference.h"

#define OUTCOMES_MAX 8192
#define T INT64_C(1464433871123456) /* 2016-05-28 11:11:11.123456 */
#define STAMP "2016-05-28 11:11:11.123456"
#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])
#define BODY(text)                                                                                 \
    { (text), sizeof(text) - 1 }

static const struct {
    const char *text;
    size_t len;
} bodies[] = {
    BODY(""),
    BODY("\n"),
    BODY("\r\n"),
    BODY("\r"),
    BODY("\n\n\n\r\n\n"),
    BODY(STAMP),
    BODY(STAMP "\n"),
    BODY(STAMP "\r\n"),
    BODY(STAMP "\r"),
    BODY(STAMP "\r\r\n"),
    BODY(STAMP "\n\r\n" STAMP "\n"),
    BODY(STAMP "\n" STAMP),
    BODY(STAMP "\n" STAMP "\r\n" STAMP "\n" STAMP "\r\n" STAMP "\r"),
    BODY("\n" STAMP "\n\n" STAMP "\n\n\n" STAMP "\n"),
    BODY(STAMP "Z\n" STAMP "Z\n" STAMP "z\n" STAMP "\n" STAMP "Z\r\n" STAMP "Z"),
    BODY("2016-05-28T11:11:11.123456\n2016-05-28T11:11:11.123457\n2016-05-28t11:11:11.123456\n"),
    BODY("2016-05-28 23:59:59.999999\n2016-05-29 00:00:00.000000\n2016-05-28 23:59:59.999998\n"),
    BODY("2016-05-28 11:11:11.123456x\n2016-05-28 11:11:11.123456x\n" STAMP "\n"),
    BODY("2016-05-28 11:11:11.123456.\n2016-05-28 11:11:11.123456.\n" STAMP "\n"),
    BODY("2016-05-28 11:11:11.1234561\n2016-05-28 11:11:11.1234561\n" STAMP "\n"),
    BODY("2016-05-28 11:11:60.123456\n2016-05-28 24:00:00.000000\n2016-02-30 11:11:11.123456\n"),
    BODY("2016-05-28 11:11:11\n2016-05-28 11:11:11.123\n1464433871\n1464433871123\n1464433871.5\n"),
    BODY("x\n" STAMP "\nx\nx\n\nx\n" STAMP "\n" STAMP "\nx"),
    BODY(STAMP " \n " STAMP "\n" STAMP "\t\n"),
    BODY("\0\n" STAMP "\n\0\0\n"),
    BODY("\0\0\0\0\0\0\0\0\0\0\0"
         "11:11:11.123456\n"),
    BODY(X64 "\n" X64 "\r\n" X64 "x\n" X64 "x\r\n" X64 "\r\r\n" X64 "xx\r\n" STAMP
             "\n" X64 X64 X64),
    BODY(X64 X64 X64 "\n" STAMP "\n" X64 X64 X64 "\r\n" STAMP "\n" X64 "\r"),
    BODY(X64 "x"),
    BODY(X64 "x\r"),
};

static struct outcome expected_at[OUTCOMES_MAX], seen_at[OUTCOMES_MAX];
static struct timestamp_layouts layouts; /* they stay from body to body, as a worker's do */

/* Feeds text in pieces of `piece` bytes, or whole up to `cut` and the rest when piece is 0; each
 * from memory of its own, so that the sanitizers see its end. Compares with what the reference
 * says. */
static void feed_one_way(const char *text, size_t len, size_t piece, size_t cut, bool by_window) {
    struct outcomes expected = {.cap = OUTCOMES_MAX, .at = expected_at};
    struct outcomes seen = {.cap = OUTCOMES_MAX, .at = seen_at};
    reference_read(text, len, &expected);
    DEMAND(expected.n < OUTCOMES_MAX, "the body is too large for this test");
    struct lines lines;
    lines_begin(&lines, &layouts);
    lines.by_window = by_window;
    for (size_t at = 0; at < len;) {
        size_t n = piece > 0 ? piece : at < cut ? cut : len - at;
        n = n < len - at ? n : len - at;
        char *copy = malloc(n);
        DEMAND(copy != NULL, "out of memory");
        memcpy(copy, text + at, n);
        DEMAND(stream_read(&lines, copy, n, &seen), "the contract is broken at %zu of %s", at,
               text);
        free(copy);
        at += n;
    }
    DEMAND(stream_end(&lines, &seen), "the end yields more than one");
    DEMAND(outcomes_equal(&expected, &seen),
           "pieces of %zu, cut at %zu, by window %d: other events or lines in %s", piece, cut,
           by_window, text);
}

static void feed_and_compare(const char *text, size_t len, size_t piece, size_t cut) {
    feed_one_way(text, len, piece, cut, false);
    feed_one_way(text, len, piece, cut, true);
}

START_TEST(known_answers) {
    static const char body[] = "\n" STAMP "\r\nx\n\n" STAMP;
    struct outcome at[8];
    struct outcomes seen = {.cap = 8, .at = at};
    struct lines lines;
    lines_begin(&lines, &layouts);
    ck_assert(stream_read(&lines, body, sizeof body - 1, &seen));
    ck_assert(stream_end(&lines, &seen));
    ck_assert_uint_eq(seen.n, 3);
    ck_assert(at[0].line == 2 && at[0].good && at[0].us == T);
    ck_assert(at[1].line == 3 && !at[1].good);
    ck_assert_str_eq(at[1].why, "expected a digit at character 1, found 'x'");
    ck_assert(at[2].line == 5 && at[2].good && at[2].us == T);
}
END_TEST

START_TEST(every_cut_of_every_body) {
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        for (size_t cut = 0; cut <= bodies[i].len; cut++) {
            feed_and_compare(bodies[i].text, bodies[i].len, 0, cut);
            feed_and_compare(bodies[i].text, bodies[i].len, cut + 1, 0);
        }
    }
}
END_TEST

/* A batch is full between two reads, in one, and just when the data end. */
START_TEST(full_batches) {
    enum { LINES = 3 * LINES_BATCH + 7, LINE = sizeof STAMP };
    static char body[LINES * LINE];
    for (size_t i = 0; i < LINES; i++) {
        char line[LINE + 1];
        snprintf(line, sizeof line, "2016-05-28 11:11:%02zu.%06zu\n", i / 20, i);
        memcpy(body + i * LINE, line, LINE);
    }
    for (size_t n = LINES_BATCH - 2; n <= LINES_BATCH + 2; n++) {
        feed_and_compare(body, n * LINE, 0, 0);
    }
    const size_t pieces[] = {1, 26, 27, 28, 256, 4096, LINES_BATCH * LINE, sizeof body};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        feed_and_compare(body, sizeof body, pieces[i], 0);
    }
    struct lines lines;
    struct lines_batch batch;
    lines_begin(&lines, &layouts);
    ck_assert_uint_eq(lines_feed(&lines, body, sizeof body, &batch), LINES_BATCH * LINE);
    ck_assert_uint_eq(batch.n, LINES_BATCH);
    ck_assert_uint_eq(batch.first_line, 1);
    ck_assert_int_eq(batch.us[LINES_BATCH - 1], T - 123456 - 11 * US_PER_S + 12 * US_PER_S + 255);
}
END_TEST

/* Lines of one window are compared four at a time: each byte of them becomes another one, with each
 * kind of end, and the body ends everywhere. */
START_TEST(each_byte_of_a_window) {
    enum { LINES = 14, MOST = 28 };
    static const char *const ends[] = {"\n", "\r\n", "Z\n"};
    static const char others[] = "\n\r09:;/.- TZ1\xb0\xff";
    for (size_t e = 0; e < COUNT_OF(ends); e++) {
        char body[LINES * MOST + 1];
        size_t len = 0;
        for (unsigned i = 0; i < LINES; i++) {
            len += (size_t)sprintf(body + len, "2016-05-28 11:11:59.98%04u%s", 9999 - i * 591,
                                   ends[e]);
        }
        for (size_t at = 0; at < len; at++) {
            const char was = body[at];
            for (size_t i = 0; i < sizeof others; i++) { /* with the NUL at its end */
                body[at] = others[i];
                feed_and_compare(body, len, 0, 0);
            }
            body[at] = was;
        }
        for (size_t n = 0; n <= len; n++) {
            feed_and_compare(body, n, 0, 0);
        }
    }
}
END_TEST

/* More lines of one window than one of times[] can stand for, and windows one after the other. */
START_TEST(many_lines_of_a_window) {
    enum { LINES = 2 * LINES_TIMES_MAX + 33, LINE = sizeof STAMP };
    static char body[LINES * LINE + 1];
    for (unsigned width = 1; width <= LINES; width = width < 12 ? width + 1 : width * 3) {
        for (unsigned i = 0; i < LINES; i++) {
            const unsigned window = i / width;
            sprintf(body + (size_t)i * LINE, "2016-05-28 11:11:%02u.%02u%04u\n", window / 100,
                    window % 100, i * 7919 % 10000);
        }
        feed_and_compare(body, sizeof body - 1, 0, 0);
    }
    struct lines lines;
    struct lines_batch batch;
    lines_begin(&lines, &layouts);
    lines.by_window = true;
    const size_t used = lines_feed(&lines, body, sizeof body - 1, &batch);
    ck_assert(batch.has_windows ? used == sizeof body - 1 : used == (size_t)LINES_BATCH * LINE);
}
END_TEST

/* Before 1970, too, a window begins with its first microsecond. */
START_TEST(windows_before_1970) {
    static const char body[] =
        "1969-12-31 23:59:59.989999\n1969-12-31 23:59:59.980000\n1969-12-31 23:59:59.980001\n"
        "1969-12-31 23:59:59.985000\n1969-12-31 23:59:59.989999\n1969-12-31 23:59:59.981234\n"
        "1969-12-31 23:59:59.990000\n1969-12-31 23:59:59.999999\n1970-01-01 00:00:00.000000\n";
    feed_and_compare(body, sizeof body - 1, 0, 0);
    feed_and_compare(body + 27, sizeof body - 28, 0, 0);
}
END_TEST

/* A line without an end takes no more room than struct lines has. */
START_TEST(an_endless_line) {
    struct lines lines;
    struct lines_batch batch;
    char chunk[4096];
    memset(chunk, '1', sizeof chunk);
    lines_begin(&lines, &layouts);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(lines_feed(&lines, chunk, sizeof chunk, &batch), sizeof chunk);
        ck_assert(batch.n == 0 && !batch.malformed);
    }
    ck_assert_uint_eq(lines_feed(&lines, "\n" STAMP "\n", 28, &batch), 1);
    ck_assert(batch.malformed && batch.bad_line == 1 && batch.n == 0);
    ck_assert_uint_eq(lines_feed(&lines, STAMP "\n", 27, &batch), 27);
    ck_assert(batch.n == 1 && batch.first_line == 2 && batch.us[0] == T);
}
END_TEST

static uint64_t draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Random bodies of good, nearly good and bad lines with every kind of end, in pieces of random
 * size. */
START_TEST(random_bodies_in_random_pieces) {
    static const char *const lines_of[] = {STAMP,
                                           STAMP,
                                           STAMP "Z",
                                           "2016-05-29 00:00:00.000000",
                                           STAMP,
                                           STAMP,
                                           "1464433871",
                                           "2016-05-28T11:11:11.123456",
                                           "",
                                           "x",
                                           "2016-05-28 11:11:11",
                                           X64 "1",
                                           STAMP "1"};
    static const char *const ends[] = {"\n", "\n", "\n", "\r\n", "\r\r\n", ""};
    uint64_t state = UINT64_C(0x20160528111112);
    for (int round = 0; round < 20000; round++) {
        char body[2048];
        size_t len = 0;
        /* often few, so that runs are long */
        const uint64_t kinds = draw(&state) % COUNT_OF(lines_of) + 1;
        while (len < sizeof body - 128 && draw(&state) % 64 != 0) {
            const uint64_t d = draw(&state);
            len += (size_t)snprintf(body + len, 128, "%s%s", lines_of[(d >> 8) % kinds],
                                    ends[d % 16 == 0 ? (d >> 32) % COUNT_OF(ends) : 0]);
            if (d % 37 == 0 && len > 0) {
                body[len - 1 - (d >> 16) % (len < 28 ? len : 28)] = (char)(d >> 40);
            }
        }
        const uint64_t d = draw(&state);
        feed_and_compare(body, len, d % 4 == 0 ? 0 : 1 + (d >> 8) % 100,
                         len > 0 ? (d >> 32) % len : 0);
    }
}
END_TEST

/* What is not a line of timestamps at all is told so. */
START_TEST(whole_lines_of_another_kind) {
    static const struct {
        const char *line;
        const char *why;
    } lines[] = {
        {"value=" STAMP,
         "expected a digit at character 1, found 'v'; a line begins with its timestamp"},
        {"{\"t\":1}", "expected a digit at character 1, found '{'; JSON lines need Content-Type: "
                      "application/x-ndjson"},
        {STAMP STAMP STAMP,
         "longer than 64 bytes; are the line ends lost? (curl: --data-binary @FILE, not --data)"},
        {"2016-13-01 00:00:00", "month 13 is out of range"},
        {"2016x", "expected '-' at character 5, found 'x'"},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        int64_t us;
        struct timestamp_error error;
        char why[192];
        ck_assert(!timestamp_parse(lines[i].line, strlen(lines[i].line), &us, &error));
        ck_assert_uint_eq(lines_explain(&error, why, sizeof why), strlen(lines[i].why));
        ck_assert_str_eq(why, lines[i].why);
        ck_assert_uint_eq(lines_explain(&error, why, 30), strlen(why));
        ck_assert_mem_eq(why, lines[i].why, strlen(why));
    }
}
END_TEST

CHECK_MAIN("ingest_lines", known_answers, whole_lines_of_another_kind, every_cut_of_every_body,
           full_batches, each_byte_of_a_window, many_lines_of_a_window, windows_before_1970,
           an_endless_line, random_bodies_in_random_pieces)
