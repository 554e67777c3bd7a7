/* train_plan.c - see train_plan.h; in the tensor half. */
#include "trainer/train_plan.h"

#include "base/json_writer.h"
#include "base/machine.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "trainer/text_table.h"

struct plan {
    int64_t parameters, trained;
    int64_t examples, evaluation_examples;
    int64_t tokens_per_epoch, target_tokens_per_epoch;
    const char *target_text;
    int64_t steps, evaluations;
    double tokens;            /* over all steps */
    double evaluation_tokens; /* over all evaluations */
    /* measured */
    double tokens_per_second;
    double evaluation_tokens_per_second; /* 0 without examples for evaluation */
    int64_t memory_peak_bytes;
    /* while it runs: checkpoints, one more being written, and the best weights */
    int64_t disk_bytes;
};

/* --- what is known --- */

/* Numbers of f32: the parameters, and in checkpoints the optimiser's moments of them. */
static int64_t disk_bytes(const struct train_loop *loop, int64_t trained) {
    const int64_t checkpoints = loop->config->checkpoints_kept + 1;
    const int64_t best = loop->config->keep_best ? trained : 0;
    const int64_t numbers = checkpoints * (trained + tt_adamw_state_elements(loop->adamw)) + best;
    return numbers * (int64_t)sizeof(float);
}

static struct plan plan_of(const struct train_loop *loop) {
    const struct train_recipe *recipe = loop->job->recipe;
    const int64_t every = loop->config->eval_every;
    struct plan plan = {
        .parameters = model_parameters(model_config_of(loop->job->model)),
        .trained = tt_params_trainable_elements(loop->params),
        .examples = recipe->examples,
        .evaluation_examples = recipe->evaluation_examples,
        .tokens_per_epoch = recipe->tokens,
        .target_tokens_per_epoch = recipe->target_tokens,
        .target_text = recipe->target_text,
        .steps = loop->schedule.total_steps,
    };
    plan.evaluations =
        plan.evaluation_examples > 0 ? (plan.steps + every - 1) / every : 0; /* one at the end */
    plan.tokens = (double)recipe->tokens * train_loop_epochs(loop, plan.steps);
    plan.evaluation_tokens = (double)recipe->evaluation_tokens * (double)plan.evaluations;
    plan.disk_bytes = disk_bytes(loop, plan.trained);
    return plan;
}

/* --- what is measured --- */

static double rate_since(const struct train_loop *loop, int64_t start_ns, int64_t tokens) {
    const int64_t elapsed_ns = clock_monotonic_ns(&loop->job->run->clock) - start_ns;
    return (double)tokens * (double)CLOCK_NS_PER_S / (double)elapsed_ns;
}

static enum err_code probe_evaluation(struct train_loop *loop, struct plan *plan,
                                      struct error *err) {
    const struct train_recipe *recipe = loop->job->recipe;
    const int64_t step = loop->config->examples_per_step;
    const int64_t kept = recipe->evaluation_examples;
    if (kept == 0) {
        return ERR_OK;
    }
    struct train_row row = {.count = 0};
    const int64_t start_ns = clock_monotonic_ns(&loop->job->run->clock);
    TRY(recipe->evaluate(recipe->context, kept < step ? kept : step, &row, err));
    plan->evaluation_tokens_per_second = rate_since(loop, start_ns, row.tokens);
    return ERR_OK;
}

/* How many steps the first epoch has. */
static int64_t steps_of_epoch(const struct train_loop *loop) {
    int64_t steps = 0;
    while (steps < loop->schedule.total_steps && train_loop_epochs(loop, steps) < 1.0) {
        steps++;
    }
    return steps;
}

/* The one of so many steps that takes most memory. */
static int64_t heaviest_step(const struct train_loop *loop, int64_t steps) {
    const struct train_recipe *recipe = loop->job->recipe;
    int64_t heaviest = 0;
    int64_t most = 0;
    for (int64_t step = 0; step < steps; step++) {
        const int64_t tokens = recipe->step_tokens(recipe->context, step);
        heaviest = tokens > most ? step : heaviest;
        most = tokens > most ? tokens : most;
    }
    return heaviest;
}

/* Half way through an epoch, where its round of updates begins. */
static int64_t middle_step(const struct train_loop *loop, int64_t steps) {
    const int64_t updates = loop->job->recipe->updates;
    const int64_t middle = steps / 2;
    return updates > 1 ? middle / updates * updates : middle;
}

