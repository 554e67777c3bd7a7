#include "policy/decoder.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/reference_decoder.h"
#include "tests/support/test.h"

#include <math.h>

/* --- models ----------------------------------------------------------------------------------- */

/* Odd sizes: no dimension is a multiple of a vector, a panel or a page. */
static struct model_config base_config(void) {
    return (struct model_config){
        .family = MODEL_FAMILY_LLAMA,
        .vocab = 53,
        .hidden = 36,
        .layers = 2,
        .heads = 6,
        .kv_heads = 2,
        .head_dim = 6,
        .mlp_hidden = 50,
        .context = 200,
        .norm = MODEL_NORM_RMS,
        .norm_eps = 1e-5,
        .position = MODEL_POSITION_ROPE,
        .rope = {.kind = MODEL_ROPE_DEFAULT, .theta = 10000.0},
        .mlp = MODEL_MLP_SWIGLU,
        .tied_head = true,
        .bos = -1,
        .pad = -1,
    };
}

#define FAMILY_COUNT 6

static struct model_config family_config(int64_t which) {
    struct model_config c = base_config();
    switch (which) {
    case 0: /* llama */
        break;
    case 1: /* gpt2 */
        c.family = MODEL_FAMILY_GPT2;
        c.norm = MODEL_NORM_LAYER;
        c.position = MODEL_POSITION_LEARNED;
        c.mlp = MODEL_MLP_GELU_TANH;
        c.kv_heads = c.heads;
        c.qkv_bias = c.attn_out_bias = c.mlp_bias = true;
        break;
    case 2: /* opt */
        c.family = MODEL_FAMILY_OPT;
        c.norm = MODEL_NORM_LAYER;
        c.position = MODEL_POSITION_LEARNED;
        c.position_offset = 2;
        c.mlp = MODEL_MLP_RELU;
        c.kv_heads = c.heads;
        c.qkv_bias = c.attn_out_bias = c.mlp_bias = true;
        break;
    case 3: /* qwen2 */
        c.family = MODEL_FAMILY_QWEN2;
        c.qkv_bias = true;
        c.tied_head = false;
        break;
    case 4: /* qwen3: H d is not D */
        c.family = MODEL_FAMILY_QWEN3;
        c.qk_norm = true;
        c.head_dim = 10;
        break;
    default: /* gelu with one key-value head for all, odd widths */
        c.mlp = MODEL_MLP_GELU;
        c.kv_heads = 1;
        c.hidden = 35;
        c.mlp_hidden = 49;
        c.head_dim = 18;
        break;
    }
    return c;
}

/* --- running ---------------------------------------------------------------------------------- */

static struct decoder *open_decoder(const struct reference_decoder *model,
                                    const struct decoder_options *options) {
    struct error err = ERROR_INIT;
    struct decoder *decoder = NULL;
    struct decoder_weights weights = reference_decoder_weights(model);
    assert_ok(decoder_open(&model->config, &weights, options, &decoder, &err), &err);
    return decoder;
}

static struct decoder_options options_f32(const struct model_config *config) {
    struct decoder_options options = decoder_options_of(config);
    options.weights = KERNEL_OPERAND_F32;
    options.cache = KERNEL_OPERAND_F32;
    return options;
}

#define SAMPLES_MAX 64

/* Steps until all is done; samples by place = tag + index. */
static void run_all(struct decoder *decoder, struct decoder_sample samples[SAMPLES_MAX]) {
    struct error err = ERROR_INIT;
    while (decoder_pending(decoder) > 0) {
        assert_ok(decoder_step(decoder, &err), &err);
        struct decoder_sample sample;
        while (decoder_take(decoder, &sample)) {
            int64_t place = sample.tag + sample.index;
            assert_true(place < SAMPLES_MAX && !samples[place].tokens);
            samples[place] = sample;
        }
    }
}

static void free_all(struct decoder_sample samples[SAMPLES_MAX]) {
    for (int64_t i = 0; i < SAMPLES_MAX; i++) {
        decoder_sample_deinit(&samples[i]);
    }
}

static void fill_prompt(int32_t *prompt, int64_t count, int64_t vocab, int64_t item) {
    struct rng rng = rng_stream(5, RNG_TEST, 1, item);
    for (int64_t i = 0; i < count; i++) {
        prompt[i] = (int32_t)rng_below(&rng, vocab);
    }
}

