/* sampler.c - see sampler.h. */
#include "policy/sampler.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "tensor/kernels/kernel_sample.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* What a draw reckons with: weights are exp((logit - max) / T), the largest is 1. */
struct row {
    const float *logits;
    int64_t vocab;
    float inverse_temperature;
    struct kernel_softmax softmax; /* at that temperature */
};

struct sampler_config sampler_config_plain(void) {
    return (struct sampler_config){.temperature = 1.0, .top_p = 1.0};
}

enum err_code sampler_config_check(const struct sampler_config *config, int64_t vocab,
                                   struct error *err) {
    /* The comparisons are false for NaN. */
    if (!(config->temperature >= 1e-3 && config->temperature <= 1e3)) {
        return err_set(err, ERR_USAGE,
                       "temperature %g is outside [0.001, 1000]; for the largest logit ask for "
                       "greedy decoding",
                       config->temperature);
    }
    if (config->top_k < 0 || config->top_k > vocab) {
        return err_set(err, ERR_USAGE,
                       "top_k %" PRId64 " is outside [0, %" PRId64 "], the vocabulary",
                       config->top_k, vocab);
    }
    if (!(config->top_p > 0.0 && config->top_p <= 1.0)) {
        return err_set(err, ERR_USAGE, "top_p %g is outside (0, 1]", config->top_p);
    }
    if (!(config->min_p >= 0.0 && config->min_p <= 1.0)) {
        return err_set(err, ERR_USAGE, "min_p %g is outside [0, 1]", config->min_p);
    }
    return ERR_OK;
}

enum err_code sampler_init(int64_t vocab, struct sampler *out, struct error *err) {
    ASSERT_LE(1, vocab);
    struct sampler sampler = {.vocab = vocab};
    int64_t blocks = (vocab + KERNEL_SOFTMAX_BLOCK - 1) / KERNEL_SOFTMAX_BLOCK;
    sampler.blocks = mem_array((size_t)blocks, sizeof *sampler.blocks);
    sampler.candidates = mem_array((size_t)vocab, sizeof *sampler.candidates);
    if (!sampler.blocks || !sampler.candidates) {
        sampler_deinit(&sampler);
        return err_oom(err, "sampler");
    }
    *out = sampler;
    return ERR_OK;
}

void sampler_deinit(struct sampler *sampler) {
    mem_free(sampler->blocks);
    mem_free(sampler->candidates);
    *sampler = (struct sampler){0};
}

static void scan(struct sampler *sampler, struct row *row) {
    kernel_softmax_scan(
        &(struct kernel_softmax_args){
            .logits = row->logits,
            .n = row->vocab,
            .inverse_temperature = row->inverse_temperature,
            .blocks = sampler->blocks,
        },
        KERNEL_ISA_BEST, &row->softmax);
}

static double weight_of(const struct row *row, float logit) {
    return (double)kernel_softmax_weight(logit, row->softmax.max, row->inverse_temperature);
}

static double logp_of(const struct row *row, float logit, double total) {
    double distance = (double)logit - (double)row->softmax.max;
    return distance * (double)row->inverse_temperature - log(total);
}

/* --- everything kept -------------------------------------------------------------------------- */

/* The first token at which the running sum passes `target`. A block's sum and the running sum may
 * differ in their last bits: then it is the block's last token that can be drawn. */
static int64_t find_in_block(const struct row *row, int64_t begin, double sum, double target) {
    int64_t end = begin + KERNEL_SOFTMAX_BLOCK;
    int64_t token = begin;
    for (int64_t i = begin; i < end && i < row->vocab; i++) {
        double weight = weight_of(row, row->logits[i]);
        if (weight > 0.0) {
            token = i;
        }
        sum += weight;
        if (sum > target) {
            return i;
        }
    }
    return token;
}

