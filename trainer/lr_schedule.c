/* lr_schedule.c - see lr_schedule.h. */
#include "trainer/lr_schedule.h"

#include <math.h>

#define PI 3.14159265358979323846

const char *const lr_kind_names[LR_KIND_COUNT] = {
#define LR_KIND_NAME(name, text) text,
    LR_KINDS(LR_KIND_NAME)
#undef LR_KIND_NAME
};

/* From 1 at progress 0 to 0 at progress 1. */
static double decay_of(enum lr_kind kind, double progress) {
    switch (kind) {
    case LR_LINEAR:
        return 1.0 - progress;
    case LR_COSINE:
        return 0.5 * (1.0 + cos(PI * progress));
    case LR_CONSTANT:
    case LR_KIND_COUNT:
        break;
    }
    return 1.0;
}

double lr_schedule_at(const struct lr_schedule *schedule, int64_t step) {
    if (step < schedule->warmup_steps) {
        return schedule->peak * (double)step / (double)schedule->warmup_steps;
    }
    const int64_t length = schedule->total_steps - schedule->warmup_steps;
    const double progress =
        length > 0 ? fmin(1.0, (double)(step - schedule->warmup_steps) / (double)length) : 1.0;
    const double decay = decay_of(schedule->kind, progress);
    return schedule->peak * (schedule->min_ratio + (1.0 - schedule->min_ratio) * decay);
}