/* Largest difference between the decoder's log-probabilities and the reference's. */
static double largest_gap(const struct reference_decoder *model, const int32_t *prompt,
                          int64_t prompt_count, const struct decoder_sample *sample) {
    int64_t vocab = model->config.vocab;
    int64_t count = prompt_count + sample->count;
    int32_t tokens[512];
    assert_true(count <= 512);
    memcpy(tokens, prompt, (size_t)prompt_count * sizeof *tokens);
    memcpy(tokens + prompt_count, sample->tokens, (size_t)sample->count * sizeof *tokens);
    double *logits = mem_array((size_t)(count * vocab), sizeof *logits);
    reference_decoder_run(model, tokens, count - 1, logits);
    double gap = 0.0;
    for (int64_t i = 0; i < sample->count; i++) {
        const double *row = logits + (prompt_count - 1 + i) * vocab;
        double expected = reference_decoder_logp(row, vocab, sample->tokens[i]);
        gap = fmax(gap, fabs(sample->model_logp_nats[i] - expected));
        gap = fmax(gap, fabs(sample->logp_nats[i] - expected));
    }
    mem_free(logits);
    return gap;
}

/* --- tests ------------------------------------------------------------------------------------ */

#define PROMPT 70 /* one full page and a part of the next */
#define NEW    65 /* into a third page */

static double gap_of_family(int64_t which, struct decoder_options *options, bool is_rounded) {
    struct model_config config = family_config(which);
    struct error err = ERROR_INIT;
    assert_ok(model_config_check(&config, &err), &err);
    struct reference_decoder *model = reference_decoder_random(&config, (uint64_t)which);
    if (is_rounded) {
        reference_decoder_round(model);
    }
    struct decoder *decoder = open_decoder(model, options);
    int32_t prompt[PROMPT];
    fill_prompt(prompt, PROMPT, config.vocab, which);
    struct decoder_request request = {.prompt = prompt,
                                      .prompt_count = PROMPT,
                                      .samples = 2,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = NEW,
                                      .seed = 1};
    assert_ok(decoder_submit(decoder, &request, &err), &err);
    struct decoder_sample samples[SAMPLES_MAX] = {0};
    run_all(decoder, samples);
    double gap = 0.0;
    for (int64_t i = 0; i < 2; i++) {
        assert_int_equal(samples[i].count, NEW);
        assert_int_equal(samples[i].finish, DECODER_FINISH_LENGTH);
        gap = fmax(gap, largest_gap(model, prompt, PROMPT, &samples[i]));
    }
    free_all(samples);
    decoder_close(decoder);
    reference_decoder_free(model);
    return gap;
}

static void test_decoder__f32_log_probabilities_equal_the_reference(void **state) {
    (void)state;
    for (int64_t which = 0; which < FAMILY_COUNT; which++) {
        struct model_config config = family_config(which);
        struct decoder_options options = options_f32(&config);
        assert_true(gap_of_family(which, &options, false) < 1e-5);
    }
}

/* bf16 weights are exact in the reference; activations, keys, values and attention weights are
 * rounded to 8 bits. The largest of 780 gaps measured is 0.048. */
static void test_decoder__bf16_log_probabilities_are_near_the_reference(void **state) {
    (void)state;
    for (int64_t which = 0; which < FAMILY_COUNT; which++) {
        struct model_config config = family_config(which);
        struct decoder_options options = decoder_options_of(&config);
        assert_true(gap_of_family(which, &options, true) < 0.08);
    }
}

/* --- nothing but the sample's own key matters ------------------------------------------------- */

#define PROMPTS 4
#define EACH    3

static const int64_t prompt_lengths[PROMPTS] = {70, 1, 64, 129};

/* How one and the same work may be given to a decoder. */
struct way {
    int64_t slots;
    int64_t cache_tokens;
    int64_t prompt_rows;
    int threads;
    bool is_split;    /* every sample a request of its own */
    bool is_reversed; /* the last prompt first */
};

