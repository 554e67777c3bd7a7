/* test_shared_prefix.c - what shares its beginning gives what it gives written out: attention on
 * the CPU and its gradients, and the log-probabilities, scores and gradients of models. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "policy/model.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- attention -------------------------------------------------------------------------------- */

#define SEQUENCES_MAX 12
#define LENGTH_MAX    150
#define ROWS_MAX      (2 * SEQUENCES_MAX * LENGTH_MAX)

/* Sequences that continue others, and the same written out. */
struct layout {
    int64_t starts[SEQUENCES_MAX + 1], prefixes[SEQUENCES_MAX], count;
    int64_t whole_starts[SEQUENCES_MAX + 1];
    int64_t rows[ROWS_MAX];  /* of the layout, by row written out */
    int64_t place[ROWS_MAX]; /* the other way: where a row's own sequence has it */
};

/* Lengths on both sides of blocks of 64, and some of one; a third of the sequences continue none.
 */
static struct layout draw_layout(struct rng *rng) {
    struct layout l = {.count = 1 + rng_below(rng, SEQUENCES_MAX)};
    int64_t whole = 0;
    for (int64_t i = 0; i < l.count; i++) {
        const int64_t from = i > 0 && rng_below(rng, 3) > 0 ? rng_below(rng, i) : -1;
        const int64_t length = rng_below(rng, 4) == 0 ? 1 : 1 + rng_below(rng, LENGTH_MAX);
        l.prefixes[i] = from < 0 || l.prefixes[from] < 0 ? from : l.prefixes[from];
        l.starts[i + 1] = l.starts[i] + length;
        l.whole_starts[i] = whole;
        const int64_t prefix = l.prefixes[i];
        for (int64_t r = prefix < 0 ? 0 : l.starts[prefix]; prefix >= 0 && r < l.starts[prefix + 1];
             r++) {
            l.rows[whole++] = r;
        }
        for (int64_t r = l.starts[i]; r < l.starts[i + 1]; r++) {
            l.place[r] = whole;
            l.rows[whole++] = r;
        }
    }
    l.whole_starts[l.count] = whole;
    return l;
}

struct heads {
    int64_t queries, keys, dim;
};

#define INPUTS 3

struct attended {
    tt_tensor *value;        /* [N, H, d] */
    tt_tensor *grad[INPUTS]; /* of sum(value * factors) */
};

static tt_tensor *drawn(tt_scope *s, int64_t seed, int64_t item, struct tt_shape shape) {
    const struct rng rng = rng_stream(17, RNG_TEST, seed, item);
    return tt_cast(s, tt_rand_normal(s, &rng, shape), TT_F32);
}

/* q, k and v are rows of leaves in f32, so that where rows are repeated their gradients are added
 * up in f32. */
static struct attended attend(tt_scope *s, const struct layout *l, const struct heads *heads,
                              int64_t seed, enum tt_dtype dtype, bool written_out) {
    struct error err = ERROR_INIT;
    const int64_t N = l->starts[l->count];
    const int64_t whole = l->whole_starts[l->count];
    tt_tensor *leaf[INPUTS];
    tt_tensor *in[INPUTS];
    for (int64_t i = 0; i < INPUTS; i++) {
        const int64_t H = i == 0 ? heads->queries : heads->keys;
        leaf[i] = tt_leaf(s, drawn(s, seed, i, TT_SHAPE(N, H, heads->dim)));
        in[i] = leaf[i];
        if (written_out) {
            in[i] = tt_index_select(s, in[i], 0, tt_from_i64(s, l->rows, TT_SHAPE(whole)));
        }
        in[i] = tt_cast(s, in[i], dtype);
    }
    const struct tt_sequences sequences = {.starts = written_out ? l->whole_starts : l->starts,
                                           .count = l->count,
                                           .prefixes = written_out ? NULL : l->prefixes};
    const double scale = 1.0 / sqrt((double)heads->dim);
    struct attended out = {.value = tt_attention_packed(s, in[0], in[1], in[2], sequences, scale)};
    if (written_out) {
        out.value = tt_index_select(s, out.value, 0, tt_from_i64(s, l->place, TT_SHAPE(N)));
    }
    out.value = tt_cast(s, out.value, TT_F32);
    tt_tensor *factors = drawn(s, seed, INPUTS, tt_shape_of(out.value));
    assert_ok(tt_backward(s, tt_sum(s, tt_mul(s, out.value, factors)), &err), &err);
    for (int64_t i = 0; i < INPUTS; i++) {
        out.grad[i] = tt_leaf_grad(s, leaf[i]);
    }
    return out;
}

