/* decoder.c - see decoder.h: who has a slot, what a step computes, and when a sample is finished.
 *
 * Groups stand in the order of submission. A free slot goes to the first group that can use it: to
 * read its prompt, or, once that is read, for its next sample. Nobody overtakes a group that waits
 * for pages, so every group gets its turn.
 */
#include "policy/decoder.h"

#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "policy/decoder_cpu.h"
#include "policy/decoder_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a run: enough to share a page's way from memory, few enough for the runs of one group to
 * keep every thread busy. */
#define RUN_ROWS_MAX 16

/* A token to be drawn in this step. */
struct draw {
    struct decoder_slot *slot;
    const float *logits;
    struct sampler_choice choice;
    enum err_code code;
};

struct decoder {
    struct model_config config;
    struct decoder_options options;
    struct decoder_backend backend;
    struct kv_cache cache;
    int64_t pages_max; /* of a sample */
    struct decoder_stats stats;
    int64_t pending;

    struct decoder_group *groups; /* first submitted first */
    struct decoder_group **groups_end;
    int64_t submitted;
    struct decoder_node *done; /* first finished first */
    struct decoder_node **done_end;

    struct decoder_slot *slots;  /* [options.slots] */
    int32_t *slot_pages;         /* [slots, pages_max] */
    struct decoder_slot **order; /* [slots]: those with a row in this step */
    struct draw *draws;          /* [slots] */
    struct sampler *samplers;    /* [threads] */
    struct error *draw_errors;   /* [threads], where failed draws leave their text */
    float *logits;               /* [slots, V] */

    /* The batch of a step, [slots + prompt_rows] each. */
    int32_t *tokens;
    struct kernel_kv_row *rows;
    struct kernel_attention_run *runs;
    int64_t *wanted; /* [slots] */
};

const char *decoder_finish_name(enum decoder_finish finish) {
    static const char *const names[] = {
        [DECODER_FINISH_STOP_ID] = "stop id",
        [DECODER_FINISH_STOP_TEXT] = "stop text",
        [DECODER_FINISH_LENGTH] = "length",
        [DECODER_FINISH_CONTEXT] = "context",
    };
    return names[finish];
}

/* --- options ---------------------------------------------------------------------------------- */

static int64_t pages_of(int64_t tokens) {
    return (tokens + KERNEL_PAGE_POSITIONS - 1) / KERNEL_PAGE_POSITIONS;
}

struct decoder_options decoder_options_of(const struct model_config *config) {
    const int64_t slots = 16;
    return (struct decoder_options){
        .slots = slots,
        .context = config->context,
        .cache_tokens = slots * config->context,
        .prompt_rows = 128,
        .weights = KERNEL_OPERAND_BF16,
        .cache = KERNEL_OPERAND_BF16,
        .cpu = {.threads = 1},
    };
}

/* One page more a slot than tokens ask for: a prompt's last page is copied for each sample. */
struct decoder_cpu_options decoder_backend_sizes(const struct decoder_options *options) {
    return (struct decoder_cpu_options){
        .context = options->context,
        .pages = pages_of(options->cache_tokens) + options->slots,
        .rows_max = options->slots + options->prompt_rows,
        .wanted_max = options->slots,
        .weights = options->weights,
        .cache = options->cache,
        .cpu = options->cpu,
    };
}

static enum err_code check_range(const char *what, int64_t value, int64_t low, int64_t high,
                                 struct error *err) {
    if (value < low || value > high) {
        return err_set(err, ERR_USAGE,
                       "decoder: %s %" PRId64 " is outside [%" PRId64 ", %" PRId64 "]", what, value,
                       low, high);
    }
    return ERR_OK;
}

static enum err_code check_options(const struct model_config *config,
                                   const struct decoder_options *options, struct error *err) {
    TRY(check_range("slots", options->slots, 1, DECODER_SLOTS_MAX, err));
    TRY(check_range("context", options->context, 2, config->context, err));
    TRY(check_range("cache_tokens", options->cache_tokens, options->context,
                    options->slots * options->context, err));
    TRY(check_range("prompt_rows", options->prompt_rows, 1, DECODER_PROMPT_ROWS_MAX, err));
    return check_range("threads", options->cpu.threads, 1, DECODER_THREADS_MAX, err);
}

