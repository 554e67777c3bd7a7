/* policy_pass.c - see policy_pass.h; in the tensor half. */
#include "trainer/policy_pass.h"

#include "base/scoped.h"
#include "policy/micro_batch_plan.h"

/* --- filling ---------------------------------------------------------------------------------- */

static const struct align_prompt *prompt_of(const struct policy_texts *texts, int64_t answer) {
    return texts->request->prompts[answer / texts->request->samples];
}

static int64_t answer_tokens(const struct policy_texts *texts, int64_t answer) {
    const int64_t *starts = texts->answers->starts;
    return starts[answer + 1] - starts[answer];
}

/* Behind its prompt, which the first of the batch's answers to it has brought along. */
static enum err_code add_answer(struct policy_pass *pass, const struct policy_texts *texts,
                                int64_t answer, bool is_first, struct error *err) {
    const struct align_prompt *prompt = prompt_of(texts, answer);
    if (is_first) {
        TRY(packed_batch_add_prefix(&pass->batch, prompt->ids, prompt->count, &pass->prefix, err));
    }
    return packed_batch_add_after(&pass->batch, pass->prefix,
                                  texts->answers->ids + texts->answers->starts[answer],
                                  answer_tokens(texts, answer), NULL, err);
}

/* Answers that stay together. */
static int64_t unit_of(const struct policy_pass *pass, const struct rollout_request *request) {
    return pass->whole_groups ? request->samples : 1;
}

/* Whether the batch that begins with answer `first` has no answer to the same prompt before it. */
static bool is_first_of_prompt(const struct rollout_request *request, int64_t first,
                               int64_t answer) {
    return answer == first || answer % request->samples == 0;
}

/* What micro-batches are cut from. */
struct cutting {
    const struct rollout_request *request;
    const struct rollout_answers *answers; /* NULL: each has `answer_tokens` */
    int64_t answer_tokens;
    int64_t unit; /* in answers */
};

static int64_t tokens_of(const void *context, int64_t unit, int64_t first) {
    const struct cutting *cutting = context;
    const struct rollout_request *request = cutting->request;
    const int64_t begin = unit * cutting->unit;
    const int64_t *starts = cutting->answers ? cutting->answers->starts : NULL;
    const int64_t own = starts ? starts[begin + cutting->unit] - starts[begin]
                               : cutting->unit * cutting->answer_tokens;
    const bool is_first = is_first_of_prompt(request, first * cutting->unit, begin);
    return own + (is_first ? request->prompts[begin / request->samples]->count : 0);
}

static struct micro_batch_plan plan_of(const struct policy_pass *pass,
                                       const struct cutting *cutting) {
    const int64_t answers = cutting->request->prompt_count * cutting->request->samples;
    return (struct micro_batch_plan){.count = answers / cutting->unit,
                                     .tokens_max = pass->tokens_max,
                                     .tokens_of = tokens_of,
                                     .context = cutting};
}

/* Fills the batch with answers first .. last - 1. */
static enum err_code fill(struct policy_pass *pass, const struct policy_texts *texts, int64_t first,
                          int64_t last, struct error *err) {
    packed_batch_reset(&pass->batch);
    for (int64_t i = first; i < last; i++) {
        TRY(add_answer(pass, texts, i, is_first_of_prompt(texts->request, first, i), err));
    }
    pass->tokens += pass->batch.tokens;
    return packed_batch_fill(&pass->batch, PACKED_BATCH_ROWS, model_config_of(pass->model)->context,
                             err);
}

int64_t policy_pass_tokens(const struct policy_pass *pass, const struct rollout_request *request,
                           int64_t answer_tokens) {
    const struct cutting cutting = {
        .request = request, .answer_tokens = answer_tokens, .unit = unit_of(pass, request)};
    const struct micro_batch_plan plan = plan_of(pass, &cutting);
    return micro_batch_most(&plan);
}

/* --- passes ----------------------------------------------------------------------------------- */

/* What a pass computes of each token. */
struct token_numbers {
    tt_tensor *logp, *entropy; /* [M] */
    tt_tensor *gain, *value;   /* [M]; NULL without matching, without values */
};

static tt_tensor *hidden_of(tt_scope *s, struct model *model, bool is_base,
                            const struct packed_batch *batch) {
    return is_base ? model_hidden_base(s, model, batch) : model_hidden(s, model, batch);
}

static struct token_numbers match(tt_scope *s, struct policy_pass *pass, const tt_tensor *hidden) {
    const struct policy_matching *matching = pass->matching;
    tt_scope *inner = tt_scope_open_on(TT_NO_GRAD, model_device(pass->model));
    tt_tensor *beside = tt_scope_give(
        s, inner, hidden_of(inner, matching->reference, matching->reference_is_base, &pass->batch));
    tt_scope_close(inner);
    const struct model_reference reference = {.model = matching->reference, .hidden = beside};
    const struct token_matching token =
        model_token_matching(s, pass->model, hidden, &reference, &matching->form, &pass->batch);
    return (struct token_numbers){token.logp, token.entropy, .gain = token.matching};
}

