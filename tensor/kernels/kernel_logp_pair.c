/* kernel_logp_pair.c - see kernel_logp_pair.h. */
#include "tensor/kernels/kernel_logp_pair.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_logp_internal.h"
#include "tensor/kernels/kernel_logp_rows_internal.h"

#include <math.h>

#define LOG_Q_LOWEST (-1e30F)

struct add_plan {
    const struct kernel_logp_pair *pair;
    const struct kernel_logp_pair_stats *stats;
};

struct grad_plan {
    const struct kernel_logp_pair *pair;
    const struct kernel_logp_pair_upstream *upstream;
};

/* --- one column ------------------------------------------------------------------------------- */

/* What the reference says of one column. */
struct reference_column {
    float log_q;
    float beta;
    float log_w;
};

/* The reference's part of a row that does not depend on the column. */
struct reference_row {
    float max;
    float log_sum;
    struct kernel_logp_weights weights;
};

static KERNEL_INLINE struct reference_row reference_row_of(const struct kernel_logp_pair *pair,
                                                           int64_t r) {
    return (struct reference_row){.max = pair->reference_max[r],
                                  .log_sum = pair->reference_log_sum[r],
                                  .weights = pair->weights};
}

/* From the reference's logit u. */
static KERNEL_INLINE struct reference_column reference_at(struct reference_row row, float u) {
    float log_q = (u - row.max) - row.log_sum;
    log_q = log_q < LOG_Q_LOWEST ? LOG_Q_LOWEST : log_q; /* a NaN stays one */
    const bool is_in = log_q > row.weights.log_alpha;
    return (struct reference_column){
        .log_q = log_q,
        .beta = is_in ? row.weights.beta_in : row.weights.beta_out,
        .log_w = is_in ? 0.0F : log_q,
    };
}

/* --- sums ------------------------------------------------------------------------------------- */

struct pair_sums {
    struct logp_sums policy;
    float relative;
    float beta;
    float matching;
};

static KERNEL_INLINE struct pair_sums sums_at(const struct kernel_logp_pair_stats *s, int64_t r) {
    return (struct pair_sums){
        .policy = {s->policy.max[r], s->policy.sum[r], s->policy.weighted[r]},
        .relative = s->relative[r],
        .beta = s->beta[r],
        .matching = s->matching[r],
    };
}

static KERNEL_INLINE void put_sums(const struct kernel_logp_pair_stats *s, int64_t r,
                                   struct pair_sums sums) {
    s->policy.max[r] = sums.policy.max;
    s->policy.sum[r] = sums.policy.sum;
    s->policy.weighted[r] = sums.policy.weighted;
    s->relative[r] = sums.relative;
    s->beta[r] = sums.beta;
    s->matching[r] = sums.matching;
}

/* The same relative to a maximum that is `below` less. */
static KERNEL_INLINE struct pair_sums lowered(struct pair_sums s, float below) {
    const float factor = kernel_exp(below);
    s.relative = factor * (s.relative + below * s.policy.sum);
    s.matching = factor * (s.matching + below * s.beta);
    s.beta = factor * s.beta;
    return s;
}

/* The sums over the columns of both. */
static KERNEL_INLINE struct pair_sums join(struct pair_sums a, struct pair_sums b) {
    const struct logp_sums policy = kernel_logp_join(a.policy, b.policy);
    a = lowered(a, kernel_logp_below(a.policy.max, policy.max));
    b = lowered(b, kernel_logp_below(b.policy.max, policy.max));
    return (struct pair_sums){.policy = policy,
                              .relative = a.relative + b.relative,
                              .beta = a.beta + b.beta,
                              .matching = a.matching + b.matching};
}

struct pair_lanes {
    float sum[LANES];
    float weighted[LANES];
    float relative[LANES];
    float beta[LANES];
    float matching[LANES];
};

static KERNEL_INLINE void add_column(struct pair_lanes *lanes, int64_t l, float below,
                                     struct reference_column q) {
    const float e = kernel_exp(below);
    const float scaled = e * q.beta;
    lanes->sum[l] += e;
    lanes->weighted[l] += e * below;
    lanes->relative[l] += e * (below - q.log_q);
    lanes->beta[l] += scaled;
    lanes->matching[l] += scaled * (below - q.log_w);
}

static KERNEL_INLINE struct pair_sums sums_of(const float *x, const float *u,
                                              struct reference_row row, int64_t n) {
    struct pair_lanes lanes = {.sum = {0}};
    const float max = max_of(x, n);
    const int64_t whole = n - n % LANES;
    for (int64_t j = 0; j < whole; j += LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < LANES; l++) {
            add_column(&lanes, l, kernel_logp_below(x[j + l], max), reference_at(row, u[j + l]));
        }
    }
    for (int64_t j = whole; j < n; j++) {
        add_column(&lanes, j - whole, kernel_logp_below(x[j], max), reference_at(row, u[j]));
    }
    return (struct pair_sums){
        .policy = {max, add_lanes(lanes.sum), add_lanes(lanes.weighted)},
        .relative = add_lanes(lanes.relative),
        .beta = add_lanes(lanes.beta),
        .matching = add_lanes(lanes.matching),
    };
}

