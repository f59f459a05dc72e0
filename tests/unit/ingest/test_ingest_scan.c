/* Sixteen bytes at a time and one at a time must stop at the same places, wherever the text ends.
 */
#include "ingest/json_scan.h"
#include "ingest/line_scan.h"

#include "tests/unit/check_main.h"

#define TEXT_MAX 80

/* xorshift64*: the same texts in every run. */
static uint64_t draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Mostly letters or digits, so that runs are long enough; now and then any byte. */
static void draw_text(uint64_t *state, char *text, size_t len) {
    static const char rare[] = "\"\\\x1f\x20\x7f\x80\xff/09:\x00\x01\n== \t\"";
    const bool digits = draw(state) & 1;
    const unsigned often = 1 + (unsigned)(draw(state) >> 20) % 40;
    for (size_t i = 0; i < len; i++) {
        const uint64_t number = draw(state);
        text[i] = (char)(digits ? '0' + (number >> 8) % 10 : 'a' + (number >> 8) % 26);
        if ((number >> 24) % often == 0) {
            text[i] = number & 1 ? rare[(number >> 40) % (sizeof rare - 1)] : (char)(number >> 50);
        }
    }
}

/* Each byte as it is read near the end of a text, zeros behind it. */
START_TEST(the_last_bytes_can_be_read) {
    for (size_t len = 0; len <= 2 * SCAN_BYTES + 1; len++) {
        char *text = malloc(len);
        struct scan_text scan;
        memset(text, 'x', len);
        scan_begin(&scan, text, len);
        for (size_t at = 0; at <= len; at++) {
            const char *bytes = scan_readable(&scan, text + at);
            for (size_t i = 0; i < SCAN_BYTES; i++) {
                ck_assert_int_eq(bytes[i], at + i < len ? 'x' : 0);
            }
        }
        free(text);
    }
}
END_TEST

static void check_words(struct scan_word word, struct scan_word plain, size_t at, size_t len) {
    DEMAND(word.len == plain.len && word.first == plain.first && word.second == plain.second,
           "word from %zu of %zu", at, len);
}

/* What was seen of each kind: the test would be worth nothing if it only saw texts of one. */
struct seen {
    unsigned high, far, strings, names, numbers;
};

static void compare_json(const struct scan_text *scan, size_t place, struct seen *seen) {
    const char *at = scan->text + place;
    const size_t len = (size_t)(scan->end - scan->text);
    const struct json_run run = json_run(scan, at), plain = json_run_plain(scan, at);
    DEMAND(run.end == plain.end && run.high == plain.high, "run from %zu of %zu", place, len);
    DEMAND(json_digits_end(scan, at) == json_digits_end_plain(scan, at), "digits from %zu of %zu",
           place, len);
    DEMAND(run.end <= scan->end, "beyond the text");
    const struct scan_word string = json_short(scan, at);
    check_words(string, json_short_plain(scan, at), place, len);
    const struct scan_digits digits = scan_digits(scan, at);
    const struct scan_digits plain_digits = scan_digits_plain(scan, at);
    DEMAND(digits.len == plain_digits.len && digits.number == plain_digits.number,
           "number from %zu of %zu", place, len);
    seen->high += run.high;
    seen->far += run.end - at > SCAN_BYTES;
    seen->strings += string.len < SCAN_BYTES;
    seen->numbers += digits.number > 9999999;
}

static void compare_line(const struct scan_text *scan, size_t place, struct seen *seen) {
    const char *at = scan->text + place;
    const size_t len = (size_t)(scan->end - scan->text);
    const struct scan_word name = line_name(scan, at);
    check_words(name, line_name_plain(scan, at), place, len);
    DEMAND(line_value_end(scan, at) == line_value_end_plain(scan, at), "value from %zu of %zu",
           place, len);
    seen->names += name.len < SCAN_BYTES;
}

START_TEST(both_ways_stop_at_the_same_places) {
    uint64_t state = UINT64_C(0x20160528111111);
    struct seen seen = {0};
    for (int i = 0; i < 400000; i++) {
        const size_t len = draw(&state) % TEXT_MAX;
        char *text = malloc(len);
        draw_text(&state, text, len);
        const size_t place = len > 0 ? draw(&state) % (len + 1) : 0;
        struct scan_text scan;
        scan_begin(&scan, text, len);
        compare_json(&scan, place, &seen);
        compare_line(&scan, place, &seen);
        free(text);
    }
    DEMAND(seen.high > 4000 && seen.far > 40000, "%u with high bytes, %u long ones", seen.high,
           seen.far);
    DEMAND(seen.strings > 4000 && seen.names > 4000 && seen.numbers > 4000,
           "%u strings, %u names, %u numbers", seen.strings, seen.names, seen.numbers);
}
END_TEST

CHECK_MAIN("ingest_scan", the_last_bytes_can_be_read, both_ways_stop_at_the_same_places)
