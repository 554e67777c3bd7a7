/* decode_rate.c - how fast the decoder continues prompts, on random weights, and where time goes.
 *
 * Use:      decode_rate PRESET SAMPLES GROUP PROMPT NEW THREADS REPEATS f32|bf16
 *           decode_rate 135m 16 1 224 64 2 3 bf16
 * Does:     SAMPLES samples, GROUP of each prompt, PROMPT tokens continued by NEW, REPEATS times.
 * Prints:   of the steps in which every sample gets a token and no prompt is read, the fastest and
 *           the median, and what they make in tokens a second; the best rate of reading prompts;
 *           the parts of those steps, with the rate of arithmetic and of reading weights: for each
 *           layer its fastest, added up, since other work on the machine disturbs some part of
 *           every step.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/rng.h"
#include "policy/decoder.h"
#include "policy/decoder_cpu.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error err = ERROR_INIT;

static void must(enum err_code code) {
    if (code != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static void *must_have(void *block) {
    if (!block) {
        (void)fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return block;
}

/* Uniform matrices of variance 1 / columns, norms of 1. */
static enum err_code read_random(void *context, const struct model_tensor *tensor,
                                 float *out_values, struct error *unused) {
    (void)context;
    (void)unused;
    int64_t count = model_tensor_elements(tensor);
    struct rng rng = rng_stream(1, RNG_BENCH, (int64_t)tensor->role, tensor->layer + 1);
    rng_fill_uniform_f32(&rng, out_values, count);
    float scale = tensor->dims == 1 ? 0.0F : (float)sqrt(12.0 / (double)tensor->shape[1]);
    for (int64_t i = 0; i < count; i++) {
        out_values[i] = tensor->dims == 1 ? 1.0F : (out_values[i] - 0.5F) * scale;
    }
    return ERR_OK;
}

struct plan {
    int64_t samples, group, prompt, fresh, threads, repeats;
};

struct measured {
    int64_t *step_ns; /* whole steps */
    int64_t count;
    int64_t *part_ns;  /* [layers + 1, parts], the fastest of each */
    int64_t part_rows; /* layers + 1 */
    int64_t prompt_ns; /* fastest reading of all prompts */
    int64_t prompt_tokens;
};

static void submit_all(struct decoder *decoder, const struct plan *plan, int64_t vocab,
                       int64_t repeat) {
    int32_t *prompt = must_have(mem_array((size_t)plan->prompt, sizeof *prompt));
    for (int64_t i = 0; i < plan->samples / plan->group; i++) {
        struct rng rng = rng_stream(2, RNG_BENCH, repeat, i);
        for (int64_t t = 0; t < plan->prompt; t++) {
            prompt[t] = (int32_t)rng_below(&rng, vocab);
        }
        struct decoder_request request = {.prompt = prompt,
                                          .prompt_count = plan->prompt,
                                          .samples = plan->group,
                                          .sampling = sampler_config_plain(),
                                          .new_tokens_max = plan->fresh,
                                          .seed = 3,
                                          .rng_step = repeat,
                                          .rng_item = i * plan->group};
        must(decoder_submit(decoder, &request, &err));
    }
    mem_free(prompt);
}

static int64_t fastest(const struct measured *measured) {
    int64_t best = INT64_MAX;
    for (int64_t i = 0; i < measured->count; i++) {
        best = measured->step_ns[i] < best ? measured->step_ns[i] : best;
    }
    return best;
}

static void keep_fastest(struct measured *out, const int64_t *profile_ns) {
    for (int64_t i = 0; i < out->part_rows * DECODER_CPU_PART_COUNT; i++) {
        bool is_faster = out->count == 0 || profile_ns[i] < out->part_ns[i];
        out->part_ns[i] = is_faster ? profile_ns[i] : out->part_ns[i];
    }
}

static void run_once(struct decoder *decoder, const struct plan *plan, int64_t *profile_ns,
                     struct measured *out) {
    struct clock clock = clock_real();
    int64_t prompt_ns = 0;
    int64_t prompt_tokens = 0;
    bool is_full = false;
    while (decoder_pending(decoder) > 0) {
        struct decoder_stats before = decoder_stats(decoder);
        memset(profile_ns, 0, (size_t)out->part_rows * DECODER_CPU_PART_COUNT * sizeof *profile_ns);
        int64_t start_ns = clock_monotonic_ns(&clock);
        must(decoder_step(decoder, &err));
        int64_t step_ns = clock_monotonic_ns(&clock) - start_ns;
        struct decoder_stats after = decoder_stats(decoder);
        bool was_full = is_full; /* a sample's first token needs no pass of its own */
        is_full = after.new_tokens - before.new_tokens == plan->samples;
        if (after.prompt_tokens > before.prompt_tokens) {
            prompt_ns += step_ns;
            prompt_tokens += after.prompt_tokens - before.prompt_tokens;
        } else if (is_full && was_full) {
            keep_fastest(out, profile_ns);
            out->step_ns[out->count++] = step_ns;
        }
        struct decoder_sample sample;
        while (decoder_take(decoder, &sample)) {
            decoder_sample_deinit(&sample);
        }
    }
    if (out->prompt_ns == 0 || prompt_ns < out->prompt_ns) {
        out->prompt_ns = prompt_ns;
        out->prompt_tokens = prompt_tokens;
    }
}