/* --- groups and slots ------------------------------------------------------------------------- */

static void unlink_group(struct decoder *d, struct decoder_group *group) {
    struct decoder_group **link = &d->groups;
    while (*link != group) {
        link = &(*link)->next;
    }
    *link = group->next;
    if (!group->next) {
        d->groups_end = link;
    }
    decoder_group_free(group);
}

static int32_t take_page(struct decoder *d, struct decoder_slot *slot) {
    ASSERT_LE(1, slot->reserved);
    slot->reserved--;
    int32_t page = kv_cache_take(&d->cache);
    d->backend.functions->page_clear(d->backend.self, page);
    return page;
}

static void free_slot(struct decoder *d, struct decoder_slot *slot) {
    for (int64_t i = 0; i < slot->page_count; i++) {
        kv_cache_drop(&d->cache, slot->pages[i]);
    }
    kv_cache_unreserve(&d->cache, slot->reserved);
    *slot = (struct decoder_slot){.pages = slot->pages};
}

/* A slot begins to read the prompt of `group`, for sample 0. The logits behind the prompt are kept
 * for the other samples. */
static enum err_code start_reading(struct decoder *d, struct decoder_slot *slot,
                                   struct decoder_group *group, struct error *err) {
    group->logits = mem_array((size_t)d->config.vocab, sizeof *group->logits);
    if (!group->logits) {
        return err_oom(err, "logits of a prompt");
    }
    group->is_reading = true;
    slot->state = SLOT_READING;
    slot->group = group;
    return ERR_OK;
}

/* The sample's pages: the full ones of the prompt shared; of a last one that is not full a copy,
 * since the sample will write behind the prompt. The last sample to enter takes over the group's.
 */
static void inherit_pages(struct decoder *d, struct decoder_slot *slot,
                          struct decoder_group *group) {
    int64_t full = decoder_group_full_pages(group);
    bool is_last = group->entered == group->request.samples;
    slot->page_count = group->page_count;
    memcpy(slot->pages, group->pages, (size_t)group->page_count * sizeof *slot->pages);
    if (is_last) {
        group->page_count = 0;
        return;
    }
    for (int64_t i = 0; i < full; i++) {
        kv_cache_share(&d->cache, slot->pages[i]);
    }
    if (full < group->page_count) {
        slot->pages[full] = take_page(d, slot);
        d->backend.functions->page_copy(d->backend.self, group->pages[full], slot->pages[full]);
    }
}

/* The next sample of `group`, whose prompt is read, begins in this slot. */
static enum err_code enter_sample(struct decoder *d, struct decoder_slot *slot,
                                  struct decoder_group *group, struct error *err) {
    const struct decoder_request *request = &group->request;
    TRY(decoder_node_new(group, group->entered, d->options.context, &slot->node, err));
    slot->state = SLOT_DECODING;
    slot->group = group;
    slot->rng = rng_stream(request->seed, RNG_SAMPLE, request->rng_step,
                           request->rng_item + group->entered);
    slot->position = request->prompt_count;
    group->entered++;
    inherit_pages(d, slot, group);
    return ERR_OK;
}

static bool is_read(const struct decoder_group *group) {
    return group->read == group->request.prompt_count;
}

/* Gives the slot to `group` if there is anything for it to do and pages to do it with.
 * `out_waits`: there is, but too few pages are free. */
static enum err_code admit_group(struct decoder *d, struct decoder_slot *slot,
                                 struct decoder_group *group, bool *out_waits, struct error *err) {
    if (group->entered == group->request.samples || (group->is_reading && !is_read(group))) {
        return ERR_OK;
    }
    int64_t pages = decoder_group_own_pages(group, d->options.context);
    pages += group->is_reading ? 0 : decoder_group_prompt_pages(group);
    if (!kv_cache_reserve(&d->cache, pages)) {
        *out_waits = true;
        return ERR_OK;
    }
    slot->reserved = pages;
    return group->is_reading ? enter_sample(d, slot, group, err)
                             : start_reading(d, slot, group, err);
}

