/* How each figure is computed from the states of its measures; listed in figure.c. Pure, any
 * thread. */
#ifndef AFORO_COUNTERS_MEASURES_FIGURES_H
#define AFORO_COUNTERS_MEASURES_FIGURES_H

#include "counters/measures/figure.h"

/* The input of a figure: its measures, in the order of `needs`. */
struct figure_source {
    const struct figure *figure;
    const struct measure *measure[FIGURE_MEASURES_MAX];
    const uint64_t *state[FIGURE_MEASURES_MAX];
    int64_t width_us;
};

/* Fills `value`, which is empty on entry, or leaves it empty. The row has at least one event. */
typedef void figure_writer(const struct figure_source *source, struct figure_value *value);

figure_writer figure_write_count, figure_write_sum, figure_write_lowest, figure_write_highest,
    figure_write_first, figure_write_last, figure_write_avg, figure_write_rate,
    figure_write_quantile, figure_write_stddev, figure_write_digest, figure_write_distinct,
    figure_write_top, figure_write_edge, figure_write_own, figure_write_nothing;

#endif
