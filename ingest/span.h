/* Why an event time is outside the accepted span, in a sentence. Pure; any thread. */
#ifndef AFORO_INGEST_SPAN_H
#define AFORO_INGEST_SPAN_H

#include <stddef.h>
#include <stdint.h>

#define SPAN_WHY_MAX 192

/* The span [now_us - horizon_us, now_us + future_us], wall clock. */
struct span {
    int64_t now_us, horizon_us, future_us;
};

/* What is wrong with event_us, which was refused: too late or too far ahead, by how much, and that
 * times are UTC when it is off by about so many hours. A time inside the span was refused because
 * the clock had been set back. NUL-terminated, cut to cap, for which SPAN_WHY_MAX is always enough;
 * returns the length. */
size_t span_explain(const struct span *span, int64_t event_us, char *buf, size_t cap);

#endif