static enum err_code admit(struct decoder *d, struct error *err) {
    bool waits = false;
    struct decoder_group *group = d->groups;
    for (int64_t i = 0; i < d->options.slots && group && !waits; i++) {
        struct decoder_slot *slot = &d->slots[i];
        while (slot->state == SLOT_FREE && group && !waits) {
            TRY(admit_group(d, slot, group, &waits, err));
            if (slot->state == SLOT_FREE) {
                group = group->next;
            }
        }
    }
    return ERR_OK;
}

/* --- the batch -------------------------------------------------------------------------------- */

/* By group, then by position: the samples of one prompt become a run. */
static int compare_slots(const void *left, const void *right) {
    const struct decoder_slot *a = *(const struct decoder_slot *const *)left;
    const struct decoder_slot *b = *(const struct decoder_slot *const *)right;
    if (a->group != b->group) {
        return a->group->order < b->group->order ? -1 : 1;
    }
    if (a->position != b->position) {
        return a->position < b->position ? -1 : 1;
    }
    return (a > b) - (a < b);
}

static void add_row(struct decoder *d, struct decoder_batch *batch, int32_t token, int64_t position,
                    const int32_t *pages) {
    d->tokens[batch->rows] = token;
    d->rows[batch->rows] = (struct kernel_kv_row){.position = position, .pages = pages};
    batch->rows++;
}

/* Adds the last row to the run going on, or begins one. */
static void extend_run(struct decoder *d, struct decoder_batch *batch, bool is_new,
                       int64_t shared_pages) {
    if (is_new || d->runs[batch->run_count - 1].rows == RUN_ROWS_MAX) {
        d->runs[batch->run_count++] =
            (struct kernel_attention_run){batch->rows - 1, 1, shared_pages};
        return;
    }
    struct kernel_attention_run *run = &d->runs[batch->run_count - 1];
    run->rows++;
    run->shared_pages = shared_pages;
}

/* The logits of the last row go to `slot`'s next token. */
static void want_last_row(struct decoder *d, struct decoder_batch *batch, int64_t *draw_count,
                          struct decoder_slot *slot) {
    d->draws[(*draw_count)++] =
        (struct draw){.slot = slot, .logits = d->logits + batch->wanted_count * d->config.vocab};
    d->wanted[batch->wanted_count++] = batch->rows - 1;
}

/* The last token of every sample. One that has just entered has none: the logits behind its prompt
 * are at hand. */
static void add_samples(struct decoder *d, struct decoder_batch *batch, int64_t *draw_count) {
    int64_t count = 0;
    for (int64_t i = 0; i < d->options.slots; i++) {
        struct decoder_slot *slot = &d->slots[i];
        if (slot->state == SLOT_DECODING && slot->node->sample.count > 0) {
            d->order[count++] = slot;
        } else if (slot->state == SLOT_DECODING) {
            d->draws[(*draw_count)++] = (struct draw){.slot = slot, .logits = slot->group->logits};
        }
    }
    qsort(d->order, (size_t)count, sizeof(struct decoder_slot *), compare_slots);
    for (int64_t i = 0; i < count; i++) {
        struct decoder_slot *slot = d->order[i];
        const struct decoder_sample *sample = &slot->node->sample;
        if (slot->position == slot->page_count * KERNEL_PAGE_POSITIONS) {
            slot->pages[slot->page_count++] = take_page(d, slot);
        }
        add_row(d, batch, sample->tokens[sample->count - 1], slot->position, slot->pages);
        slot->position++;
        extend_run(d, batch, i == 0 || slot->group != d->order[i - 1]->group,
                   decoder_group_full_pages(slot->group));
        want_last_row(d, batch, draw_count, slot);
    }
}

