/* reward_parts.c - see reward_parts.h; no torch. */
#include "trainer/reward_parts.h"

#include "base/scoped.h"
#include "reward/reward_findings.h"

#include <inttypes.h>

static void say_left_out(struct run *run, const char *area, const struct reward_examples *training,
                         const struct reward_examples *validation) {
    const struct {
        int64_t count;
        const char *text;
    } left_out[] = {
        {training->without_tokens + validation->without_tokens,
         training->data->set.good ? "labels left out with their answers"
                                  : "comparisons left out with their answers"},
        {training->silent + validation->silent,
         "comparisons left out: ties that are dropped, or answers that were not compared"},
    };
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        if (left_out[i].count > 0) {
            log_warn(run->log, area, "%" PRId64 " %s", left_out[i].count, left_out[i].text);
        }
    }
}

static enum err_code check_some(const struct reward_data *data,
                                const struct reward_examples *training, struct error *err) {
    if (training->count == 0) {
        return err_set(err, ERR_DATA,
                       "nothing is left to learn from: %" PRId64 " prompts for training, %" PRId64
                       " comparisons of too long answers, %" PRId64 " that say nothing",
                       data->counts.prompts[PROMPT_TRAINING], training->without_tokens,
                       training->silent);
    }
    return ERR_OK;
}

/* What is odd about the judgements, those of a prompt together, and what a likelihood with ties
 * cannot do without. */
static enum err_code look_at_judgements(struct run *run, const struct reward_data *data,
                                        const struct reward_parts_options *options,
                                        struct error *err) {
    const struct reward_examples_plan uncut = {.loss = options->loss};
    SCOPED(reward_examples) struct reward_examples whole = REWARD_EXAMPLES_INIT;
    struct reward_findings findings;
    if (data->set.good) {
        return ERR_OK; /* they compare nothing */
    }
    TRY(reward_examples_make(data, PROMPT_TRAINING, &uncut, &whole, err));
    TRY(reward_findings_of(&whole.set, &whole.terms, &findings, err));
    const struct reward_terms_counts *counts = &whole.terms.counts;
    for (enum reward_finding f = 0; f < REWARD_FINDING_COUNT; f++) {
        if (findings.counts[f] > 0) {
            log_warn(run->log, options->area, "%" PRId64 " %s", findings.counts[f],
                     reward_finding_text(f));
        }
    }
    if (options->loss->ties == PAIR_TIES_KEEP &&
        counts->tied_judgements + counts->tied_rankings == 0) {
        return err_set(err, ERR_DATA,
                       "no judgement is a tie, so nothing says how likely ties are: use "
                       "%s.likelihood=bradley-terry with %s.ties=half",
                       options->keys, options->keys);
    }
    return ERR_OK;
}

enum err_code reward_parts_make(struct run *run, const struct reward_data *data,
                                const struct reward_parts_options *options,
                                struct reward_examples *training,
                                struct reward_examples *validation, struct error *err) {
    const struct reward_examples_plan cut = {
        .loss = options->loss, .answers_max = options->answers_max, .seed = options->seed};
    TRY(reward_examples_make(data, PROMPT_TRAINING, &cut, training, err));
    const struct reward_examples_plan whole = {.loss = options->loss,
                                               .ties_of = training->objective};
    TRY(reward_examples_make(data, PROMPT_VALIDATION, &whole, validation, err));
    say_left_out(run, options->area, training, validation);
    TRY(check_some(data, training, err));
    return look_at_judgements(run, data, options, err);
}
