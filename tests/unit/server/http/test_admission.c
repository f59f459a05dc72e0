#include "server/http/admission.h"

#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static const struct framing plain = {.has_length = true, .authorizations = 0};

/* The answer to a request of one kind, and which numbers it changed. */
static enum answer check(bool events, enum route route, const struct framing *framing) {
    struct request *request = &client.connection.request;
    request->brings_events = events;
    request->route = route;
    const struct shard_tally before = tally();
    const uint64_t reads = metric_read(&worker.metrics, METRIC_reads_refused);
    const enum answer answer = admission_check(&client.connection, framing);
    const struct shard_tally after = tally();
    const bool refused = answer != ANSWER_NONE && events;
    ck_assert_uint_eq(after.received, before.received + refused);
    ck_assert_uint_eq(after.counted, 0);
    for (int i = 0; i < REFUSALS; i++) {
        ck_assert_uint_eq(after.refused[i],
                          before.refused[i] + (refused && (int)answers_reason(answer) == i));
    }
    const bool denied = answer == ANSWER_UNAUTHORISED || answer == ANSWER_THROTTLED;
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_reads_refused),
                      reads + (denied && !events));
    return answer;
}

START_TEST(what_headers_say_against_events) {
    struct framing framing = plain;
    ck_assert_int_eq(check(true, ROUTE_ROOT, &framing), ANSWER_NONE);
    ck_assert_int_eq(check(true, ROUTE_EVENTS, &framing), ANSWER_NONE);
    framing.has_length = false; /* without a body it counts now */
    ck_assert_int_eq(check(true, ROUTE_ROOT, &framing), ANSWER_NONE);
    ck_assert_int_eq(check(true, ROUTE_EVENTS, &framing), ANSWER_LENGTH_REQUIRED);
    client.connection.query.has_value = true;
    ck_assert_int_eq(check(true, ROUTE_ROOT, &framing), ANSWER_NONE);
    ck_assert_int_eq(check(true, ROUTE_EVENTS, &framing), ANSWER_VALUE_OF_EVENTS);
    framing.encoded = true;
    ck_assert_int_eq(check(true, ROUTE_ROOT, &framing), ANSWER_ENCODED);
    ck_assert_int_eq(check(true, ROUTE_EVENTS, &framing), ANSWER_ENCODED);
    framing.authorizations = 1;
    ck_assert_int_eq(check(true, ROUTE_EVENTS, &framing), ANSWER_ENCODED);
    framing.authorizations = 2;
    ck_assert_int_eq(check(true, ROUTE_EVENTS, &framing), ANSWER_AUTHORISED_TWICE);
}
END_TEST

START_TEST(what_headers_say_against_a_read) {
    struct framing framing = {.encoded = true, .authorizations = 1};
    ck_assert_int_eq(check(false, ROUTE_PAGE, &framing), ANSWER_NONE);
    framing.authorizations = 2;
    ck_assert_int_eq(check(false, ROUTE_PAGE, &framing), ANSWER_AUTHORISED_TWICE);
}
END_TEST

START_TEST(an_event_is_not_sent_with_get) {
    client.connection.request.answer = ANSWER_ROOT_PAGE;
    ck_assert_int_eq(check(false, ROUTE_ROOT, &plain), ANSWER_NONE);
    client.connection.query.has_value = true;
    ck_assert_int_eq(check(false, ROUTE_ROOT, &plain), ANSWER_NOT_ALLOWED_VALUE);
    client.connection.request.answer = ANSWER_NONE; /* an argument of another page */
    ck_assert_int_eq(check(false, ROUTE_PAGE, &plain), ANSWER_NONE);
    client.connection.request.answer = ANSWER_ROOT_PAGE;
    server.admin = &worker; /* it counts nothing: nobody would take it for counted */
    ck_assert_int_eq(check(false, ROUTE_ROOT, &plain), ANSWER_NONE);
}
END_TEST