/* The next piece of a prompt; pages become the group's. */
static void add_prompt(struct decoder *d, struct decoder_batch *batch, struct decoder_slot *slot,
                       int64_t *draw_count) {
    struct decoder_group *group = slot->group;
    bool is_first = true;
    while (!is_read(group) && batch->rows < d->backend.rows_max) {
        if (group->read == group->page_count * KERNEL_PAGE_POSITIONS) {
            group->pages[group->page_count++] = take_page(d, slot);
        }
        add_row(d, batch, group->prompt[group->read], group->read, group->pages);
        extend_run(d, batch, is_first, group->page_count);
        group->read++;
        d->stats.prompt_tokens++;
        is_first = false;
    }
    if (is_read(group)) {
        want_last_row(d, batch, draw_count, slot);
    }
}

/* Prompts in the order of submission, as far as rows go. */
static void add_prompts(struct decoder *d, struct decoder_batch *batch, int64_t *draw_count) {
    int64_t count = 0;
    for (int64_t i = 0; i < d->options.slots; i++) {
        if (d->slots[i].state == SLOT_READING) {
            d->order[count++] = &d->slots[i];
        }
    }
    qsort(d->order, (size_t)count, sizeof(struct decoder_slot *), compare_slots);
    for (int64_t i = 0; i < count && batch->rows < d->backend.rows_max; i++) {
        add_prompt(d, batch, d->order[i], draw_count);
    }
}

/* --- drawing ---------------------------------------------------------------------------------- */

struct draw_work {
    struct decoder *decoder;
    int64_t count;
};

static void draw_share(void *context, const struct kernel_team *team) {
    const struct draw_work *work = context;
    struct decoder *d = work->decoder;
    struct kernel_span span = kernel_team_share(team, work->count);
    for (int64_t i = span.begin; i < span.end; i++) {
        struct draw *draw = &d->draws[i];
        draw->code = sampler_draw(&d->samplers[team->index], &draw->slot->group->request.sampling,
                                  draw->logits, &draw->slot->rng, &draw->choice,
                                  &d->draw_errors[team->index]);
    }
}

/* Draws all tokens; a failed draw is repeated for its message, which names the sample. */
static enum err_code draw_all(struct decoder *d, int64_t count, struct error *err) {
    struct kernel_cpu cpu = d->options.cpu;
    cpu.threads = count < cpu.threads ? (count > 0 ? (int)count : 1) : cpu.threads;
    kernel_team_run(cpu, draw_share, &(struct draw_work){d, count});
    for (int64_t i = 0; i < count; i++) {
        struct draw *draw = &d->draws[i];
        if (draw->code != ERR_OK) {
            const struct decoder_sample *sample = &draw->slot->node->sample;
            enum err_code code = sampler_draw(&d->samplers[0], &draw->slot->group->request.sampling,
                                              draw->logits, &draw->slot->rng, &draw->choice, err);
            return err_wrap(err, code,
                            "step %" PRId64 ", tag %" PRId64 ", sample %" PRId64
                            ", new token %" PRId64,
                            d->stats.steps, sample->tag, sample->index, sample->count);
        }
    }
    return ERR_OK;
}

/* --- after the draw --------------------------------------------------------------------------- */

static bool is_stop(const struct decoder_group *group, int32_t token) {
    for (int64_t i = 0; i < group->request.stop_count; i++) {
        if (group->stops[i] == token) {
            return true;
        }
    }
    return false;
}

/* Whether the sample ends with its last token, and why. */
static bool is_finished(const struct decoder *d, const struct decoder_slot *slot, bool is_text_end,
                        enum decoder_finish *out) {
    const struct decoder_group *group = slot->group;
    const struct decoder_sample *sample = &slot->node->sample;
    if (is_stop(group, sample->tokens[sample->count - 1])) {
        *out = DECODER_FINISH_STOP_ID;
    } else if (is_text_end) {
        *out = DECODER_FINISH_STOP_TEXT;
    } else if (sample->count == group->request.new_tokens_max) {
        *out = DECODER_FINISH_LENGTH;
    } else if (group->request.prompt_count + sample->count == d->options.context) {
        *out = DECODER_FINISH_CONTEXT;
    } else {
        return false;
    }
    return true;
}

