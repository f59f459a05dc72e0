/* The course of a request: the callbacks of libmicrohttpd. All are called by the worker's thread,
 * inside MHD_run; cls is the worker. */
#ifndef AFORO_SERVER_HTTP_REQUEST_H
#define AFORO_SERVER_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stddef.h>

/* The callback of MHD_OPTION_URI_LOG_CALLBACK: it sees the target before the library changes it. */
void *request_read_target(void *cls, const char *uri, struct MHD_Connection *mhd);

/* MHD_AccessHandlerCallback. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **con_cls);

/* MHD_RequestCompletedCallback. */
void request_complete(void *cls, struct MHD_Connection *mhd, void **con_cls,
                      enum MHD_RequestTerminationCode code);

#endif