/* The heaviest behind another, whose tensors of other sizes leave holes in the heap; the first
 * last, which is timed. */
static enum err_code probe(struct train_loop *loop, struct plan *plan, struct error *err) {
    const int64_t epoch = steps_of_epoch(loop);
    const int64_t steps[] = {middle_step(loop, epoch), heaviest_step(loop, epoch), 0};
    double grad_norm = 0.0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const int64_t step = steps[i];
        struct train_row row = {.count = 0};
        const int64_t start_ns = clock_monotonic_ns(&loop->job->run->clock);
        TRY(train_loop_step(loop, step, 0.0, &row, &grad_norm, err)); /* nothing moves */
        plan->tokens_per_second = rate_since(loop, start_ns, row.tokens);
    }
    TRY(probe_evaluation(loop, plan, err));
    plan->memory_peak_bytes = machine_memory_peak();
    return ERR_OK;
}

/* --- what is said --- */

static double training_seconds(const struct plan *plan) {
    return plan->tokens / plan->tokens_per_second;
}

static double evaluation_seconds(const struct plan *plan) {
    return plan->evaluations > 0 ? plan->evaluation_tokens / plan->evaluation_tokens_per_second
                                 : 0.0;
}

static struct clock_text duration_of(double seconds) {
    return clock_duration_text((int64_t)(seconds * (double)CLOCK_NS_PER_S));
}

static void add_counts(struct strbuf *out, const char *label, int64_t first, const char *middle,
                       int64_t second, const char *end) {
    strbuf_addf(out, "%-12s ", label);
    text_count(out, (double)first, 0);
    strbuf_add(out, middle);
    text_count(out, (double)second, 0);
    strbuf_addf(out, " %s\n", end);
}

static void build_text(const struct plan *plan, struct strbuf *out) {
    add_counts(out, "parameters", plan->parameters, ", of which ", plan->trained, "are trained");
    add_counts(out, "examples", plan->examples, " for training, ", plan->evaluation_examples,
               "for evaluation");
    add_counts(out, "tokens", plan->tokens_per_epoch, " an epoch, of which ",
               plan->target_tokens_per_epoch, plan->target_text);
    add_counts(out, "steps", plan->steps, ", and ", plan->evaluations,
               plan->evaluations == 1 ? "evaluation" : "evaluations");
    strbuf_addf(out, "%-12s %s at %.0f tokens/s, measured on one step\n", "training",
                duration_of(training_seconds(plan)).text, plan->tokens_per_second);
    if (plan->evaluations > 0) {
        strbuf_addf(out, "%-12s %s at %.0f tokens/s\n", "evaluation",
                    duration_of(evaluation_seconds(plan)).text, plan->evaluation_tokens_per_second);
    }
    strbuf_addf(out, "%-12s %.2f GiB at the peak, measured on three steps\n", "memory",
                (double)plan->memory_peak_bytes / (double)GIB);
    strbuf_addf(out, "%-12s %.2f GiB for checkpoints, and the model that is saved\n", "disk",
                (double)plan->disk_bytes / (double)GIB);
}

static enum err_code build_json(const struct plan *plan, struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_i64(&w, "parameters", plan->parameters);
    json_put_i64(&w, "parameters_trained", plan->trained);
    json_put_i64(&w, "examples", plan->examples);
    json_put_i64(&w, "validation_examples", plan->evaluation_examples);
    json_put_i64(&w, "tokens_per_epoch", plan->tokens_per_epoch);
    json_put_i64(&w, "target_tokens_per_epoch", plan->target_tokens_per_epoch);
    json_put_i64(&w, "steps", plan->steps);
    json_put_f64(&w, "tokens_per_second", plan->tokens_per_second);
    json_put_i64(&w, "evaluations", plan->evaluations);
    json_put_f64(&w, "seconds", training_seconds(plan) + evaluation_seconds(plan));
    json_put_f64(&w, "evaluation_seconds", evaluation_seconds(plan));
    json_put_i64(&w, "memory_peak_bytes", plan->memory_peak_bytes);
    json_put_i64(&w, "disk_bytes", plan->disk_bytes);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

enum err_code train_plan_show(struct train_loop *loop, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    struct plan plan = plan_of(loop);
    TRY(probe(loop, &plan, err));
    if (loop->job->run->output->json) {
        TRY(build_json(&plan, &text, err));
    } else {
        build_text(&plan, &text);
    }
    return output_text(loop->job->run->output, &text, err);
}