static struct tokens *make_tokens(const char *text) {
    char why[TOKENS_WHY_MAX];
    struct tokens *tokens = tokens_parse(text, strlen(text), why);
    ck_assert_ptr_nonnull(tokens);
    return tokens;
}

START_TEST(events_and_reads_have_tokens_of_their_own) {
    static const struct {
        const char *authorization;
        bool events, read;
    } rows[] = {{NULL, false, false},
                {"Bearer ingest-0123456789", true, false},
                {"Bearer read-0123456789ab", false, true},
                {"Bearer other-0123456789", false, false}};
    struct tokens *ingest = make_tokens("ingest-0123456789\n");
    struct tokens *read = make_tokens("read-0123456789ab\n");
    worker.access.ingest = ingest;
    worker.access.read = read;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        client.fields = 0;
        if (rows[i].authorization) {
            set_field(MHD_HEADER_KIND, "Authorization", rows[i].authorization);
        }
        ck_assert_int_eq(check(true, ROUTE_ROOT, &plain),
                         rows[i].events ? ANSWER_NONE : ANSWER_UNAUTHORISED);
        ck_assert_int_eq(check(false, ROUTE_PAGE, &plain),
                         rows[i].read ? ANSWER_NONE : ANSWER_UNAUTHORISED);
        ck_assert_int_eq(check(false, ROUTE_HEALTH, &plain), ANSWER_NONE);
        ck_assert_int_eq(check(false, ROUTE_NONE, &plain), ANSWER_NONE);
    }
    client.fields = 0;
    worker.access.read = NULL;
    ck_assert_int_eq(check(false, ROUTE_PAGE, &plain), ANSWER_NONE);
    ck_assert_int_eq(check(true, ROUTE_ROOT, &plain), ANSWER_UNAUTHORISED);
    /* who has no token learns nothing else of the request */
    const struct framing encoded = {.encoded = true};
    ck_assert_int_eq(check(true, ROUTE_ROOT, &encoded), ANSWER_UNAUTHORISED);
    worker.access.ingest = NULL;
    ck_assert_int_eq(check(true, ROUTE_ROOT, &plain), ANSWER_NONE);
    tokens_free(ingest);
    tokens_free(read);
}
END_TEST

START_TEST(a_client_over_its_rate) {
    struct tokens *ingest = make_tokens("ingest-0123456789\n");
    server.throttle = throttle_new(2);
    client.connection.client =
        throttle_find_client(server.throttle, (const struct sockaddr *)&client.address);
    ck_assert_int_eq(check(true, ROUTE_ROOT, &plain), ANSWER_NONE);
    worker.access.ingest = ingest; /* one without a token counts, too */
    ck_assert_int_eq(check(true, ROUTE_ROOT, &plain), ANSWER_UNAUTHORISED);
    ck_assert_int_eq(check(true, ROUTE_ROOT, &plain), ANSWER_THROTTLED);
    ck_assert_int_eq(check(false, ROUTE_PAGE, &plain), ANSWER_THROTTLED);
    ck_assert_int_eq(check(false, ROUTE_NONE, &plain), ANSWER_THROTTLED);
    ck_assert_int_eq(check(false, ROUTE_HEALTH, &plain), ANSWER_NONE);
    worker.woke_us += US_PER_S;
    ck_assert_int_eq(check(false, ROUTE_PAGE, &plain), ANSWER_NONE);
    ck_assert_int_eq(check(false, ROUTE_HEALTH, &plain), ANSWER_NONE); /* costs nothing */
    ck_assert_int_eq(check(false, ROUTE_PAGE, &plain), ANSWER_NONE);
    ck_assert_int_eq(check(false, ROUTE_PAGE, &plain), ANSWER_THROTTLED);
    throttle_free(server.throttle);
    tokens_free(ingest);
}
END_TEST

HTTP_LAB_MAIN("admission", what_headers_say_against_events, what_headers_say_against_a_read,
              an_event_is_not_sent_with_get, events_and_reads_have_tokens_of_their_own,
              a_client_over_its_rate)
