#include "server/http/routes.h"

#include "server/http/live_page.h"
#include "server/http/pages.h"

#include <string.h>

enum route routes_find(const char *path) {
    return path[0] == '/' && !path[1]      ? ROUTE_ROOT
           : strcmp(path, "/events") == 0  ? ROUTE_EVENTS
           : strcmp(path, "/healthz") == 0 ? ROUTE_HEALTH
           : pages_has(path)               ? ROUTE_PAGE
           : live_page_has(path)           ? ROUTE_LIVE
                                           : ROUTE_NONE;
}

enum method routes_find_method(const char *method) {
    return strcmp(method, "POST") == 0   ? METHOD_POST
           : strcmp(method, "GET") == 0  ? METHOD_GET
           : strcmp(method, "HEAD") == 0 ? METHOD_HEAD
                                         : METHOD_OTHER;
}

static enum answer decide_root(enum method method, struct routes_listener listener) {
    if (listener.counts && method == METHOD_POST) {
        return ANSWER_NONE;
    }
    if (listener.reads && (method == METHOD_GET || method == METHOD_HEAD)) {
        return ANSWER_ROOT_PAGE;
    }
    return !listener.counts  ? ANSWER_NOT_ALLOWED_READ
           : !listener.reads ? ANSWER_NOT_ALLOWED_EVENTS
                             : ANSWER_NOT_ALLOWED_ROOT;
}

enum answer routes_decide(enum route route, enum method method, struct routes_listener listener) {
    const bool reads = method == METHOD_GET || method == METHOD_HEAD;
    switch (route) {
    case ROUTE_ROOT:
        return decide_root(method, listener);
    case ROUTE_EVENTS:
        return !listener.counts        ? ANSWER_NOT_FOUND
               : method == METHOD_POST ? ANSWER_NONE
                                       : ANSWER_NOT_ALLOWED_EVENTS;
    case ROUTE_PAGE:
    case ROUTE_LIVE:
        return !listener.reads ? ANSWER_NOT_FOUND : reads ? ANSWER_NONE : ANSWER_NOT_ALLOWED_READ;
    case ROUTE_HEALTH:
        return reads ? ANSWER_NONE : ANSWER_NOT_ALLOWED_READ;
    default:
        return ANSWER_NOT_FOUND;
    }
}

bool routes_bring_events(enum route route, enum method method, struct routes_listener listener) {
    return listener.counts && method == METHOD_POST &&
           (route == ROUTE_ROOT || route == ROUTE_EVENTS);
}