static void finish_sample(struct decoder *d, struct decoder_slot *slot) {
    struct decoder_group *group = slot->group;
    *d->done_end = slot->node;
    d->done_end = &slot->node->next;
    slot->node = NULL;
    free_slot(d, slot);
    d->pending--;
    d->stats.samples++;
    if (++group->finished == group->request.samples) {
        unlink_group(d, group);
    }
}

static void append_token(struct decoder *d, const struct draw *draw) {
    struct decoder_slot *slot = draw->slot;
    struct decoder_sample *sample = &slot->node->sample;
    const struct decoder_request *request = &slot->group->request;
    int64_t place = sample->count++;
    d->stats.new_tokens++;
    sample->tokens[place] = draw->choice.token;
    sample->logp_nats[place] = draw->choice.logp_nats;
    sample->model_logp_nats[place] = draw->choice.model_logp_nats;
    bool is_text_end = false;
    if (request->on_token) {
        struct decoder_token token = {
            .tag = sample->tag, .index = sample->index, .place = place, .choice = draw->choice};
        is_text_end = request->on_token(request->on_token_context, &token);
    }
    if (is_finished(d, slot, is_text_end, &sample->finish)) {
        finish_sample(d, slot);
    }
}

/* Prompts that are now read: their logits are kept, and sample 0 enters in the slot that read. */
static enum err_code enter_readers(struct decoder *d, int64_t count, struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        struct draw *draw = &d->draws[i];
        if (draw->slot->state == SLOT_READING) {
            struct decoder_group *group = draw->slot->group;
            memcpy(group->logits, draw->logits, (size_t)d->config.vocab * sizeof *group->logits);
            TRY(enter_sample(d, draw->slot, group, err));
        }
    }
    return ERR_OK;
}

/* --- public ----------------------------------------------------------------------------------- */

enum err_code decoder_step(struct decoder *d, struct error *err) {
    if (!d->options.finishes && interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted before step %" PRId64 " of decoding",
                       d->stats.steps);
    }
    TRY(admit(d, err));
    int64_t draw_count = 0;
    struct decoder_batch batch = {
        .tokens = d->tokens, .row = d->rows, .runs = d->runs, .wanted = d->wanted};
    add_samples(d, &batch, &draw_count);
    add_prompts(d, &batch, &draw_count);
    if (batch.rows > 0) {
        TRY(d->backend.functions->forward(d->backend.self, &batch, d->logits, err));
    }
    TRY(enter_readers(d, draw_count, err));
    TRY(draw_all(d, draw_count, err));
    for (int64_t i = 0; i < draw_count; i++) {
        append_token(d, &d->draws[i]);
    }
    d->stats.steps++;
    return ERR_OK;
}

enum err_code decoder_submit(struct decoder *d, const struct decoder_request *request,
                             struct error *err) {
    TRY(decoder_request_check(request, &d->config, d->options.context, err));
    struct decoder_group *group = NULL;
    TRY(decoder_group_new(request, &group, err));
    group->order = d->submitted++;
    *d->groups_end = group;
    d->groups_end = &group->next;
    d->pending += request->samples;
    return ERR_OK;
}

int64_t decoder_pending(const struct decoder *d) {
    return d->pending;
}

struct decoder_stats decoder_stats(const struct decoder *d) {
    return d->stats;
}

bool decoder_take(struct decoder *d, struct decoder_sample *out) {
    struct decoder_node *node = d->done;
    if (!node) {
        return false;
    }
    d->done = node->next;
    if (!d->done) {
        d->done_end = &d->done;
    }
    *out = node->sample;
    mem_free(node);
    return true;
}

enum err_code decoder_refresh(struct decoder *d, const struct decoder_weights *weights,
                              struct error *err) {
    if (d->pending > 0) {
        return err_set(err, ERR_USAGE,
                       "new weights while %" PRId64
                       " samples are pending: they would be drawn from "
                       "two policies; finish them first",
                       d->pending);
    }
    return d->backend.functions->refresh(d->backend.self, weights, err);
}

