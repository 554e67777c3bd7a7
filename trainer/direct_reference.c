/* direct_reference.c - see direct_reference.h. */
#include "trainer/direct_reference.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "policy/model_tokenizer.h"
#include "trainer/mismatched_answers.h"
#include "trainer/saved_model.h"
#include "trainer/sequence_logp.h"

#include <math.h>

enum err_code direct_reference_init(struct direct_reference *reference,
                                    const struct align_config *config, int64_t context,
                                    const struct reward_examples *training,
                                    const struct reward_examples *validation, struct error *err) {
    const size_t items = (size_t)training->data->set.item_count;
    const int64_t tokens_max =
        config->data.sequence_tokens_max < context ? config->data.sequence_tokens_max : context;
    reference->config = config;
    reference->parts[DIRECT_TRAINING] = training;
    reference->parts[DIRECT_VALIDATION] = validation;
    reference->logp = mem_array_zero(items, sizeof *reference->logp);
    reference->start = mem_array_zero(items, sizeof *reference->start);
    if (!reference->logp || !reference->start) {
        return err_oom(err, "log-probabilities of the reference");
    }
    for (int p = 0; config->method == ALIGN_KTO && p < DIRECT_PART_COUNT; p++) {
        TRY(mismatched_answers_make(reference->parts[p], training, tokens_max,
                                    &reference->mismatched[p], err));
        reference->mismatched_logp[p] = mem_array_zero((size_t)reference->mismatched[p].count,
                                                       sizeof *reference->mismatched_logp[p]);
        if (!reference->mismatched_logp[p]) {
            return err_oom(err, "log-probabilities of the reference");
        }
    }
    return ERR_OK;
}

void direct_reference_deinit(struct direct_reference *reference) {
    mem_free(reference->logp);
    mem_free(reference->start);
    for (int p = 0; p < DIRECT_PART_COUNT; p++) {
        token_set_deinit(&reference->mismatched[p]);
        mem_free(reference->mismatched_logp[p]);
    }
    *reference = (struct direct_reference)DIRECT_REFERENCE_INIT;
}

/* --- reading answers -------------------------------------------------------------------------- */

struct answer_list {
    int64_t *items; /* [count] of the data, each once */
    struct token_sequence *texts;
    struct sequence_logp *sums;
    int64_t count, tokens;
};

static void answer_list_scoped_end(struct answer_list *list) {
    mem_free(list->items);
    mem_free(list->texts);
    mem_free(list->sums);
}

/* The answers of the parts from `first` on. */
static enum err_code list_answers(const struct direct_reference *reference, enum direct_part first,
                                  struct answer_list *list, struct error *err) {
    const struct reward_data *data = reference->parts[DIRECT_TRAINING]->data;
    const size_t items = (size_t)data->set.item_count;
    SCOPED(mem) bool *is_listed = mem_array_zero(items, sizeof *is_listed);
    list->items = mem_array(items, sizeof *list->items);
    list->texts = mem_array(items, sizeof *list->texts);
    list->sums = mem_array(items, sizeof *list->sums);
    if (!is_listed || !list->items || !list->texts || !list->sums) {
        return err_oom(err, "answers of the reference");
    }
    for (enum direct_part p = first; p < DIRECT_PART_COUNT; p++) {
        const struct reward_examples *examples = reference->parts[p];
        for (int64_t i = 0; i < examples->set.item_count; i++) {
            const int64_t item = examples->items[i];
            if (!is_listed[item]) {
                is_listed[item] = true;
                list->items[list->count] = item;
                list->texts[list->count] = reward_data_sequence(data, item);
                list->tokens += list->texts[list->count++].count;
            }
        }
    }
    return ERR_OK;
}

static enum err_code check_finite(const struct sequence_logp *sums, int64_t count,
                                  struct error *err) {
    for (int64_t k = 0; k < count; k++) {
        if (!isfinite(sums[k].logp)) {
            return err_set(err, ERR_DATA,
                           "an answer has log-probability %g under the reference: the model is "
                           "damaged",
                           sums[k].logp);
        }
    }
    return ERR_OK;
}

static enum err_code read_answers(const struct direct_reference *reference,
                                  const struct direct_reference_source *source,
                                  const struct token_sequence *texts, int64_t count,
                                  struct sequence_logp *out, struct error *err) {
    SCOPED(progress) struct progress progress;
    const struct sequence_scorer scorer = {
        .model = source->model,
        .tokens_max = source->tokens_max,
        .log_alpha = log(reference->config->regulariser.alpha),
        .progress = &progress,
    };
    run_progress_open(source->run, "reference", "answers", count, &progress);
    TRY(sequence_logp_all(&scorer, texts, count, out, err));
    progress_finish(&progress);
    return check_finite(out, count, err);
}