static void submit(struct decoder *decoder, int64_t which, int64_t first, int64_t samples) {
    struct error err = ERROR_INIT;
    int32_t prompt[200];
    fill_prompt(prompt, prompt_lengths[which], 53, which);
    struct decoder_request request = {.prompt = prompt,
                                      .prompt_count = prompt_lengths[which],
                                      .samples = samples,
                                      .sampling = {.temperature = 1.2, .top_p = 0.95, .top_k = 40},
                                      .new_tokens_max = 40 + which,
                                      .stops = (const int32_t[]){7},
                                      .stop_count = 1,
                                      .seed = 11,
                                      .rng_step = 2,
                                      .rng_item = which * EACH + first,
                                      .tag = which * EACH + first};
    assert_ok(decoder_submit(decoder, &request, &err), &err);
}

static void run_way(const struct reference_decoder *model, const struct way *way,
                    struct decoder_sample samples[SAMPLES_MAX]) {
    struct decoder_options options = decoder_options_of(&model->config);
    options.slots = way->slots;
    options.cache_tokens = way->cache_tokens;
    options.prompt_rows = way->prompt_rows;
    options.cpu.threads = way->threads;
    struct decoder *decoder = open_decoder(model, &options);
    for (int64_t i = 0; i < PROMPTS; i++) {
        int64_t which = way->is_reversed ? PROMPTS - 1 - i : i;
        for (int64_t first = 0; first < EACH; first += way->is_split ? 1 : EACH) {
            submit(decoder, which, first, way->is_split ? 1 : EACH);
        }
    }
    run_all(decoder, samples);
    decoder_close(decoder);
}

static void assert_same_samples(const struct decoder_sample *a, const struct decoder_sample *b) {
    for (int64_t i = 0; i < PROMPTS * EACH; i++) {
        size_t count = (size_t)a[i].count;
        assert_true(count > 0 && a[i].count == b[i].count);
        assert_int_equal(a[i].finish, b[i].finish);
        assert_memory_equal(a[i].tokens, b[i].tokens, count * sizeof *a[i].tokens);
        assert_memory_equal(a[i].logp_nats, b[i].logp_nats, count * sizeof *a[i].logp_nats);
        assert_memory_equal(a[i].model_logp_nats, b[i].model_logp_nats,
                            count * sizeof *a[i].model_logp_nats);
    }
}

static void test_decoder__batch_order_slots_and_threads_change_no_bit(void **state) {
    (void)state;
    static const struct way ways[] = {
        {16, 16 * 200, 128, 1, false, false}, /* all at once, prompts shared */
        {16, 16 * 200, 128, 2, true, false},  /* groups of one */
        {1, 200, 128, 1, false, false},       /* one after the other */
        {3, 300, 5, 3, false, true},          /* few pages, small pieces, another order */
        {5, 5 * 200, 1, 2, true, true},       {7, 450, 300, 1, false, true},
    };
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 1);
    struct decoder_sample expected[SAMPLES_MAX] = {0};
    run_way(model, &ways[0], expected);
    for (int64_t i = 1; i < (int64_t)(sizeof ways / sizeof ways[0]); i++) {
        struct decoder_sample samples[SAMPLES_MAX] = {0};
        run_way(model, &ways[i], samples);
        assert_same_samples(expected, samples);
        free_all(samples);
    }
    free_all(expected);
    reference_decoder_free(model);
}

/* --- what is sampled -------------------------------------------------------------------------- */

static void test_decoder__greedy_takes_the_largest_logit(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 3);
    struct decoder_options options = options_f32(&config);
    struct decoder *decoder = open_decoder(model, &options);
    int32_t tokens[20 + 10];
    fill_prompt(tokens, 20, config.vocab, 9);
    struct decoder_request request = {.prompt = tokens,
                                      .prompt_count = 20,
                                      .samples = 1,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = 10};
    request.sampling.is_greedy = true;
    assert_ok(decoder_submit(decoder, &request, &err), &err);
    struct decoder_sample samples[SAMPLES_MAX] = {0};
    run_all(decoder, samples);
    double logits[30 * 53];
    memcpy(tokens + 20, samples[0].tokens, 10 * sizeof *tokens);
    reference_decoder_run(model, tokens, 29, logits);
    for (int64_t i = 0; i < 10; i++) {
        const double *row = logits + (19 + i) * config.vocab;
        int64_t best = 0;
        for (int64_t v = 1; v < config.vocab; v++) {
            best = row[v] > row[best] ? v : best;
        }
        assert_int_equal(samples[0].tokens[i], best);
        assert_true(samples[0].logp_nats[i] == 0.0);
    }
    free_all(samples);
    decoder_close(decoder);
    reference_decoder_free(model);
}