static int64_t draw_any(const struct sampler *sampler, const struct row *row, double uniform) {
    double target = uniform * row->softmax.total;
    double before = 0.0;
    int64_t last = -1; /* block that can be drawn */
    double before_last = 0.0;
    for (int64_t begin = 0; begin < row->vocab; begin += KERNEL_SOFTMAX_BLOCK) {
        double sum = sampler->blocks[begin / KERNEL_SOFTMAX_BLOCK];
        if (sum > 0.0) {
            last = begin;
            before_last = before;
        }
        before += sum;
        if (before > target) {
            break;
        }
    }
    ASSERT_LE(0, last); /* the largest weight is 1 */
    return find_in_block(row, last, before_last, target);
}

/* --- some cut off ----------------------------------------------------------------------------- */

/* Larger logits first, then lower ids. */
static int compare_candidates(const void *left, const void *right) {
    const struct sampler_candidate *a = left;
    const struct sampler_candidate *b = right;
    if (a->logit != b->logit) {
        return a->logit > b->logit ? -1 : 1;
    }
    return (a->token > b->token) - (a->token < b->token);
}

#define STEPS_PER_NAT 32
#define STEP_COUNT    1024 /* the last one takes all that is more than 32 nats below */

/* Which step below the largest a logit stands on; equal logits stand on one step. */
static int64_t step_of(const struct row *row, float logit) {
    float steps = (row->softmax.max - logit) * (float)STEPS_PER_NAT;
    return steps < (float)(STEP_COUNT - 1) ? (int64_t)steps : STEP_COUNT - 1;
}

static void count_steps(const struct row *row, int64_t counts[STEP_COUNT]) {
    for (int64_t i = 0; i < row->vocab; i++) {
        counts[step_of(row, row->logits[i])]++;
    }
}

/* The step on which the k-th largest logit stands. */
static int64_t step_of_kth(const int64_t counts[STEP_COUNT], int64_t k) {
    int64_t step = 0;
    for (int64_t seen = counts[0]; seen < k; seen += counts[step]) {
        step++;
    }
    return step;
}

/* A step to which the weights surely sum to `share`: each is at least that of its step's end. */
static int64_t step_of_share(const struct row *row, const int64_t counts[STEP_COUNT],
                             double share) {
    double sum = 0.0;
    for (int64_t step = 0; step < STEP_COUNT - 1; step++) {
        double distance = (double)(step + 1) / STEPS_PER_NAT;
        sum += (double)counts[step] * exp(-distance * (double)row->inverse_temperature);
        if (sum >= share * (1.0 + 1e-6)) {
            return step;
        }
    }
    return STEP_COUNT - 1;
}

