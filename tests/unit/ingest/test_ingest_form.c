#include "ingest/form.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define T INT64_C(1464433871123456) /* 2016-05-28 11:11:11.123456 */
#define STAMP "2016-05-28 11:11:11.123456"
#define X16 "xxxxxxxxxxxxxxxx"

/* A body and its length: some have a NUL inside. */
#define BODY(text) (text), sizeof(text) - 1

static const struct {
    const char *body;
    size_t len;
    int64_t us;
} events[] = {
    {BODY("value=" STAMP), T},
    {BODY("value=2016-05-28+11:11:11.123456"), T},
    {BODY("value=2016-05-28%2011%3A11%3a11.123456"), T},
    {BODY("value=2016-05-28T11:11:11.123456Z"), T},
    {BODY("value=2016-05-28T12:11:11.123456%2B01:00"), T},
    {BODY("value=2016-05-28T10:11:11.123456-01:00"), T},
    {BODY("value=1464433871123456"), T},
    {BODY("value=1464433871.123456"), T},
    {BODY("%76alue=" STAMP), T},
    {BODY("v%61l%75e=%32016-05-28 11:11:11.123456"), T},
    {BODY("a=1&value=" STAMP), T},
    {BODY("value=" STAMP "&a=1"), T},
    {BODY("a=1&b&&=c&value=" STAMP "&values=2&Value=3&valu=4&value%3d=5&value+=6&d=%26value=7"), T},
    {BODY("a=value=1&value=" STAMP), T},
    {BODY("&&value=" STAMP "&&"), T},
    {BODY("a=\r\n&value=" STAMP), T},
    {BODY("value=" STAMP "&a=\n\n\n"), T},
    {BODY("a=" X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 "&value=" STAMP), T},
    {BODY("value=" STAMP "\n"), T},
    {BODY("value=" STAMP "\r\n"), T},
    {BODY("value=2016-05-28T11:11:11.123456Z\r\n"), T},
    {BODY("a\0b=\0&value=" STAMP), T},
};

#define FILE_OF_TIMES "; for a file of timestamps: curl --data-binary @FILE .../events"
#define JSON                                                                                       \
    "body: JSON without its type; send it with Content-Type: application/json (curl --json), or "  \
    "a form, value=<timestamp>"
#define MULTIPART "body: multipart is not taken; send a form: curl --data value=<timestamp>, not -F"

