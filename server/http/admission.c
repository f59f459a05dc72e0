#include "server/http/admission.h"

#include "server/access/throttle.h"
#include "server/access/token_check.h"
#include "server/http/answers.h"
#include "server/http/tally.h"
#include "server/metrics.h"

static bool has_token(struct MHD_Connection *mhd, const struct tokens *tokens) {
    return token_check_header(
        tokens, MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION));
}

/* Whether this client may ask this now. /healthz, the live page (which contains no counts) and the
 * answer that there is no such page need no token. Requests without a token count against the
 * client's rate too, which bounds guessing. */
static enum answer check_access(const struct connection *connection) {
    const struct worker *worker = connection->worker;
    const enum route route = connection->request.route;
    struct throttle *throttle = worker->server->throttle;
    const struct tokens *tokens =
        connection->request.brings_events ? worker->access.ingest : worker->access.read;
    if ((!throttle && !tokens) || route == ROUTE_HEALTH) {
        return ANSWER_NONE;
    }
    if (throttle && !throttle_admit(throttle, connection->client, worker_woke_us(worker))) {
        return ANSWER_THROTTLED;
    }
    return tokens && route != ROUTE_NONE && route != ROUTE_LIVE &&
                   !has_token(connection->mhd, tokens)
               ? ANSWER_UNAUTHORISED
               : ANSWER_NONE;
}

/* Checks the headers of a request that brings events. */
static enum answer check_events(const struct connection *connection,
                                const struct framing *framing) {
    const bool batch = connection->request.route == ROUTE_EVENTS;
    return framing->authorizations > 1            ? ANSWER_AUTHORISED_TWICE
           : connection->query.overfull           ? ANSWER_ARGUMENTS
           : framing->encoded                     ? ANSWER_ENCODED
           : batch && connection->query.has_value ? ANSWER_VALUE_OF_EVENTS
           : batch && !framing->has_length        ? ANSWER_LENGTH_REQUIRED
                                                  : ANSWER_NONE;
}

/* The same for any other request. If an event sent with GET were answered with the root page, its
 * sender would believe that it was counted. */
static enum answer check_read(const struct connection *connection, const struct framing *framing) {
    const bool event = connection->request.answer == ANSWER_ROOT_PAGE &&
                       connection->query.has_value && !worker_is_admin(connection->worker);
    return framing->authorizations > 1  ? ANSWER_AUTHORISED_TWICE
           : connection->query.overfull ? ANSWER_ARGUMENTS
           : event                      ? ANSWER_NOT_ALLOWED_VALUE
                                        : ANSWER_NONE;
}

enum answer admission_check(struct connection *connection, const struct framing *framing) {
    struct worker *worker = connection->worker;
    const bool for_events = connection->request.brings_events;
    const enum answer denied = check_access(connection);
    if (denied != ANSWER_NONE && !for_events) {
        metric_add_owner(&worker->metrics, METRIC_reads_refused, 1);
        return denied;
    }
    const enum answer answer = denied != ANSWER_NONE ? denied
                               : for_events          ? check_events(connection, framing)
                                                     : check_read(connection, framing);
    if (answer != ANSWER_NONE && for_events) {
        tally_add_refusal(worker, answers_reason(answer));
    }
    return answer;
}
