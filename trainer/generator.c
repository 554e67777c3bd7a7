/* generator.c - see generator.h. */
#include "trainer/generator.h"

#include "base/arena.h"
#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/chat_encode.h"
#include "data/tokenizer.h"
#include "policy/lora_adapter.h"
#include "policy/model_tokenizer.h"
#include "policy/weight_source.h"
#include "trainer/stop_ids.h"

#include <inttypes.h>
#include <string.h>

#define CONTEXT_DEFAULT  4096 /* tokens: a cache for more is for users to ask for */
#define ANSWER_BYTES_MAX (64 * MIB)

/* An answer on its way: its text so far, and how much of it has been given out. */
struct writing {
    struct token_stream stream;
    struct strbuf text;
    size_t given; /* bytes */
    bool streams; /* to on_text */
    bool stopped; /* by a stop text, which is no longer in `text` */
    struct error failure;
};

/* A prompt, and the answers to it. */
struct request {
    struct generator *generator;
    int64_t number;
    int64_t prompt_tokens;
    struct writing *writings; /* [samples] */
    int64_t samples;
};

struct generator {
    struct generator_options options;
    struct weight_source *source;
    struct lora_adapter *adapter; /* NULL: none */
    struct tokenizer *tokenizer;
    const struct chat_template *template; /* NULL: plain text */
    struct decoder *decoder;
    int64_t context;
    struct stop_ids stops;
    size_t stop_bytes_max; /* of the longest stop text */
    struct chat_tokens tokens;
    struct request **requests; /* [requests_count], by the decoder's tag */
    int64_t requests_count, requests_capacity;
    struct writing *answered; /* whose answer was handed out last */
};

/* --- opening ---------------------------------------------------------------------------------- */

static enum err_code read_weights(void *context, const struct model_tensor *tensor,
                                  float *out_values, struct error *err) {
    const struct generator *generator = context;
    return lora_adapter_read_weight(generator->adapter, generator->source, tensor,
                                    generator->options.threads, out_values, err);
}

static enum err_code measure_stop_texts(struct generator *generator, struct error *err) {
    for (int64_t i = 0; i < generator->options.stops_count; i++) {
        const size_t bytes = strlen(generator->options.stops[i]);
        if (bytes == 0) {
            return err_set(err, ERR_USAGE, "an empty stop text would end every answer");
        }
        generator->stop_bytes_max =
            bytes > generator->stop_bytes_max ? bytes : generator->stop_bytes_max;
    }
    return ERR_OK;
}

static enum err_code choose_template(struct generator *generator, struct error *err) {
    const char *name = generator->options.template_name;
    if (name && strcmp(name, "none") == 0) {
        return ERR_OK;
    }
    return chat_template_choose(name, generator->tokenizer, &generator->template, err);
}

static enum err_code open_decoder(struct generator *generator, struct error *err) {
    const struct model_config *config = weight_source_config(generator->source);
    const int64_t most = config->context < CONTEXT_DEFAULT ? config->context : CONTEXT_DEFAULT;
    generator->context = generator->options.context > 0 ? generator->options.context : most;
    struct decoder_options options = decoder_options_of(config);
    options.slots = generator->options.slots;
    options.context = generator->context;
    options.cache_tokens = options.slots * options.context;
    options.weights = generator->options.weights;
    options.cache = generator->options.cache;
    options.cpu.threads = (int)generator->options.threads;
    const struct decoder_weights weights = {.read = read_weights, .context = generator};
    return decoder_open(config, &weights, &options, &generator->decoder, err);
}

