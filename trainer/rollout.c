/* rollout.c - see rollout.h. In the tensor half. */
#include "trainer/rollout.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/tokenizer.h"
#include "policy/decoder.h"
#include "trainer/stop_ids.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ANSWER_BYTES_MAX (64 * MIB)

struct rollout {
    struct model *model;
    struct rollout_options options;
    struct decoder *decoder;
    struct stop_ids stops;
    struct strbuf text;
    struct decoder_sample *samples; /* [sample_capacity]: those of a request, by place */
    int64_t sample_count, sample_capacity;
};

/* --- opening ---------------------------------------------------------------------------------- */

static enum err_code read_weight(void *context, const struct model_tensor *tensor,
                                 float *out_values, struct error *err) {
    const struct rollout *rollout = context;
    return model_read_merged(rollout->model, tensor, out_values, err);
}

static struct decoder_weights weights_of(struct rollout *rollout) {
    return (struct decoder_weights){.read = read_weight, .context = rollout};
}

static enum err_code open_decoder(struct rollout *rollout, struct error *err) {
    const struct rollout_options *options = &rollout->options;
    const struct model_config *config = model_config_of(rollout->model);
    const enum kernel_operand operand = model_options_of(rollout->model).compute == TT_BF16
                                            ? KERNEL_OPERAND_BF16
                                            : KERNEL_OPERAND_F32;
    struct decoder_options decoding = decoder_options_of(config);
    decoding.slots = options->slots;
    decoding.context = options->context;
    decoding.cache_tokens = options->slots * options->context;
    decoding.weights = operand;
    decoding.cache = operand;
    decoding.finishes = options->finishes;
    decoding.cpu.threads = (int)options->threads;
    const struct decoder_weights weights = weights_of(rollout);
    return decoder_open(config, &weights, &decoding, &rollout->decoder, err);
}

enum err_code rollout_open(struct model *model, const struct rollout_options *options,
                           struct rollout **out, struct error *err) {
    SCOPED(rollout) struct rollout *rollout = mem_array_zero(1, sizeof *rollout);
    if (!rollout) {
        return err_oom(err, "rollouts");
    }
    rollout->model = model;
    rollout->options = *options;
    rollout->text = (struct strbuf)STRBUF_INIT(ANSWER_BYTES_MAX);
    TRY(stop_ids_find(model_config_of(model), options->tokenizer, options->template,
                      &rollout->stops, err));
    TRY(open_decoder(rollout, err));
    *out = MOVE(rollout);
    return ERR_OK;
}

static void drop_samples(struct rollout *rollout) {
    for (int64_t i = 0; i < rollout->sample_count; i++) {
        decoder_sample_deinit(&rollout->samples[i]);
    }
    rollout->sample_count = 0;
}

void rollout_close(struct rollout *rollout) {
    if (!rollout) {
        return;
    }
    drop_samples(rollout);
    decoder_close(rollout->decoder);
    strbuf_deinit(&rollout->text);
    mem_free(rollout->samples);
    mem_free(rollout);
}

enum err_code rollout_refresh(struct rollout *rollout, struct error *err) {
    const struct decoder_weights weights = weights_of(rollout);
    return decoder_refresh(rollout->decoder, &weights, err);
}

/* --- drawing ---------------------------------------------------------------------------------- */

static enum err_code submit(struct rollout *rollout, const struct rollout_request *request,
                            int64_t place, struct error *err) {
    const struct align_prompt *prompt = request->prompts[place];
    const struct decoder_request decoding = {
        .prompt = prompt->ids,
        .prompt_count = prompt->count,
        .samples = request->samples,
        .sampling = sampler_config_plain(),
        .new_tokens_max = rollout->options.new_tokens_max,
        .stops = rollout->stops.list,
        .stop_count = rollout->stops.count,
        .seed = rollout->options.seed,
        .rng_step = request->step,
        .rng_item = place * request->samples,
        .tag = place,
    };
    return decoder_submit(rollout->decoder, &decoding, err);
}

static enum err_code decode(struct rollout *rollout, const struct rollout_request *request,
                            struct error *err) {
    const int64_t count = request->prompt_count * request->samples;
    drop_samples(rollout);
    TRY(array_reserve(ARRAY_REF(rollout->samples), &rollout->sample_capacity, count, "answers",
                      err));
    memset(rollout->samples, 0, (size_t)count * sizeof *rollout->samples);
    rollout->sample_count = count;
    for (int64_t place = 0; place < request->prompt_count; place++) {
        TRY(err_wrap(err, submit(rollout, request, place, err), "prompt %" PRId64,
                     request->prompts[place]->id));
    }
    while (decoder_pending(rollout->decoder) > 0) {
        struct decoder_sample sample;
        TRY(decoder_step(rollout->decoder, err));
        while (decoder_take(rollout->decoder, &sample)) {
            rollout->samples[sample.tag * request->samples + sample.index] = sample;
        }
        if (rollout->options.progress) {
            progress_update(rollout->options.progress, count - decoder_pending(rollout->decoder));
        }
    }
    return ERR_OK;
}

