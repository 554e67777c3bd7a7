#include "policy/sampler.h"

#include "base/mem.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"

#define V_MAX 600

/* --- the distribution, by its definition ------------------------------------------------------ */

/* transformers 5, generation/logits_process.py, in its order: TemperatureLogitsWarper,
 * TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper; softmax of what is left. Equal logits are
 * sorted by falling id here, where torch.sort leaves it open. */

static void softmax(const double *scores, int64_t vocab, double *out) {
    double largest = -HUGE_VAL;
    double total = 0.0;
    for (int64_t i = 0; i < vocab; i++) {
        largest = fmax(largest, scores[i]);
    }
    for (int64_t i = 0; i < vocab; i++) {
        out[i] = exp(scores[i] - largest);
        total += out[i];
    }
    for (int64_t i = 0; i < vocab; i++) {
        out[i] /= total;
    }
}

/* Ids by rising score, equal ones by falling id. */
static void sort_rising(const double *scores, int64_t vocab, int64_t *out_order) {
    for (int64_t i = 0; i < vocab; i++) {
        int64_t at = i;
        while (at > 0 && scores[out_order[at - 1]] >= scores[i]) {
            out_order[at] = out_order[at - 1];
            at--;
        }
        out_order[at] = i;
    }
}

static void warp_top_k(double *scores, int64_t vocab, int64_t top_k) {
    int64_t order[V_MAX];
    sort_rising(scores, vocab, order);
    double kth = scores[order[vocab - top_k]];
    for (int64_t i = 0; i < vocab; i++) {
        scores[i] = scores[i] < kth ? -HUGE_VAL : scores[i];
    }
}

static void warp_top_p(double *scores, int64_t vocab, double top_p) {
    int64_t order[V_MAX];
    double probability[V_MAX];
    sort_rising(scores, vocab, order);
    softmax(scores, vocab, probability);
    double sum = 0.0;
    for (int64_t i = 0; i < vocab - 1; i++) { /* min_tokens_to_keep = 1 */
        sum += probability[order[i]];
        if (sum <= 1.0 - top_p) {
            scores[order[i]] = -HUGE_VAL;
        }
    }
}

static void warp_min_p(double *scores, int64_t vocab, double min_p) {
    double probability[V_MAX];
    double largest = 0.0;
    softmax(scores, vocab, probability);
    for (int64_t i = 0; i < vocab; i++) {
        largest = fmax(largest, probability[i]);
    }
    for (int64_t i = 0; i < vocab; i++) {
        scores[i] = probability[i] < min_p * largest ? -HUGE_VAL : scores[i];
    }
}

static void distribution(const struct sampler_config *c, const float *logits, int64_t vocab,
                         double *out) {
    double scores[V_MAX];
    for (int64_t i = 0; i < vocab; i++) {
        scores[i] = (double)logits[i] / c->temperature;
    }
    if (c->top_k > 0) {
        warp_top_k(scores, vocab, c->top_k);
    }
    if (c->top_p < 1.0) {
        warp_top_p(scores, vocab, c->top_p);
    }
    if (c->min_p > 0.0) {
        warp_min_p(scores, vocab, c->min_p);
    }
    softmax(scores, vocab, out);
}

/* --- drawing ---------------------------------------------------------------------------------- */

struct counts {
    int64_t drawn[V_MAX];
    double logp[V_MAX];
};

static struct sampler_choice draw_once(struct sampler *sampler, const struct sampler_config *c,
                                       const float *logits, struct rng *rng) {
    struct error err = ERROR_INIT;
    struct sampler_choice choice;
    assert_ok(sampler_draw(sampler, c, logits, rng, &choice, &err), &err);
    return choice;
}

static void draw_many(const struct sampler_config *c, const float *logits, int64_t vocab,
                      int64_t draws, struct counts *out) {
    struct error err = ERROR_INIT;
    struct sampler sampler = {0};
    assert_ok(sampler_init(vocab, &sampler, &err), &err);
    *out = (struct counts){0};
    for (int64_t i = 0; i < draws; i++) {
        struct rng rng = rng_stream(8, RNG_SAMPLE, 0, i);
        struct sampler_choice choice = draw_once(&sampler, c, logits, &rng);
        assert_true(choice.token >= 0 && choice.token < vocab);
        out->drawn[choice.token]++;
        out->logp[choice.token] = choice.logp_nats;
    }
    sampler_deinit(&sampler);
}

