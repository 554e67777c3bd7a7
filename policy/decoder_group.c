/* decoder_group.c - see decoder_internal.h. */
#include "base/mem.h"
#include "policy/decoder_internal.h"

#include <inttypes.h>
#include <string.h>

static enum err_code check_ids(const char *what, const int32_t *ids, int64_t count, int64_t vocab,
                               struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= vocab) {
            return err_set(err, ERR_USAGE,
                           "%s %" PRId64 " is id %" PRId32 ", outside the vocabulary of %" PRId64
                           ": prompt and model belong to different tokenizers",
                           what, i, ids[i], vocab);
        }
    }
    return ERR_OK;
}

static enum err_code check_key(const struct decoder_request *r, struct error *err) {
    if (r->rng_step < 0 || r->rng_step > RNG_STEP_MAX) {
        return err_set(err, ERR_USAGE, "rng_step %" PRId64 " is outside [0, 2^40)", r->rng_step);
    }
    if (r->rng_item < 0 || r->rng_item > RNG_ITEM_MAX - r->samples + 1) {
        return err_set(err, ERR_USAGE,
                       "rng_item %" PRId64 " leaves no keys for %" PRId64 " samples below 2^48",
                       r->rng_item, r->samples);
    }
    return ERR_OK;
}

enum err_code decoder_request_check(const struct decoder_request *r,
                                    const struct model_config *config, int64_t context,
                                    struct error *err) {
    if (r->prompt_count < 1) {
        return err_set(err, ERR_USAGE,
                       "the prompt is empty; begin with the model's bos token, or with text");
    }
    if (r->prompt_count >= context) {
        return err_set(err, ERR_USAGE,
                       "the prompt has %" PRId64
                       " tokens and leaves no room in a context of %" PRId64
                       "; shorten it, or raise the context",
                       r->prompt_count, context);
    }
    if (r->samples < 1 || r->samples > DECODER_SAMPLES_MAX) {
        return err_set(err, ERR_USAGE, "%" PRId64 " samples of a prompt are outside [1, %d]",
                       r->samples, DECODER_SAMPLES_MAX);
    }
    if (r->new_tokens_max < 1) {
        return err_set(err, ERR_USAGE, "new_tokens_max is %" PRId64 ", expected at least 1",
                       r->new_tokens_max);
    }
    TRY(check_ids("prompt token", r->prompt, r->prompt_count, config->vocab, err));
    TRY(check_ids("stop token", r->stops, r->stop_count, config->vocab, err));
    TRY(check_key(r, err));
    return sampler_config_check(&r->sampling, config->vocab, err);
}

static int32_t *copy_ids(const int32_t *ids, int64_t count) {
    int32_t *copy = mem_array((size_t)count, sizeof *copy);
    if (copy && count > 0) {
        memcpy(copy, ids, (size_t)count * sizeof *copy);
    }
    return copy;
}

enum err_code decoder_group_new(const struct decoder_request *request, struct decoder_group **out,
                                struct error *err) {
    struct decoder_group *group = mem_array_zero(1, sizeof *group);
    if (!group) {
        return err_oom(err, "request");
    }
    group->request = *request;
    group->prompt = copy_ids(request->prompt, request->prompt_count);
    group->stops = copy_ids(request->stops, request->stop_count);
    group->pages = mem_array((size_t)decoder_group_prompt_pages(group), sizeof *group->pages);
    if (!group->prompt || !group->stops || !group->pages) {
        decoder_group_free(group);
        return err_oom(err, "prompt");
    }
    group->request.prompt = group->prompt;
    group->request.stops = group->stops;
    *out = group;
    return ERR_OK;
}

void decoder_group_free(struct decoder_group *group) {
    if (!group) {
        return;
    }
    mem_free(group->prompt);
    mem_free(group->stops);
    mem_free(group->pages);
    mem_free(group->logits);
    mem_free(group);
}

/* Most new tokens that a sample of this group can have. */
static int64_t tokens_max(const struct decoder_group *group, int64_t context) {
    int64_t room = context - group->request.prompt_count;
    return group->request.new_tokens_max < room ? group->request.new_tokens_max : room;
}

enum err_code decoder_node_new(const struct decoder_group *group, int64_t index, int64_t context,
                               struct decoder_node **out, struct error *err) {
    size_t count = (size_t)tokens_max(group, context);
    struct decoder_node *node = mem_array_zero(1, sizeof *node);
    if (!node) {
        return err_oom(err, "sample");
    }
    node->sample = (struct decoder_sample){
        .tag = group->request.tag,
        .index = index,
        .tokens = mem_array(count, sizeof *node->sample.tokens),
        .logp_nats = mem_array(count, sizeof *node->sample.logp_nats),
        .model_logp_nats = mem_array(count, sizeof *node->sample.model_logp_nats),
    };
    if (!node->sample.tokens || !node->sample.logp_nats || !node->sample.model_logp_nats) {
        decoder_node_free(node);
        return err_oom(err, "sample");
    }
    *out = node;
    return ERR_OK;
}

void decoder_sample_deinit(struct decoder_sample *sample) {
    mem_free(sample->tokens);
    mem_free(sample->logp_nats);
    mem_free(sample->model_logp_nats);
    *sample = (struct decoder_sample){0};
}

void decoder_node_free(struct decoder_node *node) {
    if (node) {
        decoder_sample_deinit(&node->sample);
        mem_free(node);
    }
}

static int64_t pages_of(int64_t tokens) {
    return (tokens + KERNEL_PAGE_POSITIONS - 1) / KERNEL_PAGE_POSITIONS;
}

int64_t decoder_group_prompt_pages(const struct decoder_group *group) {
    return pages_of(group->request.prompt_count);
}

int64_t decoder_group_full_pages(const struct decoder_group *group) {
    return group->request.prompt_count / KERNEL_PAGE_POSITIONS;
}

/* The last token is never read, so it needs no place. */
int64_t decoder_group_own_pages(const struct decoder_group *group, int64_t context) {
    int64_t tokens = group->request.prompt_count + tokens_max(group, context) - 1;
    return pages_of(tokens) - decoder_group_full_pages(group);
}
