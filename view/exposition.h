/* Metrics as text for Prometheus (format 0.0.4) or OpenMetrics (1.0): families, each with its kind
 * and sentence once, and samples with labels. It does not know where the numbers come from.
 *
 *   # HELP aforo_events_refused_total Events refused, by reason.
 *   # TYPE aforo_events_refused_total counter
 *   aforo_events_refused_total{reason="too_late"} 4
 *
 * A label's value may be anything: it is escaped, and cut if it is too long. One thread per
 * text. */
#ifndef AFORO_VIEW_EXPOSITION_H
#define AFORO_VIEW_EXPOSITION_H

#include "counters/time/durations.h"
#include "view/text.h"

/* bytes of a label's value that are shown; a longer one is cut */
#define EXPOSITION_LABEL_MAX 128

enum exposition_format { EXPOSITION_PROMETHEUS, EXPOSITION_OPENMETRICS };
/* A counter's name ends with _total, an info's with _info. */
enum exposition_kind {
    EXPOSITION_COUNTER,
    EXPOSITION_GAUGE,
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO
};

struct exposition {
    struct text text;
    enum exposition_format format;
    const char *family;
    enum exposition_kind kind;
};

struct exposition_label {
    const char *name;  /* [a-z_]+ */
    const char *value; /* NUL-terminated */
};

struct exposition_labels {
    const struct exposition_label *label;
    size_t n;
};

/* The format that a request's Accept header asks for; NULL: there is no such header. */
enum exposition_format exposition_choose(const char *accept);

/* Its media type. */
const char *exposition_type(enum exposition_format format);

/* Begins a family; its samples must follow before the next family begins. `name` and `help` must
 * outlive that; `help` is one line without a backslash, a sentence that begins with a lower-case
 * letter and has no full stop. */
void exposition_family(struct exposition *exposition, const char *name, enum exposition_kind kind,
                       const char *help);

/* Adds one sample of the family; its value is value / 10^decimals. */
void exposition_sample(struct exposition *exposition, struct exposition_labels labels,
                       int64_t value, unsigned decimals);

/* Adds the samples of a histogram, in seconds, with the bounds first_us to last_us of
 * durations.h. */
void exposition_durations(struct exposition *exposition, struct exposition_labels labels,
                          const struct durations_total *durations, uint64_t first_us,
                          uint64_t last_us);

/* Ends the text. Its bytes then belong to the caller, who frees them with text_free. */
void exposition_end(struct exposition *exposition);

#endif