static KERNEL_INLINE void add_range(const struct add_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_pair *pair = plan->pair;
    const struct kernel_logp_block *b = &pair->policy;
    for (int64_t r = begin; r < end; r++) {
        const float *x = logits_of_row(b, r);
        const float *u = logits_of_row(&pair->reference, r);
        const struct pair_sums sums = sums_of(x, u, reference_row_of(pair, r), b->columns);
        put_sums(plan->stats, r, join(sums_at(plan->stats, r), sums));
        const int64_t column = target_column(b, r);
        if (in_block(b, column)) {
            plan->stats->policy.target[r] = x[column];
        }
    }
}

/* --- the gradient ----------------------------------------------------------------------------- */

/* What of the gradient of row r does not depend on the column. */
struct pair_grad_row {
    float max;
    float log_sum;
    float constant; /* -g_logp - g_entropy H - g_kl K - g_matching (G - b) */
    float grad_logp;
    float grad_entropy;
    float grad_kl;
    float grad_matching;
    float scale;
};

static KERNEL_INLINE struct pair_grad_row
pair_grad_row_of(const struct kernel_logp_pair_upstream *u, float scale, int64_t r) {
    return (struct pair_grad_row){
        .max = u->max[r],
        .log_sum = u->log_sum[r],
        .constant = -u->grad_logp[r] - u->grad_entropy[r] * u->entropy[r] -
                    u->grad_kl[r] * u->kl[r] - u->grad_matching[r] * (u->matching[r] - u->beta[r]),
        .grad_logp = u->grad_logp[r],
        .grad_entropy = u->grad_entropy[r],
        .grad_kl = u->grad_kl[r],
        .grad_matching = u->grad_matching[r],
        .scale = scale,
    };
}

/* d z of one column, which is not the target. */
static KERNEL_INLINE float grad_of(struct pair_grad_row row, float x, struct reference_column q) {
    const float log_p = kernel_logp_below(x, row.max) - row.log_sum;
    const float p = kernel_exp(log_p);
    const float inner = row.constant - row.grad_entropy * log_p + row.grad_kl * (log_p - q.log_q) -
                        row.grad_matching * (q.beta * (log_p - q.log_w + 1.0F));
    return row.scale * (p * inner);
}

static KERNEL_INLINE void grad_range(const struct grad_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_logp_pair *pair = plan->pair;
    const struct kernel_logp_block *b = &pair->policy;
    for (int64_t r = begin; r < end; r++) {
        float *x = logits_of_row(b, r);
        const float *u = logits_of_row(&pair->reference, r);
        const struct pair_grad_row row = pair_grad_row_of(plan->upstream, b->scale, r);
        const struct reference_row reference = reference_row_of(pair, r);
        KERNEL_SIMD
        for (int64_t j = 0; j < b->columns; j++) {
            x[j] = grad_of(row, x[j], reference_at(reference, u[j]));
        }
        const int64_t column = target_column(b, r);
        if (in_block(b, column)) {
            x[column] += row.scale * row.grad_logp;
        }
    }
}

KERNEL_VARIANTS(add, struct add_plan)
KERNEL_VARIANTS(grad, struct grad_plan)

/* --- calls ------------------------------------------------------------------------------------ */

void kernel_logp_pair_start(const struct kernel_logp_pair_stats *stats, int64_t rows) {
    kernel_logp_start(&stats->policy, rows);
    for (int64_t r = 0; r < rows; r++) {
        stats->relative[r] = 0.0F;
        stats->beta[r] = 0.0F;
        stats->matching[r] = 0.0F;
    }
}

void kernel_logp_pair_add_cpu(const struct kernel_logp_pair *pair,
                              const struct kernel_logp_pair_stats *stats, struct kernel_cpu cpu) {
    ASSERT(cpu.threads == 1);
    ASSERT(pair->policy.rows == pair->reference.rows);
    ASSERT(pair->policy.columns == pair->reference.columns);
    struct add_plan plan = {.pair = pair, .stats = stats};
    kernel_run(&add_variants, &plan, pair->policy.rows, cpu);
}

void kernel_logp_pair_merge(const struct kernel_logp_pair_stats *stats,
                            const struct kernel_logp_pair_stats *more, int64_t rows) {
    for (int64_t r = 0; r < rows; r++) {
        put_sums(stats, r, join(sums_at(stats, r), sums_at(more, r)));
        if (isnan(stats->policy.target[r])) {
            stats->policy.target[r] = more->policy.target[r];
        }
    }
}

void kernel_logp_pair_finish(const struct kernel_logp_pair_stats *stats, int64_t rows,
                             const struct kernel_logp_pair_result *result) {
    kernel_logp_finish(&stats->policy, rows, &result->policy);
    for (int64_t r = 0; r < rows; r++) {
        const struct pair_sums s = sums_at(stats, r);
        const float log_sum = result->policy.log_sum[r];
        result->kl[r] = s.relative / s.policy.sum - log_sum;
        result->matching[r] = (log_sum * s.beta - s.matching) / s.policy.sum;
        result->beta[r] = s.beta / s.policy.sum;
    }
}

void kernel_logp_pair_grad_cpu(const struct kernel_logp_pair *pair,
                               const struct kernel_logp_pair_upstream *upstream,
                               const struct kernel_logp_grad *grad, struct kernel_cpu cpu) {
    ASSERT(cpu.threads == 1);
    struct grad_plan plan = {.pair = pair, .upstream = upstream};
    kernel_run(&grad_variants, &plan, pair->policy.rows, cpu);
    kernel_logp_store_grad(&pair->policy, grad, cpu);
}