static const struct {
    const char *body;
    size_t len;
    const char *why;
} malformed[] = {
    {BODY("value=2016-13-28 11:11:11.123456"), "value: month 13 is out of range"},
    {BODY("value=2015-02-30 11:11:11.123456"), "value: day 30 is out of range for 2015-02"},
    {BODY("value=2016x05-28 11:11:11.123456"), "value: expected '-' at character 5, found 'x'"},
    {BODY("value=2016-05-28T12:11:11+01:00"),
     "value: '+' is a blank in a form: send %2B for the '+' of an offset (character 20)"},
    {BODY("value=2016-05-28T12:11:11.123456+01:00"),
     "value: '+' is a blank in a form: send %2B for the '+' of an offset (character 27)"},
    {BODY("value=2016-05-28+12:11:11+0100"),
     "value: '+' is a blank in a form: send %2B for the '+' of an offset (character 20)"},
    {BODY("value=2016-05-28T12:11:11 01:00"),
     "value: expected '.', 'Z', an offset or the end at character 20, found ' '"},
    {BODY("value=2016-05-28T12:11:11%2001:00"),
     "value: expected '.', 'Z', an offset or the end at character 20, found ' '"},
    {BODY("value=+2016-05-28"), "value: expected a digit at character 1, found ' '"},
    {BODY("value=="), "value: expected a digit at character 1, found '='"},
    {BODY("value=%00"), "value: expected a digit at character 1, found '\\x00'"},
    {BODY("value=\0"), "value: expected a digit at character 1, found '\\x00'"},
    {BODY("value=\xff"), "value: expected a digit at character 1, found '\\xff'"},
    {BODY("value=" STAMP "%0A"),
     "value: expected a digit, 'Z', an offset or the end at character 27, found '\\x0a'"},
    {BODY("value=" STAMP "\n\n"),
     "value: expected a digit, 'Z', an offset or the end at character 27, found '\\x0a'"},
    {BODY("value=" STAMP "\n\r\n"),
     "value: expected a digit, 'Z', an offset or the end at character 27, found '\\x0a'"},
    {BODY("value=" STAMP "\r"),
     "value: expected a digit, 'Z', an offset or the end at character 27, found '\\x0d'"},
    {BODY("value=" STAMP "\r\r\n"),
     "value: expected a digit, 'Z', an offset or the end at character 27, found '\\x0d'"},
    {BODY("value=" STAMP "\n&a=1"),
     "value: expected a digit, 'Z', an offset or the end at character 27, found '\\x0a'"},
    {BODY("value=\n" STAMP), "value: expected a digit at character 1, found '\\x0a'"},
    {BODY("value="), "value: empty, expected a timestamp"},
    {BODY("value"), "value: empty, expected a timestamp"},
    {BODY("value&a=1"), "value: empty, expected a timestamp"},
    {BODY("value=&a=1"), "value: empty, expected a timestamp"},
    {BODY("value=\n"), "value: empty, expected a timestamp"},
    {BODY("value=" X16 X16 X16 X16), "value: expected a digit at character 1, found 'x'"},
    {BODY("value=" X16 X16 X16 X16 "x"), "value: longer than 64 bytes"},
    {BODY("value=" X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16),
     "value: longer than 64 bytes"},
    {BODY("value=" STAMP "&value=" STAMP), "value: given more than once"},
    {BODY("value=" STAMP "&value"), "value: given more than once"},
    {BODY("value=&value=" STAMP), "value: given more than once"},
    {BODY("value=1&value=2&value=3"), "value: given more than once"},
    {BODY("value=1&%76alue=2"), "value: given more than once"},
    {BODY("a=1"), "value: missing, send value=<timestamp>"},
    {BODY("\n"), "value: missing, send value=<timestamp>"},
    {BODY("&"), "value: missing, send value=<timestamp>"},
    {BODY("="), "value: missing, send value=<timestamp>"},
    {BODY(STAMP), "value: missing, send value=<timestamp>" FILE_OF_TIMES},
    {BODY("\n" STAMP "\n" STAMP "\n"), "value: missing, send value=<timestamp>" FILE_OF_TIMES},
    {BODY("--b\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\n" STAMP "\r\n--b--\r\n"),
     MULTIPART},
    {BODY("-"), "value: missing, send value=<timestamp>"},
    {BODY("[\"" STAMP "\"]"), JSON},
    {BODY(" \r\n\t{\"a\":\"50%\"}"), JSON},
    {BODY("\"" STAMP "\""), JSON},
    {BODY("VALUE=" STAMP), "value: missing, send value=<timestamp>"},
    {BODY("valuevalue=" STAMP), "value: missing, send value=<timestamp>"},
    {BODY(" value=" STAMP), "value: missing, send value=<timestamp>"},
    {BODY("\nvalue=" STAMP), "value: missing, send value=<timestamp>"},
    {BODY("{\"value\": \"" STAMP "\"}"), JSON},
    {BODY("value=%"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%4"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%4\n"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%4g"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%g4"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%%20"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%2%0"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%:0"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%@0"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=%u0041"), "body: % at byte 7 is not followed by two hexadecimal digits"},
    {BODY("value=" STAMP "&a=100%&b=2"),
     "body: % at byte 39 is not followed by two hexadecimal digits"},
    {BODY("%&value=" STAMP), "body: % at byte 1 is not followed by two hexadecimal digits"},
    {BODY("%=&value=1&value=2"), "body: % at byte 1 is not followed by two hexadecimal digits"},
    {BODY("value=1&value=2%"), "value: given more than once"},
};

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

/* How a body comes: in pieces of so many bytes, or cut once at `cut` when the piece is 0. */
struct cutting {
    size_t piece, cut;
};

/* From a copy, so that sanitizers see its end. */
static enum form_outcome feed(const char *body, size_t len, struct cutting in, int64_t *us,
                              char *why) {
    char *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, body, len);
    struct form form;
    form_begin(&form);
    if (in.piece == 0) {
        form_feed(&form, copy, in.cut);
        form_feed(&form, copy + in.cut, len - in.cut);
    } else {
        for (size_t at = 0; at < len; at += in.piece) {
            form_feed(&form, copy + at, len - at < in.piece ? len - at : in.piece);
        }
    }
    free(copy);
    return form_end(&form, us, why);
}

static enum form_outcome parse_alone(const char *body, size_t len, int64_t *us, char *why) {
    char *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, body, len);
    const enum form_outcome outcome = form_parse(copy, len, us, why);
    free(copy);
    return outcome;
}

START_TEST(bodies_with_an_event) {
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        const char *body = events[i].body;
        char why[FORM_WHY_MAX] = "";
        int64_t us = 0;
        DEMAND(parse_alone(body, events[i].len, &us, why) == FORM_EVENT, "%s: %s", body, why);
        DEMAND(us == events[i].us, "%s: %lld", body, (long long)us);
        ck_assert_str_eq(why, "");
    }
}
END_TEST

START_TEST(malformed_bodies) {
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        const char *body = malformed[i].body;
        char why[FORM_WHY_MAX] = "";
        int64_t us = 4711;
        DEMAND(parse_alone(body, malformed[i].len, &us, why) == FORM_MALFORMED, "%s is taken",
               body);
        DEMAND(strcmp(why, malformed[i].why) == 0, "%s: \"%s\"", body, why);
        ck_assert_int_eq(us, 4711);
    }
}
END_TEST

START_TEST(an_empty_body) {
    char why[FORM_WHY_MAX] = "";
    int64_t us = 4711;
    ck_assert_int_eq(form_parse("", 0, &us, why), FORM_EMPTY);
    ck_assert_int_eq(feed("", 0, (struct cutting){0, 0}, &us, why), FORM_EMPTY);
    ck_assert_int_eq(us, 4711);
    ck_assert_str_eq(why, "");
}
END_TEST

