/* systemd's readiness and watchdog protocol: one datagram a message, no library (sd_notify(3)
 * documents it as stable). */
#ifndef AFORO_SERVER_PROCESS_NOTIFY_H
#define AFORO_SERVER_PROCESS_NOTIFY_H

#include <stdint.h>

/* Sends e.g. "READY=1" to NOTIFY_SOCKET; does nothing without it. Any thread. */
void notify_send(const char *message);

/* The watchdog's period in microseconds when it is meant for this process, else 0. */
int64_t notify_watchdog_us(void);

#endif
