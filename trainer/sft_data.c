/* sft_data.c - see sft_data.h; no torch. */
#include "trainer/sft_data.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "data/chat_encode.h"
#include "data/project.h"
#include "data/sft_examples.h"

#include <inttypes.h>
#include <string.h>

struct reading {
    struct run *run;
    const struct sft_data_config *config;
    const struct tokenizer *tokenizer;
    int64_t sequence_tokens_max;
    const struct chat_template *template; /* NULL until a conversation is met */
    struct chat_tokens tokens;
    struct progress progress;
    struct sft_data *data;
};

/* --- one example ------------------------------------------------------------------------------ */

/* Adds `count` tokens; those too many are handled as the configuration says. */
static enum err_code add_sequence(struct reading *reading, struct token_set *set, int64_t prompt,
                                  int64_t count, struct error *err) {
    const struct chat_tokens *tokens = &reading->tokens;
    const int64_t most = reading->sequence_tokens_max;
    struct sft_data_counts *counts = &reading->data->counts;
    if (count <= most) {
        return token_set_add(set, tokens->ids, tokens->is_target, count, err);
    }
    switch (reading->config->too_long) {
    case SFT_CUT_LONG:
        if (prompt < most) {
            counts->cut++;
            return token_set_add(set, tokens->ids, tokens->is_target, most, err);
        }
        break; /* nothing of the answer would be left */
    case SFT_REFUSE_LONG:
        return err_set(err, ERR_DATA, "an example has %" PRId64 " tokens, %s is %" PRId64, count,
                       most < reading->config->sequence_tokens_max ? "the model's context"
                                                                   : "data.sequence_tokens_max",
                       most);
    case SFT_DROP_LONG:
        break;
    }
    counts->dropped++;
    return ERR_OK;
}

static enum err_code choose_template(struct reading *reading, struct error *err) {
    if (reading->template) {
        return ERR_OK;
    }
    const char *name = reading->config->template[0] ? reading->config->template : NULL;
    return chat_template_choose(name, reading->tokenizer, &reading->template, err);
}

static enum err_code add_conversation(struct reading *reading, const struct sft_example *example,
                                      struct token_set *set, struct error *err) {
    TRY(choose_template(reading, err));
    const struct chat_format format = {.tok = reading->tokenizer, .template = reading->template};
    const struct chat_turns turns = {
        .messages = example->messages,
        .count = example->message_count,
        .response_from = example->response_from,
    };
    TRY(chat_encode(&format, &turns, &reading->tokens, err));
    reading->data->counts.border_moved += reading->tokens.border_moved;
    return add_sequence(reading, set, reading->tokens.prompt_count, reading->tokens.count, err);
}

/* Windows of a text overlap by one token, which the later one reads and does not learn: so each
 * token but the first is learnt once. Which windows are kept for evaluation follows from the text
 * and their number. */
static enum err_code add_text(struct reading *reading, const struct sft_example *example,
                              struct error *err) {
    const struct chat_format format = {.tok = reading->tokenizer};
    TRY(chat_encode_text(&format, example->text.bytes, example->text.count, &reading->tokens, err));
    const struct chat_tokens *tokens = &reading->tokens;
    const int64_t most = reading->sequence_tokens_max;
    uint64_t key = 0;
    memcpy(&key, example->prompt.bytes, sizeof key);
    for (int64_t begin = 0, number = 0; begin + 1 < tokens->count; begin += most - 1, number++) {
        const int64_t left = tokens->count - begin;
        struct rng rng = rng_stream(key, RNG_SHUFFLE, 0, number);
        const bool is_kept = rng_uniform(&rng) < reading->config->validation_share;
        TRY(token_set_add(is_kept ? &reading->data->validation : &reading->data->training,
                          tokens->ids + begin, tokens->is_target + begin, left < most ? left : most,
                          err));
    }
    return ERR_OK;
}

/* --- one source ------------------------------------------------------------------------------- */

static enum err_code read_all(struct reading *reading, struct sft_examples *examples,
                              struct token_set *set, struct error *err) {
    for (;;) {
        struct sft_example example;
        bool has_example = false;
        TRY(sft_examples_next(examples, &example, &has_example, err));
        if (!has_example) {
            break;
        }
        const bool is_text = example.message_count == 0;
        TRY(err_wrap(err,
                     is_text ? add_text(reading, &example, err)
                             : add_conversation(reading, &example, set, err),
                     "'%s', line %" PRId64, example.source_path, example.line));
        reading->data->counts.examples++;
        progress_update(&reading->progress, reading->data->counts.examples);
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "stopped while reading examples");
        }
    }
    const struct sft_counts left_out = sft_examples_counts(examples);
    struct sft_data_counts *counts = &reading->data->counts;
    counts->repeated += left_out.repeated;
    counts->blank += left_out.blank;
    counts->items += left_out.items;
    counts->all_tied += left_out.all_tied;
    return ERR_OK;
}

static enum err_code read_choices(const struct config_string_list *names, uint32_t *out,
                                  struct error *err) {
    *out = 0;
    for (int64_t i = 0; i < names->count; i++) {
        enum sft_choice choice = 0;
        while (choice < SFT_CHOICE_COUNT && strcmp(sft_choice_name(choice), names->items[i]) != 0) {
            choice++;
        }
        if (choice == SFT_CHOICE_COUNT) {
            return err_set(err, ERR_CONFIG,
                           "data.choices: '%s' is not one of shown, best, good, rated, all",
                           names->items[i]);
        }
        *out |= 1U << choice;
    }
    return ERR_OK;
}