/* 4,000 first tokens of one prompt against the reference's probabilities: the 0.9999 quantile of
 * chi-square with 52 degrees of freedom is 101.5 (R: qchisq(0.9999, 52)), rounded up. */
static void test_decoder__first_tokens_follow_the_model(void **state) {
    (void)state;
    enum { DRAWS = 4000, V = 53 };
    struct error err = ERROR_INIT;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 4);
    struct decoder_options options = options_f32(&config);
    struct decoder *decoder = open_decoder(model, &options);
    int32_t prompt[5];
    fill_prompt(prompt, 5, V, 3);
    struct decoder_request request = {.prompt = prompt,
                                      .prompt_count = 5,
                                      .samples = DRAWS,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = 1,
                                      .seed = 5};
    assert_ok(decoder_submit(decoder, &request, &err), &err);
    int64_t counts[V] = {0};
    while (decoder_pending(decoder) > 0) {
        assert_ok(decoder_step(decoder, &err), &err);
        struct decoder_sample sample;
        while (decoder_take(decoder, &sample)) {
            counts[sample.tokens[0]]++;
            decoder_sample_deinit(&sample);
        }
    }
    assert_int_equal(decoder_stats(decoder).prompt_tokens, 5); /* read once for all samples */
    double logits[5 * V];
    reference_decoder_run(model, prompt, 5, logits);
    double chi_square = 0.0;
    for (int64_t v = 0; v < V; v++) {
        double expected = exp(reference_decoder_logp(logits + (ptrdiff_t)4 * V, V, v)) * DRAWS;
        chi_square += ((double)counts[v] - expected) * ((double)counts[v] - expected) / expected;
    }
    assert_true(chi_square < 102.0);
    decoder_close(decoder);
    reference_decoder_free(model);
}

/* --- how samples end -------------------------------------------------------------------------- */

struct seen {
    int64_t count;
    int64_t stop_at; /* the text ends with this many tokens; 0: never */
    int32_t tokens[200];
};

static bool see_token(void *context, const struct decoder_token *token) {
    struct seen *seen = context;
    assert_int_equal(token->place, seen->count);
    assert_int_equal(token->tag, 17);
    seen->tokens[seen->count++] = token->choice.token;
    return seen->count == seen->stop_at;
}

static void run_one(struct decoder *decoder, struct decoder_request *request, struct seen *seen,
                    struct decoder_sample *out) {
    struct error err = ERROR_INIT;
    *seen = (struct seen){.stop_at = seen->stop_at};
    request->tag = 17;
    request->on_token = see_token;
    request->on_token_context = seen;
    assert_ok(decoder_submit(decoder, request, &err), &err);
    while (decoder_pending(decoder) > 0) {
        assert_ok(decoder_step(decoder, &err), &err);
    }
    assert_true(decoder_take(decoder, out));
    assert_int_equal(out->count, seen->count);
    assert_memory_equal(out->tokens, seen->tokens, (size_t)out->count * sizeof *out->tokens);
}

