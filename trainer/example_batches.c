/* example_batches.c - see example_batches.h. */
#include "trainer/example_batches.h"

#include "base/mem.h"
#include "policy/micro_batch_plan.h"

static int64_t most_answers(const struct reward_examples *examples) {
    int64_t most = 0;
    for (int64_t e = 0; e < examples->count; e++) {
        const int64_t answers = reward_examples_answers(examples, e);
        most = answers > most ? answers : most;
    }
    return most;
}

enum err_code example_batches_init(struct example_batches *batches,
                                   const struct example_batches_options *options,
                                   struct error *err) {
    batches->options = *options;
    batches->count = options->examples_per_step;
    batches->step = mem_array((size_t)batches->count, sizeof *batches->step);
    batches->texts = mem_array((size_t)most_answers(options->examples), sizeof *batches->texts);
    if (!batches->step || !batches->texts) {
        return err_oom(err, "examples of a step");
    }
    return epoch_order_init(&batches->order, options->examples->count, options->seed, err);
}

void example_batches_deinit(struct example_batches *batches) {
    epoch_order_deinit(&batches->order);
    packed_batch_deinit(&batches->batch);
    mem_free(batches->step);
    mem_free(batches->texts);
    *batches = (struct example_batches)EXAMPLE_BATCHES_INIT;
}

double example_batches_gather(struct example_batches *batches, int64_t step) {
    double weight = 0.0;
    for (int64_t i = 0; i < batches->count; i++) {
        batches->step[i] = epoch_order_at(&batches->order, step * batches->count + i);
        weight += batches->options.examples->terms.weights[batches->step[i]];
    }
    return weight;
}

/* The answers of the example at a place of the step, into texts; returns how many. */
static int64_t list_texts(const struct example_batches *batches, int64_t place) {
    const struct reward_examples *examples = batches->options.examples;
    const int64_t example = batches->step[place];
    const int64_t answers = reward_examples_answers(examples, example);
    for (int64_t k = 0; k < answers; k++) {
        batches->texts[k] = reward_examples_sequence(examples, example, k);
    }
    return answers;
}

static int64_t tokens_of(const void *context, int64_t place, int64_t first) {
    (void)first;
    const struct example_batches *batches = context;
    const int64_t answers = list_texts(batches, place);
    return packed_batch_tokens_of(batches->options.want, batches->texts, answers);
}

static struct micro_batch_plan plan_of(const struct example_batches *batches) {
    return (struct micro_batch_plan){.count = batches->count,
                                     .tokens_max = batches->options.tokens_max,
                                     .tokens_of = tokens_of,
                                     .context = batches};
}

int64_t example_batches_most(struct example_batches *batches, int64_t step) {
    (void)example_batches_gather(batches, step);
    const struct micro_batch_plan plan = plan_of(batches);
    return micro_batch_most(&plan);
}

enum err_code example_batches_fill(struct example_batches *batches, int64_t first,
                                   int64_t *out_last, struct error *err) {
    const struct micro_batch_plan plan = plan_of(batches);
    const int64_t last = micro_batch_end(&plan, first);
    packed_batch_reset(&batches->batch);
    for (int64_t place = first; place < last; place++) {
        const int64_t answers = list_texts(batches, place);
        TRY(packed_batch_add_texts(&batches->batch, batches->options.want, batches->texts, answers,
                                   err));
    }
    TRY(packed_batch_fill(&batches->batch, PACKED_BATCH_ROWS, batches->options.context, err));
    *out_last = last;
    return ERR_OK;
}