static void check_attention(enum tt_dtype dtype, double tolerance) {
    static const struct heads heads[] = {{4, 2, 16}, {3, 1, 64}, {2, 2, 7}};
    for (int64_t seed = 0; seed < 12; seed++) {
        SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_GRAD);
        struct rng rng = rng_stream(17, RNG_TEST, seed, INPUTS + 1);
        const struct layout l = draw_layout(&rng);
        const struct heads *of = &heads[seed % 3];
        const struct attended got = attend(s, &l, of, seed, dtype, false);
        const struct attended expected = attend(s, &l, of, seed, dtype, true);
        char what[32];
        (void)snprintf(what, sizeof what, "seed %d", (int)seed);
        tensor_check_near(s, got.value, expected.value, tolerance, TENSOR_FOR(what));
        for (int64_t i = 0; i < INPUTS; i++) {
            tensor_check_near(s, got.grad[i], expected.grad[i], tolerance, TENSOR_FOR(what));
        }
    }
}

static void test_attention__equals_that_written_out_in_f32(void **state) {
    (void)state;
    check_attention(TT_F32, 1e-5);
}

/* Of the largest value: results differ by one rounding of 2^-8 and gradients of a prefix, which
 * here are rounded once and there for each sequence, by a few. */
static void test_attention__equals_that_written_out_in_bf16(void **state) {
    (void)state;
    check_attention(TT_BF16, 0x1p-7);
}

/* --- models ----------------------------------------------------------------------------------- */

#define TOL_MODEL 1e-5 /* in f32; of log-probabilities, scores, and gradients by their norms */
#define TEXTS_MAX 8
#define GROUPS    3 /* of texts in a batch */

/* Texts of which those of a group begin with the same tokens, and go on with targets, the first of
 * which they have in common too. */
struct group {
    int32_t ids[TEXTS_MAX][LENGTH_MAX];
    bool is_target[LENGTH_MAX];
    struct token_sequence texts[TEXTS_MAX];
    int64_t prefix, count;
};

static void draw_group(struct rng *rng, const struct model_config *config, struct group *g) {
    const int64_t half = (config->context < LENGTH_MAX ? config->context : LENGTH_MAX) / 2;
    g->prefix = 1 + rng_below(rng, half);
    g->count = 1 + rng_below(rng, TEXTS_MAX);
    for (int64_t t = 0; t < LENGTH_MAX; t++) {
        g->is_target[t] = t >= g->prefix;
    }
    for (int64_t i = 0; i < g->count; i++) {
        const int64_t count = g->prefix + 1 + rng_below(rng, half);
        for (int64_t t = 0; t < count; t++) {
            g->ids[i][t] =
                i > 0 && t <= g->prefix ? g->ids[0][t] : (int32_t)rng_below(rng, config->vocab);
        }
        g->texts[i] =
            (struct token_sequence){.ids = g->ids[i], .is_target = g->is_target, .count = count};
    }
}

static void add_shared(struct packed_batch *batch, const struct group *g, bool has_scores) {
    struct error err = ERROR_INIT;
    const enum packed_want want = has_scores ? PACKED_ENDS : PACKED_TARGETS;
    assert_ok(packed_batch_add_texts(batch, want, g->texts, g->count, &err), &err);
}

static void add_written_out(struct packed_batch *batch, const struct group *g) {
    struct error err = ERROR_INIT;
    for (int64_t i = 0; i < g->count; i++) {
        assert_ok(packed_batch_add(batch, g->ids[i], g->texts[i].count, g->is_target, &err), &err);
    }
}

/* Scores or log-probabilities, and into the model the gradients of their sum times factors. */
static tt_tensor *run_model(tt_scope *s, struct model *model, const struct packed_batch *batch) {
    struct error err = ERROR_INIT;
    tt_tensor *hidden = model_hidden(s, model, batch);
    const bool has_scores = model_config_of(model)->head == MODEL_HEAD_SCORE;
    tt_tensor *value = has_scores ? model_scores(s, model, hidden, batch)
                                  : model_token_logp(s, model, hidden, batch).logp;
    tt_tensor *factors = drawn(s, 0, 0, tt_shape_of(value));
    assert_ok(tt_backward(s, tt_sum(s, tt_mul(s, value, factors)), &err), &err);
    return tt_detach(s, value);
}