static void test_decoder__says_why_a_sample_ended(void **state) {
    (void)state;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 5);
    struct decoder_options options = decoder_options_of(&config);
    struct decoder *decoder = open_decoder(model, &options);
    int32_t prompt[190];
    fill_prompt(prompt, 190, config.vocab, 4);
    struct decoder_request request = {.prompt = prompt,
                                      .prompt_count = 190,
                                      .samples = 1,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = 1000,
                                      .seed = 6};
    struct seen seen = {0};
    struct decoder_sample sample;
    run_one(decoder, &request, &seen, &sample);
    assert_int_equal(sample.finish, DECODER_FINISH_CONTEXT);
    assert_int_equal(sample.count, 10); /* 190 + 10 = the context */
    int32_t third = sample.tokens[2];
    int64_t place = 0; /* of the first token that equals the third */
    while (sample.tokens[place] != third) {
        place++;
    }
    decoder_sample_deinit(&sample);

    request.stops = &third;
    request.stop_count = 1;
    run_one(decoder, &request, &seen, &sample);
    assert_int_equal(sample.finish, DECODER_FINISH_STOP_ID);
    assert_int_equal(sample.count, place + 1);
    decoder_sample_deinit(&sample);

    request.stop_count = 0;
    request.new_tokens_max = 4;
    run_one(decoder, &request, &seen, &sample);
    assert_int_equal(sample.finish, DECODER_FINISH_LENGTH);
    assert_int_equal(sample.count, 4);
    decoder_sample_deinit(&sample);

    seen.stop_at = 2;
    run_one(decoder, &request, &seen, &sample);
    assert_int_equal(sample.finish, DECODER_FINISH_STOP_TEXT);
    assert_int_equal(sample.count, 2);
    assert_string_equal(decoder_finish_name(sample.finish), "stop text");
    decoder_sample_deinit(&sample);
    assert_int_equal(decoder_stats(decoder).samples, 4);
    assert_int_equal(decoder_stats(decoder).new_tokens, 10 + place + 1 + 4 + 2);
    decoder_close(decoder);
    reference_decoder_free(model);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void test_decoder_submit__refuses_by_name(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 5);
    struct decoder_options options = decoder_options_of(&config);
    struct decoder *decoder = open_decoder(model, &options);
    int32_t prompt[200] = {1, 2, 53};
    struct decoder_request good = {.prompt = prompt,
                                   .prompt_count = 2,
                                   .samples = 1,
                                   .sampling = sampler_config_plain(),
                                   .new_tokens_max = 1};
    struct decoder_request bad = good;
    bad.prompt_count = 0;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE, "the prompt is empty", &err);
    bad.prompt_count = 200;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE,
                 "200 tokens and leaves no room in a context of 200", &err);
    bad.prompt_count = 3;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE,
                 "prompt token 2 is id 53, outside the vocabulary of 53", &err);
    bad = good;
    bad.samples = 0;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE, "0 samples", &err);
    bad = good;
    bad.new_tokens_max = 0;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE, "new_tokens_max is 0", &err);
    bad = good;
    bad.stops = (const int32_t[]){-1};
    bad.stop_count = 1;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE, "stop token 0 is id -1", &err);
    bad = good;
    bad.rng_item = RNG_ITEM_MAX;
    bad.samples = 2;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE, "leaves no keys", &err);
    bad = good;
    bad.sampling.top_p = 2.0;
    assert_fails(decoder_submit(decoder, &bad, &err), ERR_USAGE, "top_p 2", &err);
    assert_int_equal(decoder_pending(decoder), 0);
    decoder_close(decoder);
    reference_decoder_free(model);
}

static void test_decoder_open__refuses_by_name(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 5);
    struct decoder_weights weights = reference_decoder_weights(model);
    struct decoder *decoder = NULL;
    struct decoder_options options = decoder_options_of(&config);
    options.slots = 0;
    assert_fails(decoder_open(&config, &weights, &options, &decoder, &err), ERR_USAGE,
                 "slots 0 is outside [1, 4096]", &err);
    options = decoder_options_of(&config);
    options.context = 201;
    assert_fails(decoder_open(&config, &weights, &options, &decoder, &err), ERR_USAGE,
                 "context 201 is outside [2, 200]", &err);
    options = decoder_options_of(&config);
    options.cache_tokens = 199;
    assert_fails(decoder_open(&config, &weights, &options, &decoder, &err), ERR_USAGE,
                 "cache_tokens 199 is outside [200, 3200]", &err);
    assert_null(decoder);
    reference_decoder_free(model);
}

/* A weight that is not finite becomes a logit that is not: named, never a token. */
static void test_decoder_step__names_the_sample_whose_logits_are_not_finite(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 5);
    model->values[0][4 * config.hidden] = NAN; /* embedding of token 4 */
    struct decoder_options options = decoder_options_of(&config);
    struct decoder *decoder = open_decoder(model, &options);
    struct decoder_request request = {.prompt = (const int32_t[]){1},
                                      .prompt_count = 1,
                                      .samples = 1,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = 1,
                                      .tag = 23};
    assert_ok(decoder_submit(decoder, &request, &err), &err);
    assert_fails(decoder_step(decoder, &err), ERR_DATA,
                 "step 0, tag 23, sample 0, new token 0: the logit of token 4 is nan", &err);
    decoder_close(decoder);
    reference_decoder_free(model);
}