static int compare_ns(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Weights that a part reads, all layers. */
static double weights_of(const struct model_config *c, enum decoder_cpu_part part) {
    double hidden = (double)c->hidden;
    double q = (double)(c->heads * c->head_dim);
    double kv = (double)(c->kv_heads * c->head_dim);
    double mlp = (double)c->mlp_hidden;
    double layers = (double)c->layers;
    switch ((int64_t)part) {
    case DECODER_CPU_QKV:
        return layers * hidden * (q + 2 * kv);
    case DECODER_CPU_ATTN_OUT:
        return layers * hidden * q;
    case DECODER_CPU_MLP_UP:
        return layers * hidden * mlp * (c->mlp == MODEL_MLP_SWIGLU ? 2 : 1);
    case DECODER_CPU_MLP_DOWN:
        return layers * hidden * mlp;
    case DECODER_CPU_HEAD:
        return hidden * (double)c->vocab;
    default:
        return 0.0;
    }
}

static int64_t part_of(const struct measured *measured, int64_t part) {
    int64_t sum_ns = 0;
    for (int64_t row = 0; row < measured->part_rows; row++) {
        sum_ns += measured->part_ns[row * DECODER_CPU_PART_COUNT + part];
    }
    return sum_ns;
}

static void print_parts(const struct model_config *config, const struct plan *plan,
                        const struct measured *measured, size_t weight_bytes) {
    int64_t total_ns = 0;
    for (int64_t i = 0; i < DECODER_CPU_PART_COUNT; i++) {
        total_ns += part_of(measured, i);
    }
    (void)printf("part                     ms     %%   GF/s  weights GB/s\n");
    for (int64_t i = 0; i < DECODER_CPU_PART_COUNT; i++) {
        enum decoder_cpu_part part = (enum decoder_cpu_part)i;
        double ns = (double)part_of(measured, i);
        double weights = weights_of(config, part);
        (void)printf("%-20s %7.3f %5.1f %6.0f %7.1f\n", decoder_cpu_part_name(part), ns * 1e-6,
                     100.0 * ns / (double)total_ns, 2.0 * weights * (double)plan->samples / ns,
                     weights * (double)weight_bytes / ns);
    }
    (void)printf("together             %7.3f, %.0f tokens/s\n", (double)total_ns * 1e-6,
                 (double)plan->samples * 1e9 / (double)total_ns);
}

static void print_rates(const struct plan *plan, struct measured *measured) {
    double best = (double)fastest(measured);
    qsort(measured->step_ns, (size_t)measured->count, sizeof *measured->step_ns, compare_ns);
    int64_t middle = measured->count / 2;
    double median = (double)measured->step_ns[middle];
    (void)printf("samples %" PRId64 ", groups of %" PRId64 ": step best %.2f ms, median %.2f ms of "
                 "%" PRId64 "; %.0f tokens/s best, %.0f median; prompts %.0f tokens/s\n",
                 plan->samples, plan->group, best * 1e-6, median * 1e-6, measured->count,
                 (double)plan->samples * 1e9 / best, (double)plan->samples * 1e9 / median,
                 (double)measured->prompt_tokens * 1e9 / (double)measured->prompt_ns);
}

static int64_t number_at(char **arguments, int64_t index) {
    int64_t value = 0;
    if (!number_parse_i64(arguments[index], &value) || value < 1) {
        (void)fprintf(stderr, "'%s' is not a number from 1\n", arguments[index]);
        exit(2);
    }
    return value;
}

int main(int argument_count, char **arguments) {
    if (argument_count != 9) {
        (void)fprintf(stderr,
                      "decode_rate PRESET SAMPLES GROUP PROMPT NEW THREADS REPEATS DTYPE\n");
        return 2;
    }
    struct model_config config;
    must(model_config_from_preset(arguments[1], &config, &err));
    struct plan plan = {number_at(arguments, 2), number_at(arguments, 3), number_at(arguments, 4),
                        number_at(arguments, 5), number_at(arguments, 6), number_at(arguments, 7)};
    struct decoder_options options = decoder_options_of(&config);
    options.slots = plan.samples;
    options.cache_tokens = options.slots * options.context;
    options.prompt_rows = 512;
    options.cpu.threads = (int)plan.threads;
    if (strcmp(arguments[8], "f32") == 0) {
        options.weights = options.cache = KERNEL_OPERAND_F32;
    }
    struct decoder_cpu_options sizes = decoder_backend_sizes(&options);
    size_t parts = (size_t)(config.layers + 1) * DECODER_CPU_PART_COUNT;
    sizes.profile_ns = must_have(mem_array(parts, sizeof(int64_t)));
    struct decoder_weights weights = {.read = read_random};
    struct decoder_backend backend;
    must(decoder_cpu_open(&config, &weights, &sizes, &backend, &err));
    struct decoder *decoder = NULL;
    must(decoder_open_on(&config, &options, backend, &decoder, &err));
    struct measured measured = {
        .step_ns = must_have(mem_array((size_t)(plan.fresh * plan.repeats), sizeof(int64_t))),
        .part_ns = must_have(mem_array(parts, sizeof(int64_t))),
        .part_rows = config.layers + 1};
    for (int64_t repeat = 0; repeat < plan.repeats; repeat++) {
        submit_all(decoder, &plan, config.vocab, repeat);
        run_once(decoder, &plan, sizes.profile_ns, &measured);
    }
    print_parts(&config, &plan, &measured, kernel_operand_bytes(options.weights));
    print_rates(&plan, &measured);
    decoder_close(decoder);
    mem_free(measured.step_ns);
    mem_free(measured.part_ns);
    mem_free(sizes.profile_ns);
    return 0;
}
