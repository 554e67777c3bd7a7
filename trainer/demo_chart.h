/* demo_chart.h - the demonstration as a picture: the share of each answer, of people and of models.
 *
 * Use:      TRY(demo_chart_add(&result, &svg, err));
 * Picture:  one SVG file that needs nothing else, the same bytes for the same input. A row is an
 *           answer; people are a bar, models marks of a shape of their own with their intervals, so
 *           that colour is not needed.
 * Threads:  no state.
 */
#ifndef TRAINER_DEMO_CHART_H
#define TRAINER_DEMO_CHART_H

#include "trainer/demo_report.h"

/* Appends to `out`. fails  ERR_OOM, ERR_LIMIT of the text */
ERR_NODISCARD enum err_code demo_chart_add(const struct demo_result *result, struct strbuf *out,
                                           struct error *err);

#endif