static const struct sampler_config configs[] = {
    {.temperature = 1.0, .top_p = 1.0},
    {.temperature = 0.5, .top_p = 1.0},
    {.temperature = 2.0, .top_p = 1.0},
    {.temperature = 1.0, .top_p = 1.0, .top_k = 3},
    {.temperature = 1.0, .top_p = 0.6},
    {.temperature = 1.0, .top_p = 1.0, .min_p = 0.3},
    {.temperature = 0.7, .top_p = 0.9, .top_k = 5, .min_p = 0.05},
    {.temperature = 1.5, .top_p = 0.8, .top_k = 8},
    {.temperature = 1.0, .top_p = 0.8, .top_k = 9, .min_p = 0.2}, /* top_p's share is of 9 */
    {.temperature = 1.0, .top_p = 1e-6},
    {.temperature = 1.0, .top_p = 1.0, .min_p = 1.0},
    {.temperature = 1.0, .top_p = 1.0, .top_k = 1},
};
#define CONFIGS ((int64_t)(sizeof configs / sizeof configs[0]))

/* 20,000 draws; the 0.9999 quantile of chi-square with k degrees of freedom is below
 * k + 3.72 sqrt(2 k) + 13 for k up to 20. Tokens of probability 0 are never drawn, and the
 * log-probabilities are those of the distribution. */
static void check_distribution(const struct sampler_config *c, const float *logits, int64_t vocab) {
    enum { DRAWS = 20000 };
    double probability[V_MAX];
    struct counts counts;
    distribution(c, logits, vocab, probability);
    draw_many(c, logits, vocab, DRAWS, &counts);
    double chi_square = 0.0;
    int64_t kept = 0;
    for (int64_t i = 0; i < vocab; i++) {
        double expected = probability[i] * DRAWS;
        if (expected == 0.0) {
            assert_int_equal(counts.drawn[i], 0);
            continue;
        }
        kept++;
        double gap = (double)counts.drawn[i] - expected;
        chi_square += gap * gap / expected;
        if (counts.drawn[i] > 0) {
            assert_near(counts.logp[i], log(probability[i]), 1e-6);
        }
    }
    double freedom = (double)(kept - 1);
    assert_true(chi_square <= freedom + 3.72 * sqrt(2.0 * freedom) + 13.0);
}

static void test_sampler_draw__follows_the_distribution_of_transformers(void **state) {
    (void)state;
    float logits[10];
    struct rng rng = rng_stream(7, RNG_TEST, 0, 0);
    rng_fill_normal_f32(&rng, logits, 10);
    logits[3] = logits[7]; /* equal, for the cuts */
    logits[2] = logits[5] = 1.0F;
    for (int64_t i = 0; i < CONFIGS; i++) {
        check_distribution(&configs[i], logits, 10);
    }
}

/* Many blocks of the sum, most of them of next to no weight. */
static void test_sampler_draw__finds_tokens_in_every_block(void **state) {
    (void)state;
    float logits[V_MAX];
    for (int64_t i = 0; i < V_MAX; i++) {
        int64_t part = i / 150;
        logits[i] = i % 150 == 149 ? (float)part * 0.5F : -120.0F;
    }
    for (int64_t i = 0; i < CONFIGS; i++) {
        check_distribution(&configs[i], logits, V_MAX);
    }
}

/* p = [0.5, 0.25, 0.125, 0.125]: 0.5 is reached by the first alone, 0.6 by the first two. */
static void test_sampler_draw__top_p_keeps_the_token_that_crosses(void **state) {
    (void)state;
    const float logits[] = {logf(0.5F), logf(0.25F), logf(0.125F), logf(0.125F)};
    struct counts counts;
    struct sampler_config c = {.temperature = 1.0, .top_p = 0.499};
    draw_many(&c, logits, 4, 100, &counts);
    assert_int_equal(counts.drawn[0], 100);
    assert_near(counts.logp[0], 0.0, 1e-12);
    c.top_p = 0.6;
    draw_many(&c, logits, 4, 1000, &counts);
    assert_int_equal(counts.drawn[0] + counts.drawn[1], 1000);
    assert_near(counts.logp[0], log(2.0 / 3.0), 1e-6);
    assert_near(counts.logp[1], log(1.0 / 3.0), 1e-6);
}