/* A step below which every weight is less than `weight`. */
static int64_t step_of_weight(const struct row *row, double weight) {
    double steps = -log(weight) / (double)row->inverse_temperature * STEPS_PER_NAT + 1.0;
    return steps < (double)(STEP_COUNT - 1) ? (int64_t)steps : STEP_COUNT - 1;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The last step that can hold anything kept. All tokens lighter than (1 - p) total / V together
 * weigh less than (1 - p) total, so top-p drops them all; half of it leaves room for rounding. */
static int64_t lowest_step(const struct sampler_config *config, const struct row *row) {
    int64_t counts[STEP_COUNT] = {0};
    int64_t lowest = STEP_COUNT - 1;
    count_steps(row, counts);
    if (config->top_k > 0) {
        return step_of_kth(counts, config->top_k); /* top_p takes its share of all k */
    }
    if (config->min_p > 0.0) {
        lowest = smaller(lowest, step_of_weight(row, config->min_p));
    }
    if (config->top_p < 1.0) {
        double total = row->softmax.total;
        double ruled_out = 0.5 * (1.0 - config->top_p) * total / (double)row->vocab;
        lowest = smaller(lowest, step_of_weight(row, ruled_out));
        lowest = smaller(lowest, step_of_share(row, counts, config->top_p * total));
    }
    return lowest;
}

/* A superset of what is kept, and few, so that sorting is cheap. */
static int64_t gather(struct sampler *sampler, const struct sampler_config *config,
                      const struct row *row) {
    int64_t lowest = lowest_step(config, row);
    int64_t count = 0;
    for (int64_t i = 0; i < row->vocab; i++) {
        float logit = row->logits[i];
        if (step_of(row, logit) <= lowest) {
            sampler->candidates[count++] = (struct sampler_candidate){logit, (int32_t)i};
        }
    }
    qsort(sampler->candidates, (size_t)count, sizeof *sampler->candidates, compare_candidates);
    return count;
}

/* How many of the sorted candidates are kept, and their weight. */
static int64_t cut(const struct sampler *sampler, const struct sampler_config *config,
                   const struct row *row, int64_t count, double *out_total) {
    const struct sampler_candidate *candidate = sampler->candidates;
    double total = row->softmax.total; /* of what top_p takes its share of */
    if (config->top_k > 0) {
        total = 0.0;
        int64_t kept = 0;
        for (; kept < count; kept++) {
            bool is_among_k = kept < config->top_k;
            if (!is_among_k && candidate[kept].logit < candidate[config->top_k - 1].logit) {
                break;
            }
            total += weight_of(row, candidate[kept].logit);
        }
        count = kept;
    }
    double sum = 0.0;
    int64_t kept = 0;
    for (; kept < count; kept++) {
        double weight = weight_of(row, candidate[kept].logit);
        bool is_cut =
            weight < config->min_p || (config->top_p < 1.0 && sum >= config->top_p * total);
        if (kept > 0 && is_cut) {
            break;
        }
        sum += weight;
    }
    *out_total = sum;
    return kept;
}

static int64_t draw_candidate(const struct sampler *sampler, const struct row *row, int64_t count,
                              double target) {
    double sum = 0.0;
    for (int64_t i = 0; i < count - 1; i++) {
        sum += weight_of(row, sampler->candidates[i].logit);
        if (sum > target) {
            return i;
        }
    }
    return count - 1;
}

/* --- one token -------------------------------------------------------------------------------- */

static bool keeps_all(const struct sampler_config *config) {
    return config->top_k == 0 && config->top_p == 1.0 && config->min_p == 0.0;
}

/* With `row` at the model's own temperature 1. */
static struct sampler_choice choose(struct sampler *sampler, const struct sampler_config *config,
                                    const struct row *model, struct rng *rng) {
    int64_t token = model->softmax.argmax;
    double logp = 0.0;
    if (!config->is_greedy) {
        struct row row = *model;
        row.inverse_temperature = (float)(1.0 / config->temperature);
        if (row.inverse_temperature != 1.0F) {
            scan(sampler, &row);
        }
        double total = row.softmax.total;
        if (keeps_all(config)) {
            token = draw_any(sampler, &row, rng_uniform(rng));
        } else {
            int64_t count = cut(sampler, config, &row, gather(sampler, config, &row), &total);
            int64_t place = draw_candidate(sampler, &row, count, rng_uniform(rng) * total);
            token = sampler->candidates[place].token;
        }
        logp = logp_of(&row, row.logits[token], total);
    }
    return (struct sampler_choice){
        .token = (int32_t)token,
        .logp_nats = logp,
        .model_logp_nats = logp_of(model, model->logits[token], model->softmax.total),
    };
}

enum err_code sampler_draw(struct sampler *sampler, const struct sampler_config *config,
                           const float *logits, struct rng *rng, struct sampler_choice *out,
                           struct error *err) {
    struct row row = {.logits = logits, .vocab = sampler->vocab, .inverse_temperature = 1.0F};
    scan(sampler, &row);
    int64_t bad = row.softmax.nonfinite;
    if (bad >= 0) {
        return err_set(err, ERR_DATA,
                       "the logit of token %" PRId64 " is %g: the weights hold values that are not "
                       "finite, or too large",
                       bad, (double)logits[bad]);
    }
    *out = choose(sampler, config, &row, rng);
    return ERR_OK;
}