/* --- measuring -------------------------------------------------------------------------------- */

static enum err_code measure_mismatched(struct direct_reference *reference,
                                        const struct direct_reference_source *source,
                                        enum direct_part part, struct error *err) {
    const int64_t count = reference->mismatched[part].count;
    SCOPED(mem) struct token_sequence *texts = mem_array((size_t)count, sizeof *texts);
    SCOPED(mem) struct sequence_logp *sums = mem_array((size_t)count, sizeof *sums);
    if (!texts || !sums) {
        return err_oom(err, "mismatched answers");
    }
    for (int64_t e = 0; e < count; e++) {
        texts[e] = token_set_at(&reference->mismatched[part], e);
    }
    TRY(read_answers(reference, source, texts, count, sums, err));
    for (int64_t e = 0; e < count; e++) {
        reference->mismatched_logp[part][e] = sums[e].logp;
    }
    return ERR_OK;
}

/* R of all answers, by source->model; S of them too where it is what training starts from. */
static enum err_code measure_reference(struct direct_reference *reference,
                                       const struct direct_reference_source *source, bool is_start,
                                       struct error *err) {
    SCOPED(answer_list) struct answer_list list = {.items = NULL};
    TRY(list_answers(reference, DIRECT_TRAINING, &list, err));
    TRY(read_answers(reference, source, list.texts, list.count, list.sums, err));
    for (int64_t k = 0; k < list.count; k++) {
        const struct sequence_logp *sum = &list.sums[k];
        reference->logp[list.items[k]] =
            reference->config->method == ALIGN_PM_DPO ? sum->log_weight : sum->logp;
        if (is_start) {
            reference->start[list.items[k]] = sum->logp;
        }
    }
    for (enum direct_part p = DIRECT_TRAINING; p < DIRECT_PART_COUNT; p++) {
        if (reference->mismatched[p].count > 0) {
            TRY(measure_mismatched(reference, source, p, err));
        }
    }
    return ERR_OK;
}

static enum err_code measure_start(struct direct_reference *reference,
                                   const struct direct_reference_source *source,
                                   struct error *err) {
    SCOPED(answer_list) struct answer_list list = {.items = NULL};
    TRY(list_answers(reference, DIRECT_VALIDATION, &list, err));
    if (list.count == 0) {
        return ERR_OK;
    }
    TRY(read_answers(reference, source, list.texts, list.count, list.sums, err));
    for (int64_t k = 0; k < list.count; k++) {
        reference->start[list.items[k]] = list.sums[k].logp;
    }
    return ERR_OK;
}

static enum err_code measure_other(struct direct_reference *reference,
                                   const struct direct_reference_source *source,
                                   struct error *err) {
    const struct model_options own = model_options_of(source->model);
    const struct model_options options = {.device = own.device, .compute = own.compute};
    SCOPED(model) struct model *other = NULL;
    struct direct_reference_source from = *source;
    TRY(model_open(reference->config->reference, &options, &other, err));
    TRY(model_tokenizer_check(source->tokenizer, model_config_of(other), err));
    from.model = other;
    return measure_reference(reference, &from, false, err);
}

enum err_code direct_reference_measure(struct direct_reference *reference,
                                       const struct direct_reference_source *source,
                                       struct error *err) {
    const char *path = reference->config->reference;
    const bool is_own = align_direct_has_reference(reference->config) && !path[0];
    if (is_own) {
        TRY(measure_reference(reference, source, true, err));
        reference->has_training_starts = true;
    } else {
        TRY(measure_start(reference, source, err));
    }
    if (path[0]) {
        TRY(err_wrap(err, measure_other(reference, source, err), "reference '%s'", path));
    }
    mem_trim();
    reference->is_measured = true;
    return ERR_OK;
}

/* --- what it will take, and whether it is the same -------------------------------------------- */

int64_t direct_reference_tokens(const struct direct_reference *reference) {
    const bool reads_all = align_direct_has_reference(reference->config);
    int64_t tokens = reference->parts[DIRECT_VALIDATION]->tokens;
    tokens += reads_all ? reference->parts[DIRECT_TRAINING]->tokens : 0;
    tokens += reference->config->reference[0] ? reference->parts[DIRECT_VALIDATION]->tokens : 0;
    for (int p = 0; p < DIRECT_PART_COUNT; p++) {
        tokens += reference->mismatched[p].tokens;
    }
    return tokens;
}

enum err_code direct_reference_hash(const struct direct_reference *reference,
                                    struct hash_state *state, struct error *err) {
    const struct align_config *config = reference->config;
    return align_direct_has_reference(config)
               ? err_wrap(err, saved_model_hash(align_reference_path(config), state, err),
                          "reference")
               : ERR_OK;
}
