/* lr_schedule.h - the learning rate of each step.
 *
 * Use:      const struct lr_schedule schedule = {.kind = LR_COSINE, .peak = 2e-5, .min_ratio = 0.1,
 *                                                .warmup_steps = 10, .total_steps = 1000};
 *           double learning_rate = lr_schedule_at(&schedule, step);
 * Shape:    from 0 up to the peak over the warm-up, linearly; then by kind down to min_ratio * peak
 * at total_steps. Step 0 of a warm-up has learning rate 0, as in transformers, whose linear,
 *           cosine, cosine_with_min_lr and constant_with_warmup these are.
 * Threads:  no state.
 */
#ifndef TRAINER_LR_SCHEDULE_H
#define TRAINER_LR_SCHEDULE_H

#include <stdint.h>

#define LR_KINDS(X)     \
    X(LINEAR, "linear") \
    X(COSINE, "cosine") \
    X(CONSTANT, "constant")

enum lr_kind {
#define LR_KIND_ENUM(name, text) LR_##name,
    LR_KINDS(LR_KIND_ENUM)
#undef LR_KIND_ENUM
        LR_KIND_COUNT
};

struct lr_schedule {
    enum lr_kind kind;
    double peak;
    double min_ratio;     /* in [0, 1]; not of CONSTANT */
    int64_t warmup_steps; /* >= 0 */
    int64_t total_steps;  /* >= 1 */
};

/* The learning rate of step 0, 1, ...; behind total_steps that of the end. */
double lr_schedule_at(const struct lr_schedule *schedule, int64_t step);

/* "linear" and the others, by enum value; for FIELD_ENUM. */
extern const char *const lr_kind_names[LR_KIND_COUNT];

#endif