enum err_code generator_open(const struct generator_options *options, struct generator **out,
                             struct error *err) {
    SCOPED(generator) struct generator *generator = mem_array_zero(1, sizeof *generator);
    if (!generator) {
        return err_oom(err, "generator");
    }
    generator->options = *options;
    generator->tokens = (struct chat_tokens)CHAT_TOKENS_INIT;
    TRY(weight_source_open(options->model, &generator->source, err));
    const struct model_config *config = weight_source_config(generator->source);
    if (err_wrap(err, model_config_need_head(config, MODEL_HEAD_LM, err), "'%s'", options->model)) {
        return err->code;
    }
    if (options->adapter) {
        TRY(lora_adapter_read(options->adapter, config, &generator->adapter, err));
        const struct model_config *adapted = lora_adapter_model(generator->adapter);
        if (err_wrap(err, model_config_need_head(adapted, MODEL_HEAD_LM, err), "adapter '%s'",
                     options->adapter)) {
            return err->code;
        }
    }
    TRY(model_tokenizer_open(options->model, &generator->tokenizer, err));
    TRY(model_tokenizer_check(generator->tokenizer, config, err));
    TRY(choose_template(generator, err));
    TRY(stop_ids_find(weight_source_config(generator->source), generator->tokenizer,
                      generator->template, &generator->stops, err));
    TRY(measure_stop_texts(generator, err));
    TRY(sampler_config_check(&options->sampling, config->vocab, err));
    TRY(open_decoder(generator, err));
    *out = MOVE(generator);
    return ERR_OK;
}

static void request_free(struct request *request) {
    for (int64_t i = 0; request->writings && i < request->samples; i++) {
        token_stream_deinit(&request->writings[i].stream);
        strbuf_deinit(&request->writings[i].text);
    }
    mem_free(request->writings);
    mem_free(request);
}

void generator_close(struct generator *generator) {
    if (!generator) {
        return;
    }
    decoder_close(generator->decoder);
    for (int64_t i = 0; i < generator->requests_count; i++) {
        request_free(generator->requests[i]);
    }
    mem_free(generator->requests);
    chat_tokens_deinit(&generator->tokens);
    tokenizer_close(generator->tokenizer);
    lora_adapter_free(generator->adapter);
    weight_source_close(generator->source);
    mem_free(generator);
}

/* --- text as it comes ------------------------------------------------------------------------- */

/* Not strstr: a model can say the byte 0. */
static const char *find_stop(const char *from, const char *end, const char *stop) {
    const size_t bytes = strlen(stop);
    for (; (size_t)(end - from) >= bytes; from++) {
        if (memcmp(from, stop, bytes) == 0) {
            return from;
        }
    }
    return NULL;
}

/* Cuts the text at the first stop text in it that ends behind `from`. */
static bool cut_at_stop(const struct generator *generator, struct writing *writing, size_t from) {
    const struct generator_options *options = &generator->options;
    const size_t back = generator->stop_bytes_max;
    const char *start = strbuf_text(&writing->text) + (from > back ? from - back : 0);
    const char *end = strbuf_text(&writing->text) + writing->text.length;
    const char *first = NULL;
    for (int64_t i = 0; i < options->stops_count; i++) {
        const char *found = find_stop(start, end, options->stops[i]);
        first = found && (!first || found < first) ? found : first;
    }
    if (first) {
        strbuf_truncate(&writing->text, (size_t)(first - strbuf_text(&writing->text)));
    }
    return first != NULL;
}

/* Whether the text from `at` on is the beginning of a stop text, and so may still be cut off. */
static bool may_become_stop(const struct generator *generator, const struct writing *writing,
                            size_t at) {
    const struct generator_options *options = &generator->options;
    const size_t left = writing->text.length - at;
    for (int64_t i = 0; i < options->stops_count; i++) {
        if (strncmp(options->stops[i], strbuf_text(&writing->text) + at, left) == 0) {
            return true;
        }
    }
    return false;
}