static enum err_code add_text(struct rollout *rollout, const struct decoder_sample *sample,
                              struct rollout_answers *answers, int64_t index, struct error *err) {
    strbuf_reset(&rollout->text);
    TRY(tokenizer_decode(rollout->options.tokenizer, sample->tokens, sample->count,
                         TOKENIZER_SKIP_SPECIAL, &rollout->text, err));
    TRY(strbuf_check(&rollout->text, "an answer", err));
    const char *whole = strbuf_text(&rollout->text);
    const size_t lead =
        chat_template_lead_bytes(rollout->options.template, whole, rollout->text.length);
    const size_t bytes = rollout->text.length - lead;
    const char *text = arena_strndup(&answers->arena, whole + lead, bytes);
    answers->texts[index] = (struct text_span){.bytes = text, .count = bytes};
    return text ? ERR_OK : err_oom(err, "answers");
}

static enum err_code make_room(struct rollout_answers *answers, int64_t tokens, struct error *err) {
    const size_t count = (size_t)answers->count;
    struct arena *arena = &answers->arena;
    answers->starts = arena_array(arena, count + 1, sizeof *answers->starts);
    answers->ended = arena_array(arena, count, sizeof *answers->ended);
    answers->texts = arena_array(arena, count, sizeof *answers->texts);
    answers->ids = arena_array(arena, (size_t)tokens, sizeof *answers->ids);
    answers->logp_nats = arena_array(arena, (size_t)tokens, sizeof *answers->logp_nats);
    const bool has_room =
        answers->starts && answers->ended && answers->texts && answers->ids && answers->logp_nats;
    return has_room ? ERR_OK : err_oom(err, "answers");
}

static enum err_code lay_out(struct rollout *rollout, struct rollout_answers *answers,
                             struct error *err) {
    int64_t tokens = 0;
    arena_reset(&answers->arena);
    answers->count = rollout->sample_count;
    for (int64_t i = 0; i < answers->count; i++) {
        tokens += rollout->samples[i].count;
    }
    TRY(make_room(answers, tokens, err));
    answers->starts[0] = 0;
    for (int64_t i = 0; i < answers->count; i++) {
        const struct decoder_sample *sample = &rollout->samples[i];
        const int64_t start = answers->starts[i];
        const size_t count = (size_t)sample->count;
        memcpy(answers->ids + start, sample->tokens, count * sizeof *answers->ids);
        memcpy(answers->logp_nats + start, sample->logp_nats, count * sizeof *answers->logp_nats);
        answers->starts[i + 1] = start + sample->count;
        answers->ended[i] = sample->finish == DECODER_FINISH_STOP_ID;
        TRY(add_text(rollout, sample, answers, i, err));
    }
    return ERR_OK;
}

enum err_code rollout_draw(struct rollout *rollout, const struct rollout_request *request,
                           struct rollout_answers *answers, struct error *err) {
    TRY(decode(rollout, request, err));
    return lay_out(rollout, answers, err);
}

void rollout_answers_deinit(struct rollout_answers *answers) {
    arena_deinit(&answers->arena);
    *answers = (struct rollout_answers)ROLLOUT_ANSWERS_INIT;
}

/* --- rewards ---------------------------------------------------------------------------------- */

static enum err_code check_reward(double reward, const struct text_span *text, int64_t prompt_id,
                                  struct error *err) {
    if (isfinite(reward)) {
        return ERR_OK;
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return err_set(err, ERR_DATA,
                   "the reward of an answer to prompt %" PRId64
                   " is %g, which nothing can be learnt from: '%s'",
                   prompt_id, reward, utf8_excerpt(text->bytes, text->count, excerpt));
}

enum err_code rollout_reward(struct reward *reward, const struct rollout_request *request,
                             const struct rollout_answers *answers, double *out_rewards,
                             struct error *err) {
    const size_t count = (size_t)answers->count;
    SCOPED(mem) struct preference_response *responses = mem_array_zero(count, sizeof *responses);
    SCOPED(mem) struct reward_item *items = mem_array(count, sizeof *items);
    if (!responses || !items) {
        return err_oom(err, "answers");
    }
    for (int64_t i = 0; i < answers->count; i++) {
        const struct align_prompt *prompt = request->prompts[i / request->samples];
        responses[i].text = answers->texts[i];
        items[i] = (struct reward_item){.prompt = &prompt->prompt, .response = &responses[i]};
    }
    TRY(reward_score(reward, items, answers->count, out_rewards, err));
    for (int64_t i = 0; i < answers->count; i++) {
        TRY(check_reward(out_rewards[i], &answers->texts[i],
                         request->prompts[i / request->samples]->id, err));
    }
    return ERR_OK;
}
