/* How far back and how far ahead of now an event time may lie: bounds for the settings, for what a
 * state file may state and for what the store must keep. In microseconds; whole seconds only. */
#ifndef AFORO_COUNTERS_TIME_HORIZON_H
#define AFORO_COUNTERS_TIME_HORIZON_H

#include "counters/time/window.h"

#define HORIZON_MIN_US US_PER_S
#define HORIZON_MAX_US (24 * 3600 * US_PER_S)
#define HORIZON_DEFAULT_US (3600 * US_PER_S)
#define FUTURE_MAX_US (3600 * US_PER_S) /* it may be 0 */

#endif
