/* train_loop.h - what every trainer does with the gradients of its recipe: clip, step, watch,
 * evaluate, keep the best, save, resume.
 *
 * Use:      struct train_recipe recipe = {.name = "sft", .gradients = ..., .evaluate = ...};
 *           const struct train_job job = {.run = run, .recipe = &recipe, .model = model, ...};
 *           TRY(train_job_run(&job, args, err));
 * Step:     recipe->gradients adds those of the mean loss of a step; gradients are clipped to their
 *           norm; AdamW or Adam-mini moves the weights at the rate of the schedule. A step is the
 *           same bits however often the run was stopped before it.
 * Folder:   of the run: metrics.jsonl and eval_metrics.jsonl, checkpoint-N/, best.safetensors
 *           (with keep_best: what was trained, and the recipe's numbers, at the evaluation of least
 *           loss), final/ (policy/model_save.h), and what run_folder.h says.
 * Stopping: at the end of the schedule; before, when `patience` evaluations one after the other
 *           have not been better than the best. Then the best weights are taken, with keep_best.
 * Resuming: the newest checkpoint. best.safetensors may be newer than it: the evaluation that wrote
 *           it is met again, with the same bits.
 * Threads:  main thread.
 */
#ifndef TRAINER_TRAIN_LOOP_H
#define TRAINER_TRAIN_LOOP_H

#include "base/hash.h"
#include "base/metrics.h"
#include "data/tokenizer.h"
#include "policy/model.h"
#include "trainer/checkpoint.h"
#include "trainer/lr_schedule.h"
#include "trainer/run_folder.h"
#include "trainer/train_config.h"

#define TRAIN_METRICS_MAX 40
#define TRAIN_NOTE_BYTES  96

/* What a step or an evaluation gave. All zero to begin with. */
struct train_row {
    struct metric metrics[TRAIN_METRICS_MAX]; /* the loss in nats first; TRL's names */
    size_t count;
    int64_t tokens;              /* of the texts: what several share, in each of them */
    char note[TRAIN_NOTE_BYTES]; /* for the log, behind the loss: ", perplexity 7.31"; or "" */
};

void train_row_add(struct train_row *row, const char *key, double value);

struct train_recipe {
    const char *name; /* in the log: "sft" */
    void *context;    /* of the functions below */
    const char *next; /* what to do with the saved model: a command that its folder completes */
    int64_t examples; /* of an epoch */
    /* Steps that learn from the same examples, one after the other; 0: one. Checkpoints stand
     * between such rounds, so that what a round remembers is not part of them. */
    int64_t updates;
    int64_t tokens, target_tokens;                  /* of an epoch; how many the loss is taken of */
    const char *target_text;                        /* in the plan: tokens that "are learnt" */
    int64_t evaluation_examples, evaluation_tokens; /* 0: nothing to evaluate */
    bool evaluates_start;                           /* also before the first step */

    /* What else a resumed run goes on with, borrowed: saved with each checkpoint and with the best
     * weights, and set by them. */
    struct checkpoint_number *numbers;
    int64_t numbers_count;

    /* With the weights that training starts from, before a checkpoint's are loaded: in a run that
     * is resumed too, in a dry run not. NULL: nothing to do. */
    enum err_code (*begin)(void *context, struct error *err);
    /* Tokens of the largest micro-batch of a step: what memory is proportional to. */
    int64_t (*step_tokens)(void *context, int64_t step);
    /* Adds the gradients of the mean loss of step 0, 1, ... to the parameters, which are zero. */
    enum err_code (*gradients)(void *context, int64_t step, struct train_row *out_row,
                               struct error *err);
    /* Over the first `examples` kept for evaluation. */
    enum err_code (*evaluate)(void *context, int64_t examples, struct train_row *out_row,
                              struct error *err);
    /* With the weights that will be saved, before they are; NULL: nothing to do. */
    enum err_code (*finish)(void *context, struct error *err);
    /* Files of the recipe's own, into the folder of the saved model; NULL: none. */
    enum err_code (*add_files)(void *context, const char *folder, struct error *err);
};

struct train_job {
    struct run *run; /* with a configuration that begins with struct train_config */
    const struct train_recipe *recipe;
    struct model *model;
    const struct tokenizer *tokenizer;
    struct hash_digest data_hash; /* of what is learnt */
    struct hash_digest base_hash; /* of what checkpoints leave out (train_model.h) */
};

/* The whole run, or with --dry-run its plan; --resume goes on.
 *   fails    ERR_DATA for a gradient that is not finite, unless
 *            such steps are skipped; ERR_INTERRUPTED after a checkpoint; as checkpoint_load,
 *            model_save and the recipe */
ERR_NODISCARD enum err_code train_job_run(const struct train_job *job,
                                          const struct command_args *args, struct error *err);

/* Whether what was asked for can be begun, before any work for it.
 *   fails    ERR_USAGE with neither a folder to write nor --dry-run */
ERR_NODISCARD enum err_code train_check_request(const struct train_config *config,
                                                const struct command_args *args, struct error *err);

/* Tokens to compute at once: what the configuration says, or what suits the device. */
int64_t train_micro_batch_tokens(const struct train_config *config, const struct model *model);

/* --- for train_plan.c --- */

struct train_loop {
    const struct train_job *job;
    const struct train_config *config;
    struct tt_params *params; /* what is trained, borrowed from the model */
    struct tt_adamw *adamw;
    struct lr_schedule schedule;
    struct run_folder folder;
    struct metrics *metrics;
    struct metrics *eval_metrics;
    int64_t tokens_seen;
    int64_t started_ns; /* monotonic, and tokens_seen then: for the rate */
    int64_t tokens_at_start;
    double best_loss;
    int64_t best_step;         /* steps done then; -1: nothing evaluated yet */
    int64_t evaluations_since; /* the best one */
};

/* Gradients of one step and its update. `*out_grad_norm` is before clipping. */
ERR_NODISCARD enum err_code train_loop_step(struct train_loop *loop, int64_t step,
                                            double learning_rate, struct train_row *out_row,
                                            double *out_grad_norm, struct error *err);

/* Epochs that so many steps are. */
double train_loop_epochs(const struct train_loop *loop, int64_t steps);

#endif