/* Of the text so far: what the template puts between prompt and answer. */
static size_t lead_bytes(const struct generator *generator, const struct writing *writing) {
    return generator->template
               ? chat_template_lead_bytes(generator->template, strbuf_text(&writing->text),
                                          writing->text.length)
               : 0;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Gives out what no stop text can take back. False when the receiver wants no more. */
static bool give_out(const struct generator *generator, struct writing *writing, bool is_last) {
    const struct generator_options *options = &generator->options;
    if (!writing->streams) {
        return true;
    }
    size_t end = writing->text.length;
    const size_t back = generator->stop_bytes_max;
    writing->given = larger(writing->given, lead_bytes(generator, writing));
    size_t at = larger(end > back ? end - back : 0, writing->given);
    while (!is_last && at < end && !may_become_stop(generator, writing, at)) {
        at++;
    }
    end = is_last ? end : at;
    const char *text = strbuf_text(&writing->text) + writing->given;
    const size_t bytes = end - writing->given;
    writing->given = end;
    return bytes == 0 || options->on_text(options->on_text_context, text, bytes);
}

static bool take_token(void *context, const struct decoder_token *token) {
    const struct request *request = context;
    const struct generator *generator = request->generator;
    struct writing *writing = &request->writings[token->index];
    if (stop_ids_have(&generator->stops, token->choice.token)) {
        return true;
    }
    const struct text_span spelled = tokenizer_token(generator->tokenizer, token->choice.token);
    if (!text_span_is_set(&spelled)) { /* the model has more rows than its tokenizer tokens */
        return false;
    }
    const size_t from = writing->text.length;
    if (token_stream_push(&writing->stream, token->choice.token, &writing->text,
                          &writing->failure) != ERR_OK ||
        strbuf_check(&writing->text, "answer", &writing->failure) != ERR_OK) {
        return true;
    }
    writing->stopped = cut_at_stop(generator, writing, from);
    return !give_out(generator, writing, writing->stopped) || writing->stopped;
}

/* --- prompts ---------------------------------------------------------------------------------- */

/* Ids into generator->tokens. */
static enum err_code encode(struct generator *generator, const struct generator_prompt *prompt,
                            struct error *err) {
    const struct chat_format format = {.tok = generator->tokenizer,
                                       .template = generator->template};
    if (generator->template) {
        const struct chat_turns turns = {.messages = prompt->messages,
                                         .count = prompt->message_count,
                                         .response_from = prompt->message_count};
        return chat_encode(&format, &turns, &generator->tokens, err);
    }
    if (prompt->message_count != 1) {
        return err_set(err, ERR_DATA,
                       "prompt %" PRId64 " has %" PRId64 " messages, and plain text has no roles: "
                       "name a --template",
                       prompt->number + 1, prompt->message_count);
    }
    const struct text_span text = prompt->messages[0].content;
    TRY(chat_encode_text(&format, text.bytes, text.count, &generator->tokens, err));
    /* A text to be continued does not end. */
    struct chat_tokens *tokens = &generator->tokens;
    const int32_t eos = tokenizer_eos(generator->tokenizer);
    tokens->count -= eos >= 0 && tokens->count > 0 && tokens->ids[tokens->count - 1] == eos;
    return ERR_OK;
}

/* Whether answers go on with a text, so that their first blank is part of it. */
static bool continues_text(const struct generator *generator) {
    const struct chat_tokens *tokens = &generator->tokens;
    return !generator->template &&
           !tokenizer_is_special(generator->tokenizer, tokens->ids[tokens->count - 1]);
}

static enum err_code add_request(struct generator *generator, const struct generator_prompt *prompt,
                                 struct error *err) {
    TRY(array_reserve(ARRAY_REF(generator->requests), &generator->requests_capacity,
                      generator->requests_count + 1, "prompts", err));
    struct request *request = mem_array_zero(1, sizeof *request);
    if (!request) {
        return err_oom(err, "prompt");
    }
    generator->requests[generator->requests_count] = request;
    generator->requests_count++; /* from here on generator_close frees it */
    request->generator = generator;
    request->number = prompt->number;
    request->prompt_tokens = generator->tokens.count;
    request->writings = mem_array_zero((size_t)prompt->samples, sizeof *request->writings);
    if (!request->writings) {
        return err_oom(err, "answers");
    }
    request->samples = prompt->samples;
    for (int64_t i = 0; i < prompt->samples; i++) {
        struct writing *writing = &request->writings[i];
        *writing = (struct writing){
            .text = STRBUF_INIT(ANSWER_BYTES_MAX),
            .streams = generator->options.on_text && generator->requests_count == 1 && i == 0,
            .failure = ERROR_INIT,
        };
        token_stream_init(&writing->stream, generator->tokenizer, TOKENIZER_SKIP_SPECIAL);
        if (continues_text(generator)) {
            token_stream_continue(&writing->stream);
        }
    }
    return ERR_OK;
}

enum err_code generator_submit(struct generator *generator, const struct generator_prompt *prompt,
                               struct error *err) {
    TRY(encode(generator, prompt, err));
    const int64_t count = generator->tokens.count;
    if (count == 0) {
        return err_set(err, ERR_DATA, "prompt %" PRId64 " is empty", prompt->number + 1);
    }
    if (count >= generator->context) {
        return err_set(err, ERR_DATA,
                       "prompt %" PRId64 " has %" PRId64 " tokens, and the context of %" PRId64
                       " leaves no room for an answer",
                       prompt->number + 1, count, generator->context);
    }
    TRY(add_request(generator, prompt, err));
    const int64_t tag = generator->requests_count - 1;
    const struct decoder_request request = {
        .prompt = generator->tokens.ids,
        .prompt_count = count,
        .samples = prompt->samples,
        .sampling = generator->options.sampling,
        .new_tokens_max = generator->options.new_tokens_max,
        .stops = generator->stops.list,
        .stop_count = generator->stops.count,
        .seed = generator->options.seed,
        .rng_step = prompt->number,
        .tag = tag,
        .on_token = take_token,
        .on_token_context = generator->requests[tag],
    };
    return decoder_submit(generator->decoder, &request, err);
}

/* --- answers ---------------------------------------------------------------------------------- */

static enum err_code answer_of(struct generator *generator, const struct decoder_sample *sample,
                               struct generator_answer *out, struct error *err) {
    const struct request *request = generator->requests[sample->tag];
    struct writing *writing = &request->writings[sample->index];
    if (generator->answered) {
        strbuf_deinit(&generator->answered->text);
    }
    generator->answered = writing;
    if (writing->failure.code != ERR_OK) {
        *err = writing->failure;
        return err->code;
    }
    if (!writing->stopped) {
        const size_t from = writing->text.length;
        TRY(token_stream_finish(&writing->stream, &writing->text, err));
        TRY(strbuf_check(&writing->text, "answer", err));
        writing->stopped = cut_at_stop(generator, writing, from);
    }
    (void)give_out(generator, writing, true);
    const size_t lead = lead_bytes(generator, writing);
    *out = (struct generator_answer){
        .number = request->number,
        .index = sample->index,
        .text = strbuf_text(&writing->text) + lead,
        .bytes = writing->text.length - lead,
        .prompt_tokens = request->prompt_tokens,
        .tokens = sample->count,
        .finish = writing->stopped ? DECODER_FINISH_STOP_TEXT : sample->finish,
    };
    for (int64_t i = 0; i < sample->count; i++) {
        out->logp_nats += sample->logp_nats[i];
        out->model_logp_nats += sample->model_logp_nats[i];
    }
    return ERR_OK;
}

enum err_code generator_next(struct generator *generator, struct generator_answer *out,
                             bool *out_has_answer, struct error *err) {
    struct decoder_sample sample;
    while (!decoder_take(generator->decoder, &sample)) {
        if (decoder_pending(generator->decoder) == 0) {
            *out_has_answer = false;
            return ERR_OK;
        }
        TRY(decoder_step(generator->decoder, err));
    }
    const enum err_code code = answer_of(generator, &sample, out, err);
    decoder_sample_deinit(&sample);
    *out_has_answer = code == ERR_OK;
    return code;
}