static void test_sampler_draw__both_log_probabilities(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const float logits[] = {0.0F, logf(3.0F)}; /* p = 1/4, 3/4; at temperature 1/2: 1/10, 9/10 */
    struct sampler sampler = {0};
    assert_ok(sampler_init(2, &sampler, &err), &err);
    struct sampler_config c = {.temperature = 0.5, .top_p = 1.0};
    for (int64_t i = 0; i < 50; i++) {
        struct rng rng = rng_stream(9, RNG_SAMPLE, 0, i);
        struct sampler_choice choice = draw_once(&sampler, &c, logits, &rng);
        assert_near(choice.logp_nats, log(choice.token ? 0.9 : 0.1), 1e-6);
        assert_near(choice.model_logp_nats, log(choice.token ? 0.75 : 0.25), 1e-6);
    }
    c.is_greedy = true;
    struct rng rng = rng_stream(9, RNG_SAMPLE, 0, 0);
    struct sampler_choice choice = draw_once(&sampler, &c, logits, &rng);
    assert_int_equal(choice.token, 1);
    assert_true(choice.logp_nats == 0.0);
    assert_near(choice.model_logp_nats, log(0.75), 1e-6);
    sampler_deinit(&sampler);
}

static void test_sampler_draw__refuses_what_is_not_finite(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const float logits[] = {0.0F, 1.0F, NAN, INFINITY};
    struct sampler sampler = {0};
    assert_ok(sampler_init(4, &sampler, &err), &err);
    struct rng rng = rng_stream(9, RNG_SAMPLE, 0, 0);
    struct sampler_choice choice = {.token = -7};
    assert_fails(sampler_draw(&sampler, &configs[0], logits, &rng, &choice, &err), ERR_DATA,
                 "the logit of token 2 is nan", &err);
    assert_int_equal(choice.token, -7);
    sampler_deinit(&sampler);
}

static void test_sampler_config_check__names_what_is_out_of_range(void **state) {
    (void)state;
    static const struct {
        struct sampler_config config;
        const char *part;
    } cases[] = {
        {{.temperature = 0.0, .top_p = 1.0}, "temperature 0 is outside [0.001, 1000]"},
        {{.temperature = (double)NAN, .top_p = 1.0}, "temperature nan"},
        {{.temperature = 1.0, .top_p = 1.0, .top_k = 11}, "top_k 11 is outside [0, 10]"},
        {{.temperature = 1.0, .top_p = 1.0, .top_k = -1}, "top_k -1"},
        {{.temperature = 1.0, .top_p = 0.0}, "top_p 0 is outside (0, 1]"},
        {{.temperature = 1.0, .top_p = 1.5}, "top_p 1.5"},
        {{.temperature = 1.0, .top_p = 1.0, .min_p = -0.1}, "min_p -0.1 is outside [0, 1]"},
    };
    for (int64_t i = 0; i < 7; i++) {
        struct error err = ERROR_INIT;
        assert_fails(sampler_config_check(&cases[i].config, 10, &err), ERR_USAGE, cases[i].part,
                     &err);
    }
    struct sampler_config plain = sampler_config_plain();
    struct error err = ERROR_INIT;
    assert_ok(sampler_config_check(&plain, 10, &err), &err);
}

static enum err_code make_sampler(void *context, struct error *err) {
    (void)context;
    struct sampler sampler = {0};
    TRY(sampler_init(1000, &sampler, err));
    sampler_deinit(&sampler);
    return ERR_OK;
}

static void test_sampler_init__fails_cleanly_without_memory(void **state) {
    (void)state;
    alloc_loop_check(make_sampler, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampler_draw__follows_the_distribution_of_transformers),
        cmocka_unit_test(test_sampler_draw__finds_tokens_in_every_block),
        cmocka_unit_test(test_sampler_draw__top_p_keeps_the_token_that_crosses),
        cmocka_unit_test(test_sampler_draw__both_log_probabilities),
        cmocka_unit_test(test_sampler_draw__refuses_what_is_not_finite),
        cmocka_unit_test(test_sampler_config_check__names_what_is_out_of_range),
        cmocka_unit_test(test_sampler_init__fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
