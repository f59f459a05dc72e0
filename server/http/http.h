/* Socket -> request -> answer: what libmicrohttpd calls. All calls are made by the worker thread,
 * inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_HTTP_H
#define AFORO_SERVER_HTTP_HTTP_H

#include "server/server.h"

/* The library's pool of a connection, cleared for every request: headers and one read of the body
 * must fit. */
#define HTTP_POOL_SINGLE (4 * 1024) /* at least, and a third more than --max-header */
#define HTTP_POOL_BATCH (64 * 1024)

/* MHD_AccessHandlerCallback; cls is the worker. */
enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload_data,
                            size_t *upload_data_size, void **con_cls);

/* The callback of MHD_OPTION_URI_LOG_CALLBACK: sees the target before the library changes it. */
void *http_target(void *cls, const char *uri, struct MHD_Connection *connection);

/* MHD_NotifyConnectionCallback: makes and frees what we keep of a connection. */
void http_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                     enum MHD_ConnectionNotificationCode code);

/* MHD_RequestCompletedCallback. */
void http_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                    enum MHD_RequestTerminationCode code);

/* The worker's prepared answers; before its thread starts, and after it ended. False when out of
 * memory. */
bool http_responses_make(struct worker *worker);
void http_responses_free(struct worker *worker);

/* Whether a connection that was opened after since_us (steady clock) has not made its first request
 * yet. By the worker. */
bool http_expects_first(const struct worker *worker, int64_t since_us);

/* Closes connections whose request takes too long to come: a client that sends a byte now and then
 * would otherwise keep its place for ever, since each byte ends what the library calls idle. Once a
 * second, by the worker, outside MHD_run. */
void http_close_slow(struct worker *worker, int64_t now_us);

#endif
