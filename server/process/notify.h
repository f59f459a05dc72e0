/* systemd's readiness and watchdog protocol, without a library: one datagram per message
 * (sd_notify(3) documents it as stable). */
#ifndef AFORO_SERVER_PROCESS_NOTIFY_H
#define AFORO_SERVER_PROCESS_NOTIFY_H

#include <stdint.h>

/* Sends e.g. "READY=1" to NOTIFY_SOCKET; does nothing without it. Any thread. */
void notify_send(const char *message);

/* The watchdog's period in microseconds if the watchdog is meant for this process, else 0. */
int64_t notify_watchdog_us(void);

#endif