static const char *or_null(const char *text) {
    return text[0] ? text : NULL;
}

static enum err_code read_project(struct reading *reading, const char *path, struct error *err) {
    const struct sft_data_config *config = reading->config;
    const struct {
        enum split split;
        struct token_set *set;
    } parts[] = {
        {SPLIT_TRAIN, &reading->data->training},
        {SPLIT_VALIDATION, &reading->data->validation},
    };
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(path, DB_MODE_READ_ONLY, reading->run->log, &db, err));
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        struct sft_options options = {
            .rating_min = config->rating_min,
            .origin = or_null(config->origin),
            .population = or_null(config->population),
            .topic = or_null(config->topic),
            .aspect = or_null(config->aspect),
            .one_split = true,
            .split = parts[p].split,
        };
        TRY(read_choices(&config->choices, &options.choices, err));
        SCOPED(sft_examples) struct sft_examples *examples = NULL;
        TRY(sft_examples_open(db, &options, &examples, err));
        TRY(read_all(reading, examples, parts[p].set, err));
    }
    return ERR_OK;
}

static enum err_code read_texts(struct reading *reading, const char *path, struct error *err) {
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    TRY(sft_examples_open_file(path, &(struct sft_options){.one_split = false}, &examples, err));
    return read_all(reading, examples, NULL, err);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void reading_scoped_end(struct reading *reading) {
    progress_close(&reading->progress);
    chat_tokens_deinit(&reading->tokens);
}

static void say_what_was_left_out(struct run *run, const struct sft_data_counts *counts) {
    const struct {
        int64_t count;
        const char *what;
    } lines[] = {
        {counts->dropped,
         "examples dropped: longer than data.sequence_tokens_max or the model's context"},
        {counts->cut, "examples cut to data.sequence_tokens_max or the model's context: they do "
                      "not teach to stop"},
        {counts->border_moved, "examples whose prompt and answer share a token"},
        {counts->repeated, "answers chosen more than once, taken once"},
        {counts->blank, "empty answers left out"},
        {counts->all_tied, "comparisons left out: all answers tie, so none is best"},
        {counts->items, "sets of items left out: they are no texts"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (lines[i].count > 0) {
            log_warn(run->log, "sft", "%" PRId64 " %s", lines[i].count, lines[i].what);
        }
    }
}

enum err_code sft_data_read(struct run *run, const struct sft_data_config *config,
                            const struct tokenizer *tokenizer, int64_t context,
                            struct sft_data *out_data, struct error *err) {
    SCOPED(sft_data) struct sft_data data = SFT_DATA_INIT;
    SCOPED(reading)
    struct reading reading = {
        .run = run,
        .config = config,
        .tokenizer = tokenizer,
        .sequence_tokens_max =
            config->sequence_tokens_max < context ? config->sequence_tokens_max : context,
        .tokens = CHAT_TOKENS_INIT,
        .data = &data,
    };
    if (config->files.count == 0) {
        return err_set(err, ERR_USAGE, "nothing to imitate: name project files or texts");
    }
    if (context < config->sequence_tokens_max) {
        log_info(run->log, "sft", "sequences of at most %" PRId64 " tokens, the model's context",
                 context);
    }
    if (config->template[0]) { /* else it is asked for when a conversation comes */
        TRY(choose_template(&reading, err));
    }
    run_progress_open(run, "reading", "examples", PROGRESS_TOTAL_UNKNOWN, &reading.progress);
    for (int64_t i = 0; i < config->files.count; i++) {
        bool project = false;
        TRY(project_is_likely(config->files.items[i], &project, err));
        TRY(project ? read_project(&reading, config->files.items[i], err)
                    : read_texts(&reading, config->files.items[i], err));
    }
    progress_finish(&reading.progress);
    say_what_was_left_out(run, &data.counts);
    if (data.training.count == 0) {
        return err_set(err, ERR_DATA,
                       "nothing is left to learn: %" PRId64 " examples read, %" PRId64
                       " too long, %" PRId64 " sequences kept for evaluation",
                       data.counts.examples, data.counts.dropped, data.validation.count);
    }
    *out_data = data;
    data = (struct sft_data)SFT_DATA_INIT;
    return ERR_OK;
}

static void hash_set(struct hash_state *state, const struct token_set *set) {
    const int64_t sizes[] = {set->count, set->tokens};
    hash_update(state, sizes, sizeof sizes);
    hash_update(state, set->ends, (size_t)set->count * sizeof *set->ends);
    hash_update(state, set->ids, (size_t)set->tokens * sizeof *set->ids);
    hash_update(state, set->is_target, (size_t)set->tokens * sizeof *set->is_target);
}

enum err_code sft_data_hash(const struct sft_data *data, struct hash_digest *out_digest,
                            struct error *err) {
    struct hash_state state;
    TRY(hash_init(&state, err));
    hash_set(&state, &data->training);
    hash_set(&state, &data->validation);
    *out_digest = hash_final(&state);
    return ERR_OK;
}

void sft_data_deinit(struct sft_data *data) {
    token_set_deinit(&data->training);
    token_set_deinit(&data->validation);
}
