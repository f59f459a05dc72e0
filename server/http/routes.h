/* Routes: which path and method ask for what. Pure. */
#ifndef AFORO_SERVER_HTTP_ROUTES_H
#define AFORO_SERVER_HTTP_ROUTES_H

#include "server/http/answers.h"

#include <stdbool.h>

enum route { ROUTE_ROOT, ROUTE_EVENTS, ROUTE_PAGE, ROUTE_LIVE, ROUTE_HEALTH, ROUTE_NONE };
enum method { METHOD_POST, METHOD_GET, METHOD_HEAD, METHOD_OTHER };

/* What a listener is for. With --admin-listen, that one only answers readers and the other only
 * counts; without it, one listener does both. All of them answer /healthz. */
struct routes_listener {
    bool counts;
    bool reads;
};

/* The route of a path, and the method of that name. */
enum route routes_find(const char *path);
enum method routes_find_method(const char *method);

/* The answer that follows from route and method alone; ANSWER_NONE: the request must be handled. */
enum answer routes_decide(enum route route, enum method method, struct routes_listener listener);

/* Whether the request brings events. */
bool routes_bring_events(enum route route, enum method method, struct routes_listener listener);

#endif