static struct token_numbers compute(tt_scope *s, struct policy_pass *pass) {
    tt_tensor *hidden = hidden_of(s, pass->model, pass->is_base, &pass->batch); /* [N, D] */
    struct token_numbers numbers;
    if (pass->matching) {
        numbers = match(s, pass, hidden);
    } else {
        const struct token_logp token = model_token_logp(s, pass->model, hidden, &pass->batch);
        numbers = (struct token_numbers){token.logp, token.entropy, .gain = NULL};
    }
    numbers.value = pass->has_values ? model_values(s, pass->model, hidden, &pass->batch) : NULL;
    return numbers;
}

static enum err_code read_values(tt_scope *s, const tt_tensor *values, double *out, int64_t count,
                                 struct error *err) {
    return out ? tt_read_f64(s, tt_cast(s, tt_detach(s, values), TT_F64), out, count, err) : ERR_OK;
}

/* Of `count` tokens from token `begin` of the answers on. */
static enum err_code read_numbers(tt_scope *s, const struct token_numbers *token, int64_t begin,
                                  int64_t count, const struct policy_numbers *out,
                                  struct error *err) {
    double *logp = out->logp_nats ? out->logp_nats + begin : NULL;
    double *entropy = out->entropy_nats ? out->entropy_nats + begin : NULL;
    double *gain = token->gain && out->gain_nats ? out->gain_nats + begin : NULL;
    double *value = token->value && out->value_nats ? out->value_nats + begin : NULL;
    TRY(read_values(s, token->logp, logp, count, err));
    TRY(read_values(s, token->entropy, entropy, count, err));
    TRY(read_values(s, token->gain, gain, count, err));
    return read_values(s, token->value, value, count, err);
}

/* sum of x times slopes, [] */
static tt_tensor *weighted(tt_scope *s, const tt_tensor *x, const double *slopes, int64_t count) {
    return tt_dot(s, x, tt_cast(s, tt_from_f64(s, slopes, TT_SHAPE(count)), TT_F32));
}

static enum err_code backward(tt_scope *s, const struct token_numbers *token, int64_t begin,
                              int64_t count, const struct policy_weigh *weigh, struct error *err) {
    tt_tensor *sum = weighted(s, token->logp, weigh->slopes + begin, count);
    if (weigh->state_slopes) {
        const tt_tensor *state = token->gain ? token->gain : token->entropy;
        sum = tt_add(s, sum, weighted(s, state, weigh->state_slopes + begin, count));
    }
    if (weigh->value_slopes && token->value) {
        sum = tt_add(s, sum, weighted(s, token->value, weigh->value_slopes + begin, count));
    }
    return tt_backward(s, sum, err);
}

/* `weigh` NULL: without gradients. */
static enum err_code run_pass(struct policy_pass *pass, const struct policy_texts *texts,
                              const struct policy_weigh *weigh, const struct policy_numbers *out,
                              struct error *err) {
    const struct cutting cutting = {.request = texts->request,
                                    .answers = texts->answers,
                                    .unit = unit_of(pass, texts->request)};
    const struct micro_batch_plan plan = plan_of(pass, &cutting);
    for (int64_t first = 0, last = 0; first < texts->answers->count; first = last) {
        last = cutting.unit * micro_batch_end(&plan, first / cutting.unit);
        TRY(fill(pass, texts, first, last, err));
        const int64_t begin = texts->answers->starts[first];
        const int64_t count = texts->answers->starts[last] - begin;
        SCOPED(tt_scope)
        tt_scope *s = tt_scope_open_on(weigh ? TT_GRAD : TT_NO_GRAD, model_device(pass->model));
        const struct token_numbers token = compute(s, pass);
        TRY(read_numbers(s, &token, begin, count, out, err));
        if (weigh) {
            weigh->run(weigh->context, first, last);
            TRY(backward(s, &token, begin, count, weigh, err));
        }
    }
    return ERR_OK;
}

enum err_code policy_pass_logp(struct policy_pass *pass, const struct policy_texts *texts,
                               const struct policy_numbers *out, struct error *err) {
    return run_pass(pass, texts, NULL, out, err);
}

enum err_code policy_pass_gradients(struct policy_pass *pass, const struct policy_texts *texts,
                                    const struct policy_weigh *weigh,
                                    const struct policy_numbers *out, struct error *err) {
    return run_pass(pass, texts, weigh, out, err);
}

void policy_pass_deinit(struct policy_pass *pass) {
    packed_batch_deinit(&pass->batch);
}