void decoder_close(struct decoder *d) {
    if (!d) {
        return;
    }
    for (int64_t i = 0; d->slots && i < d->options.slots; i++) {
        decoder_node_free(d->slots[i].node);
    }
    while (d->groups) {
        struct decoder_group *group = d->groups;
        d->groups = group->next;
        decoder_group_free(group);
    }
    struct decoder_sample sample;
    while (decoder_take(d, &sample)) {
        decoder_sample_deinit(&sample);
    }
    for (int64_t i = 0; d->samplers && i < d->options.cpu.threads; i++) {
        sampler_deinit(&d->samplers[i]);
    }
    d->backend.functions->close(d->backend.self);
    kv_cache_deinit(&d->cache);
    mem_free(d->slots);
    mem_free(d->slot_pages);
    mem_free(d->order);
    mem_free(d->draws);
    mem_free(d->samplers);
    mem_free(d->draw_errors);
    mem_free(d->logits);
    mem_free(d->tokens);
    mem_free(d->rows);
    mem_free(d->runs);
    mem_free(d->wanted);
    mem_free(d);
}

static enum err_code allocate(struct decoder *d, struct error *err) {
    size_t slots = (size_t)d->options.slots;
    size_t rows = (size_t)d->backend.rows_max;
    size_t threads = (size_t)d->options.cpu.threads;
    d->slots = mem_array_zero(slots, sizeof *d->slots);
    d->slot_pages = mem_array(slots * (size_t)d->pages_max, sizeof *d->slot_pages);
    d->order = mem_array(slots, sizeof *d->order);
    d->draws = mem_array(slots, sizeof *d->draws);
    d->samplers = mem_array_zero(threads, sizeof *d->samplers);
    d->draw_errors = mem_array_zero(threads, sizeof *d->draw_errors);
    d->logits = mem_array(slots * (size_t)d->config.vocab, sizeof *d->logits);
    d->tokens = mem_array(rows, sizeof *d->tokens);
    d->rows = mem_array(rows, sizeof *d->rows);
    d->runs = mem_array(rows, sizeof *d->runs);
    d->wanted = mem_array(slots, sizeof *d->wanted);
    bool is_whole = d->slots && d->slot_pages && d->order && d->draws && d->samplers &&
                    d->draw_errors && d->logits && d->tokens && d->rows && d->runs && d->wanted;
    return is_whole ? ERR_OK : err_oom(err, "decoder");
}

static enum err_code build(struct decoder *d, struct error *err) {
    TRY(allocate(d, err));
    for (int64_t i = 0; i < d->options.slots; i++) {
        d->slots[i].pages = d->slot_pages + i * d->pages_max;
    }
    for (int64_t i = 0; i < d->options.cpu.threads; i++) {
        TRY(sampler_init(d->config.vocab, &d->samplers[i], err));
    }
    return kv_cache_init(d->backend.pages, &d->cache, err);
}

enum err_code decoder_open_on(const struct model_config *config,
                              const struct decoder_options *options, struct decoder_backend backend,
                              struct decoder **out, struct error *err) {
    struct decoder *d = mem_array_zero(1, sizeof *d);
    if (!d) {
        backend.functions->close(backend.self);
        return err_oom(err, "decoder");
    }
    d->config = *config;
    d->options = *options;
    d->backend = backend;
    d->pages_max = pages_of(options->context) + 1;
    d->groups_end = &d->groups;
    d->done_end = &d->done;
    enum err_code code = build(d, err);
    if (code != ERR_OK) {
        decoder_close(d);
        return code;
    }
    *out = d;
    return ERR_OK;
}

enum err_code decoder_open(const struct model_config *config, const struct decoder_weights *weights,
                           const struct decoder_options *options, struct decoder **out,
                           struct error *err) {
    TRY(model_config_need_head(config, MODEL_HEAD_LM, err));
    TRY(check_options(config, options, err));
    struct decoder_cpu_options sizes = decoder_backend_sizes(options);
    struct decoder_backend backend;
    TRY(decoder_cpu_open(config, weights, &sizes, &backend, err));
    return decoder_open_on(config, options, backend, out, err);
}