/* --- new weights ------------------------------------------------------------------------------ */

static void test_decoder_refresh__decodes_with_the_new_weights(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = base_config();
    struct reference_decoder *old = reference_decoder_random(&config, 1);
    struct reference_decoder *fresh = reference_decoder_random(&config, 2);
    struct decoder_weights weights = reference_decoder_weights(fresh);
    struct decoder_options options = decoder_options_of(&config);
    struct decoder *decoder = open_decoder(old, &options);
    struct decoder *direct = open_decoder(fresh, &options);
    submit(decoder, 0, 0, EACH);
    assert_fails(decoder_refresh(decoder, &weights, &err), ERR_USAGE,
                 "new weights while 3 samples are pending", &err);
    struct decoder_sample first[SAMPLES_MAX] = {0};
    struct decoder_sample second[SAMPLES_MAX] = {0};
    struct decoder_sample expected[SAMPLES_MAX] = {0};
    run_all(decoder, first);
    assert_ok(decoder_refresh(decoder, &weights, &err), &err);
    submit(decoder, 0, 0, EACH);
    submit(direct, 0, 0, EACH);
    run_all(decoder, second);
    run_all(direct, expected);
    for (int64_t i = 0; i < EACH; i++) {
        assert_int_equal(second[i].count, expected[i].count);
        assert_memory_equal(second[i].logp_nats, expected[i].logp_nats,
                            (size_t)expected[i].count * sizeof *expected[i].logp_nats);
        assert_true(first[i].logp_nats[0] != second[i].logp_nats[0]);
    }
    free_all(first);
    free_all(second);
    free_all(expected);
    decoder_close(decoder);
    decoder_close(direct);
    reference_decoder_free(old);
    reference_decoder_free(fresh);
}

/* --- memory ----------------------------------------------------------------------------------- */

static enum err_code decode_something(void *context, struct error *err) {
    const struct reference_decoder *model = context;
    struct decoder_weights weights = reference_decoder_weights(model);
    struct decoder_options options = decoder_options_of(&model->config);
    options.slots = 2;
    options.cache_tokens = 300;
    SCOPED(decoder) struct decoder *decoder = NULL;
    TRY(decoder_open(&model->config, &weights, &options, &decoder, err));
    struct decoder_request request = {.prompt = (const int32_t[]){1, 2},
                                      .prompt_count = 2,
                                      .samples = 3,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = 2};
    TRY(decoder_submit(decoder, &request, err));
    TRY(decoder_submit(decoder, &request, err));
    while (decoder_pending(decoder) > 0) {
        TRY(decoder_step(decoder, err));
    }
    struct decoder_sample sample;
    if (decoder_take(decoder, &sample)) {
        decoder_sample_deinit(&sample);
    }
    return ERR_OK;
}

static void test_decoder__fails_cleanly_without_memory(void **state) {
    (void)state;
    struct model_config config = base_config();
    struct reference_decoder *model = reference_decoder_random(&config, 5);
    alloc_loop_check(decode_something, model);
    reference_decoder_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder__f32_log_probabilities_equal_the_reference),
        cmocka_unit_test(test_decoder__bf16_log_probabilities_are_near_the_reference),
        cmocka_unit_test(test_decoder__batch_order_slots_and_threads_change_no_bit),
        cmocka_unit_test(test_decoder__greedy_takes_the_largest_logit),
        cmocka_unit_test(test_decoder__first_tokens_follow_the_model),
        cmocka_unit_test(test_decoder__says_why_a_sample_ended),
        cmocka_unit_test(test_decoder_submit__refuses_by_name),
        cmocka_unit_test(test_decoder_open__refuses_by_name),
        cmocka_unit_test(test_decoder_step__names_the_sample_whose_logits_are_not_finite),
        cmocka_unit_test(test_decoder_refresh__decodes_with_the_new_weights),
        cmocka_unit_test(test_decoder__fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
