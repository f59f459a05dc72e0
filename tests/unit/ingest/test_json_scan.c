/* Sixteen bytes at a time and one at a time must stop at the same places, wherever the text ends.
 */
#include "ingest/json_scan.h"

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
    static const char rare[] = "\"\\\x1f\x20\x7f\x80\xff/09:\x00\x01\n";
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
    for (size_t len = 0; len <= 2 * JSON_SCAN_BYTES + 1; len++) {
        char *text = malloc(len);
        struct json_text scan;
        memset(text, 'x', len);
        json_text_begin(&scan, text, len);
        for (size_t at = 0; at <= len; at++) {
            const char *bytes = json_readable(&scan, text + at);
            for (size_t i = 0; i < JSON_SCAN_BYTES; i++) {
                ck_assert_int_eq(bytes[i], at + i < len ? 'x' : 0);
            }
        }
        free(text);
    }
}
END_TEST

START_TEST(both_ways_stop_at_the_same_places) {
    uint64_t state = UINT64_C(0x20160528111111), high = 0, far = 0, shorts = 0, numbers = 0;
    for (int i = 0; i < 400000; i++) {
        const size_t len = draw(&state) % TEXT_MAX;
        char *text = malloc(len);
        draw_text(&state, text, len);
        const size_t at = len > 0 ? draw(&state) % (len + 1) : 0;
        struct json_text scan;
        json_text_begin(&scan, text, len);
        const struct json_run run = json_run(&scan, text + at);
        const struct json_run plain = json_run_plain(&scan, text + at);
        DEMAND(run.end == plain.end && run.high == plain.high, "run from %zu of %zu", at, len);
        DEMAND(json_digits_end(&scan, text + at) == json_digits_end_plain(&scan, text + at),
               "digits from %zu of %zu", at, len);
        DEMAND(run.end <= text + len, "beyond the text");
        const struct json_short string = json_short(&scan, text + at);
        const struct json_short plain_string = json_short_plain(&scan, text + at);
        DEMAND(string.len == plain_string.len && string.first == plain_string.first &&
                   string.second == plain_string.second,
               "short from %zu of %zu", at, len);
        const struct json_digits digits = json_digits(&scan, text + at);
        const struct json_digits plain_digits = json_digits_plain(&scan, text + at);
        DEMAND(digits.len == plain_digits.len && digits.number == plain_digits.number,
               "digits from %zu of %zu", at, len);
        shorts += string.len < JSON_SCAN_BYTES;
        numbers += digits.number > 9999999;
        high += run.high;
        far += run.end - (text + at) > JSON_SCAN_BYTES;
        free(text);
    }
    /* The test would be worth nothing if it only saw texts of one kind. */
    DEMAND(high > 4000 && far > 40000, "%d with high bytes, %d long ones", (int)high, (int)far);
    DEMAND(shorts > 4000 && numbers > 4000, "%d short, %d numbers", (int)shorts, (int)numbers);
}
END_TEST

CHECK_MAIN("json_scan", the_last_bytes_can_be_read, both_ways_stop_at_the_same_places)