static const struct {
    const char *text;
    enum form_source source;
    enum form_outcome outcome;
    bool has_value;
    const char *why;
} optional[] = {
    {"value=" STAMP, FORM_QUERY, FORM_EVENT, true, ""},
    {"a=1&value=2016-05-28+11:11:11.123456&b", FORM_QUERY, FORM_EVENT, true, ""},
    {"", FORM_QUERY, FORM_EMPTY, false, ""},
    {"a=1&b=2&c", FORM_QUERY, FORM_EMPTY, false, ""},
    {"{a}", FORM_QUERY, FORM_EMPTY, false, ""},
    {"value", FORM_QUERY, FORM_MALFORMED, true, "value: empty, expected a timestamp"},
    {"value=x", FORM_QUERY, FORM_MALFORMED, true,
     "value: expected a digit at character 1, found 'x'"},
    {"value=1&value=2", FORM_QUERY, FORM_MALFORMED, true, "value: given more than once"},
    {"a=%zz", FORM_QUERY, FORM_MALFORMED, false,
     "query: % at byte 3 is not followed by two hexadecimal digits"},
    /* after a broken escape, what follows stands for itself */
    {"a=%zz&value=1", FORM_QUERY, FORM_MALFORMED, true,
     "query: % at byte 3 is not followed by two hexadecimal digits"},
    {"", FORM_BODY, FORM_EMPTY, false, ""},
    {"a=1", FORM_BODY, FORM_EMPTY, false, ""},
    {"a=1&value=" STAMP, FORM_BODY, FORM_EVENT, true, ""},
    {"a=%zz", FORM_BODY, FORM_MALFORMED, false,
     "body: % at byte 3 is not followed by two hexadecimal digits"},
    {"{\"a\":1}", FORM_BODY, FORM_MALFORMED, false, JSON},
};

START_TEST(a_value_that_need_not_be_there) {
    for (size_t i = 0; i < COUNT_OF(optional); i++) {
        struct form form;
        char why[FORM_WHY_MAX] = "";
        int64_t us = T;
        form_begin(&form);
        form_feed(&form, optional[i].text, strlen(optional[i].text));
        DEMAND(form_end_optional(&form, optional[i].source, &us, why) == optional[i].outcome, "%s",
               optional[i].text);
        DEMAND(strcmp(why, optional[i].why) == 0 && us == T, "%s: \"%s\"", optional[i].text, why);
        DEMAND(form_has_value(&form) == optional[i].has_value, "%s", optional[i].text);
    }
}
END_TEST

static void every_cut_is_like_whole(const char *body, size_t len) {
    char whole_why[FORM_WHY_MAX] = "";
    int64_t whole_us = 0;
    const enum form_outcome whole = form_parse(body, len, &whole_us, whole_why);
    for (size_t cut = 0; cut <= 2 * len; cut++) { /* first every cut, then every size of pieces */
        char why[FORM_WHY_MAX] = "";
        int64_t us = 0;
        const size_t piece = cut <= len ? 0 : cut - len;
        const enum form_outcome outcome = feed(body, len, (struct cutting){piece, cut}, &us, why);
        DEMAND(outcome == whole && us == whole_us && strcmp(why, whole_why) == 0,
               "%s: \"%s\" when cut at %zu", body, why, cut);
    }
}

START_TEST(every_cut_gives_the_same) {
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        every_cut_is_like_whole(events[i].body, events[i].len);
    }
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        every_cut_is_like_whole(malformed[i].body, malformed[i].len);
    }
}
END_TEST

/* The short cut for value=<timestamp> against the machine alone, any byte in any place. */
START_TEST(every_byte_in_every_place) {
    static const char *const good[] = {("value=" STAMP), "value=2016-05-28T11:11:11Z",
                                       "value=1464433871.123456"};
    for (size_t g = 0; g < COUNT_OF(good); g++) {
        const size_t len = strlen(good[g]);
        for (size_t i = 0; i < len; i++) {
            for (int byte = 0; byte < 256; byte++) {
                char body[64], why[FORM_WHY_MAX] = "", whole_why[FORM_WHY_MAX] = "";
                memcpy(body, good[g], len);
                body[i] = (char)byte;
                int64_t us = 0, whole_us = 0;
                struct form form;
                form_begin(&form);
                form_feed(&form, body, len);
                const enum form_outcome outcome = form_end(&form, &us, why);
                const enum form_outcome whole = form_parse(body, len, &whole_us, whole_why);
                DEMAND(outcome == whole && us == whole_us && strcmp(why, whole_why) == 0,
                       "byte %d at %zu: %s", byte, i, why);
            }
        }
    }
}
END_TEST

CHECK_MAIN("ingest_form", bodies_with_an_event, malformed_bodies, an_empty_body,
           a_value_that_need_not_be_there, every_cut_gives_the_same, every_byte_in_every_place)
