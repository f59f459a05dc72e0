/* Explains why an event time is outside the accepted span. Pure, any thread. */
#ifndef AFORO_INGEST_SPAN_H
#define AFORO_INGEST_SPAN_H

#include <stddef.h>
#include <stdint.h>

#define SPAN_WHY_MAX 192

/* The span [now_us - horizon_us, now_us + future_us] in wall-clock time. */
struct span {
    int64_t now_us, horizon_us, future_us;
};

/* Says why event_us was refused: too late or too far ahead, and by how much; also that times are
 * UTC when the difference looks like a time zone's offset. A time inside the span was refused
 * because the clock had been set back. NUL-terminated and cut to cap, for which SPAN_WHY_MAX is
 * always enough; returns the length. */
size_t span_explain(const struct span *span, int64_t event_us, char *buf, size_t cap);

#endif