/* The norm of the difference over the norm. */
static void check_gradients(tt_scope *s, struct tt_params *got, struct tt_params *expected,
                            const char *what) {
    struct error err = ERROR_INIT;
    for (int64_t i = 0; i < tt_params_count(expected); i++) {
        const char *name = tt_params_spec(expected, i).name;
        tt_tensor *right = tt_param_grad(s, expected, name);
        double norm = 0;
        double off = 0;
        assert_ok(tt_item_f64(s, tt_norm(s, right), &norm, &err), &err);
        tt_tensor *difference = tt_sub(s, tt_param_grad(s, got, name), right);
        assert_ok(tt_item_f64(s, tt_norm(s, difference), &off, &err), &err);
        if (!(off <= TOL_MODEL * fmax(norm, 1.0))) {
            fail_msg("%s: gradient of %s is off by %g of its norm %g", what, name, off / norm,
                     norm);
        }
    }
}

static struct model *open_model(const char *path, enum model_head_kind head, bool recompute) {
    struct error err = ERROR_INIT;
    struct model *model = NULL;
    const struct model_options options = {.compute = TT_F32,
                                          .training = MODEL_TRAIN_ALL,
                                          .recompute = recompute,
                                          .head = head,
                                          .score_init_std = 1.0,
                                          .seed = 5};
    assert_ok(model_open(path, &options, &model, &err), &err);
    return model;
}

static void check_batches(const char *path, enum model_head_kind head, bool recompute,
                          int64_t seed) {
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *sharing = open_model(path, head, recompute);
    SCOPED(model) struct model *plain = open_model(path, head, false);
    SCOPED(packed_batch) struct packed_batch shared = PACKED_BATCH_INIT;
    SCOPED(packed_batch) struct packed_batch whole = PACKED_BATCH_INIT;
    SCOPED(mem) struct group *group = mem_array_zero(1, sizeof *group);
    assert_non_null(group);
    struct rng rng = rng_stream(19, RNG_TEST, seed, 0);
    for (int i = 0; i < GROUPS; i++) {
        draw_group(&rng, model_config_of(plain), group);
        add_shared(&shared, group, head == MODEL_HEAD_SCORE);
        add_written_out(&whole, group);
    }
    assert_true(shared.tokens < whole.tokens);
    assert_ok(packed_batch_fill(&shared, 8, 8, &err), &err);
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *got = run_model(s, sharing, &shared);
    tt_tensor *expected = run_model(s, plain, &whole);
    char what[600];
    (void)snprintf(what, sizeof what, "%s, seed %d", path, (int)seed);
    tensor_check_near(s, got, expected, TOL_MODEL, TENSOR_FOR(what));
    check_gradients(s, model_trained(sharing), model_trained(plain), what);
}

static const char *path_of(const char *model) {
    return strncmp(model, "preset:", 7) == 0 ? model : model_case_path(model);
}

/* The preset has room for several blocks of attention. */
static void test_log_probabilities__equal_those_written_out(void **state) {
    (void)state;
    static const char *const models[] = {"gpt2",    "opt",   "llama",      "llama3",
                                         "mistral", "qwen3", "preset:tiny"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        for (int64_t seed = 0; seed < 2; seed++) {
            check_batches(path_of(models[m]), MODEL_HEAD_LM, seed == 1, seed);
        }
    }
}

static void test_scores__equal_those_written_out(void **state) {
    (void)state;
    static const char *const models[] = {"gpt2_score", "llama_score", "qwen2_score", "preset:tiny"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        for (int64_t seed = 0; seed < 2; seed++) {
            check_batches(path_of(models[m]), MODEL_HEAD_SCORE, seed == 1, seed);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_attention__equals_that_written_out_in_f32),
        tensor_test(test_attention__equals_that_written_out_in_bf16),
        tensor_test(test_log_probabilities__equal_those_written_out),
        tensor_test(test_scores__equal_those_written_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
