/* cmd_generate.c - accord generate: answers of a language model, streamed. */
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/input_stream.h"
#include "data/json_rows.h"
#include "data/message_json.h"
#include "trainer/command_table.h"
#include "trainer/generator.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <string.h>

#define ARENA_BYTES_MAX (1 * GIB)

/* ---- what is asked ---- */

struct asking {
    struct run *run;
    const struct command_args *args;
    struct generator *generator;
    struct arena texts; /* of one prompt at a time */
    int64_t prompts;
    int64_t answers, tokens;
    int64_t started_ns;
    bool streams;
    bool ends_line;       /* what streamed last ended in a line end */
    struct error failure; /* of printing what streams */
};

static bool wants_sampling(const struct command_args *args) {
    static const char *const names[] = {"temperature", "top-k", "top-p", "min-p"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (command_args_has(args, names[i])) {
            return true;
        }
    }
    return command_args_integer(args, "samples") > 1;
}

static struct sampler_config sampling_of(const struct command_args *args) {
    return (struct sampler_config){
        .is_greedy = !wants_sampling(args),
        .temperature = command_args_real(args, "temperature"),
        .top_k = command_args_integer(args, "top-k"),
        .top_p = command_args_real(args, "top-p"),
        .min_p = command_args_real(args, "min-p"),
    };
}

/* What streams may hold any character, so that control characters are made visible: all but line
 * ends and tabs. */
static void add_plain(struct strbuf *out, const char *text, size_t bytes) {
    while (bytes > 0) {
        const bool is_layout = *text == '\n' || *text == '\t';
        size_t length = 1;
        while (!is_layout && length < bytes && text[length] != '\n' && text[length] != '\t') {
            length++;
        }
        if (is_layout) {
            strbuf_add_char(out, *text);
        } else {
            output_add_visible(out, text, length);
        }
        text += length;
        bytes -= length;
    }
}

static bool print_piece(void *context, const char *text, size_t bytes) {
    struct asking *asking = context;
    SCOPED(strbuf) struct strbuf piece = STRBUF_INIT(OUTPUT_BYTES_MAX);
    add_plain(&piece, text, bytes);
    asking->ends_line = piece.length > 0 && strbuf_text(&piece)[piece.length - 1] == '\n';
    return output_text(asking->run->output, &piece, &asking->failure) == ERR_OK;
}

static enum err_code open_generator(struct asking *asking, struct error *err) {
    const struct command_args *args = asking->args;
    struct thread_count threads = {.threads = 0};
    TRY(run_threads(asking->run, &threads, err));
    const bool f32 = asking->run->settings->dtype == RUN_DTYPE_F32;
    struct generator_options options = {
        .model = args->positionals[0],
        .adapter = command_args_text(args, "adapter"),
        .template_name = command_args_text(args, "template"),
        .slots = command_args_integer(args, "slots"),
        .context = command_args_has(args, "context") ? command_args_integer(args, "context") : 0,
        .weights = f32 ? KERNEL_OPERAND_F32 : KERNEL_OPERAND_BF16,
        .cache = f32 ? KERNEL_OPERAND_F32 : KERNEL_OPERAND_BF16,
        .threads = threads.threads,
        .sampling = sampling_of(args),
        .new_tokens_max = command_args_integer(args, "max-new-tokens"),
        .seed = asking->run->settings->seed,
    };
    const char *stop = NULL;
    while ((stop = command_args_repeated(args, "stop", options.stops_count)) != NULL) {
        if (options.stops_count == GENERATOR_STOPS_MAX) {
            return err_set(err, ERR_USAGE, "at most %d --stop", GENERATOR_STOPS_MAX);
        }
        options.stops[options.stops_count] = stop;
        options.stops_count++;
    }
    if (asking->streams) {
        options.on_text = print_piece;
        options.on_text_context = asking;
    }
    return generator_open(&options, &asking->generator, err);
}

/* ---- prompts ---- */

static enum err_code submit(struct asking *asking, const struct message *messages, int64_t count,
                            struct error *err) {
    const struct generator_prompt prompt = {
        .messages = messages,
        .message_count = count,
        .samples = command_args_integer(asking->args, "samples"),
        .number = asking->prompts,
    };
    TRY(generator_submit(asking->generator, &prompt, err));
    asking->prompts++;
    return ERR_OK;
}

/* A prompt that is one text, behind the system message if there is one. */
static enum err_code submit_text(struct asking *asking, struct text_span text, struct error *err) {
    const char *system = command_args_text(asking->args, "system");
    const struct message messages[] = {
        {.role = text_span_of("system"), .content = text_span_of(system)},
        {.role = text_span_of("user"), .content = text},
    };
    return submit(asking, system ? messages : messages + 1, system ? 2 : 1, err);
}

/* A row of --prompts: {"prompt": text or messages}, or {"messages": [...]}. */
static enum err_code submit_row(struct asking *asking, const struct json_row *row,
                                struct error *err) {
    const struct json_node *root = json_root(row->doc);
    const struct json_node *prompt = json_find(row->doc, root, "prompt");
    const struct json_node *conversation = json_find(row->doc, root, "messages");
    const struct json_node *node = prompt ? prompt : conversation;
    if (!prompt == !conversation) {
        return json_refuse(row->doc, root, err, "a row has \"prompt\" or \"messages\", not both");
    }
    if (json_kind_of(node) == JSON_KIND_STRING) {
        const char *text = NULL;
        TRY(json_as_string(row->doc, node, &text, err));
        return submit_text(asking, text_span_of(text), err);
    }
    const struct message *messages = NULL;
    int64_t count = 0;
    arena_reset(&asking->texts);
    TRY(message_json_of(row->doc, node, &asking->texts, &messages, &count, err));
    return submit(asking, messages, count, err);
}

static enum err_code submit_file(struct asking *asking, const char *path, struct error *err) {
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(json_rows) struct json_rows *rows = NULL;
    TRY(input_stream_open(path, &in, err));
    TRY(json_rows_open(in, &rows, err));
    for (;;) {
        struct json_row row;
        bool has_row = false;
        TRY(json_rows_next(rows, &row, &has_row, err));
        if (!has_row) {
            break;
        }
        TRY(err_wrap(err, submit_row(asking, &row, err), "'%s', line %" PRId64, path, row.line));
    }
    return ERR_OK;
}

static enum err_code submit_all(struct asking *asking, struct error *err) {
    const char *file = command_args_text(asking->args, "prompts");
    if (file) {
        return submit_file(asking, file, err);
    }
    return submit_text(asking, text_span_of(asking->args->positionals[1]), err);
}

/* ---- answers ---- */

static void write_answer(struct json_writer *w, const struct generator_answer *answer) {
    json_write_object_begin(w);
    json_put_i64(w, "prompt", answer->number);
    json_put_i64(w, "sample", answer->index);
    json_write_key(w, "text");
    json_write_string_bytes(w, answer->text, answer->bytes);
    json_put_i64(w, "prompt_tokens", answer->prompt_tokens);
    json_put_i64(w, "tokens", answer->tokens);
    json_put_f64(w, "logp_nats", answer->logp_nats);
    json_put_f64(w, "model_logp_nats", answer->model_logp_nats);
    json_put_string(w, "finish", decoder_finish_name(answer->finish));
    json_write_object_end(w);
}

static void add_answer(const struct asking *asking, const struct generator_answer *answer,
                       struct strbuf *out) {
    strbuf_addf(out, "--- prompt %" PRId64, answer->number + 1);
    if (command_args_integer(asking->args, "samples") > 1) {
        strbuf_addf(out, ", sample %" PRId64, answer->index + 1);
    }
    strbuf_addf(out, ": %" PRId64 " tokens, %.2f nats, %s\n", answer->tokens, answer->logp_nats,
                decoder_finish_name(answer->finish));
    add_plain(out, answer->text, answer->bytes);
    strbuf_add_char(out, '\n');
}

static enum err_code print_answer(struct asking *asking, const struct generator_answer *answer,
                                  struct json_writer *w, struct error *err) {
    if (asking->run->output->json) {
        write_answer(w, answer);
        return ERR_OK;
    }
    if (asking->streams) {
        SCOPED(strbuf) struct strbuf end = STRBUF_INIT(8);
        strbuf_add(&end, asking->ends_line ? "" : "\n");
        return output_text(asking->run->output, &end, err);
    }
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    add_answer(asking, answer, &text);
    return output_text(asking->run->output, &text, err);
}

static enum err_code take_all(struct asking *asking, struct json_writer *w, struct error *err) {
    SCOPED(progress) struct progress progress;
    const int64_t total = asking->prompts * command_args_integer(asking->args, "samples");
    if (!asking->streams) {
        run_progress_open(asking->run, "generate", "answers", total, &progress);
    } else {
        progress = (struct progress){.open = false};
    }
    for (;;) {
        struct generator_answer answer;
        bool has_answer = false;
        TRY(generator_next(asking->generator, &answer, &has_answer, err));
        if (asking->failure.code != ERR_OK) {
            *err = asking->failure;
            return err->code;
        }
        if (!has_answer) {
            break;
        }
        TRY(print_answer(asking, &answer, w, err));
        asking->answers++;
        asking->tokens += answer.tokens;
        if (!asking->streams) {
            progress_update(&progress, asking->answers);
        }
    }
    if (!asking->streams) {
        progress_finish(&progress);
    }
    return ERR_OK;
}

static enum err_code answer_all(struct asking *asking, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    json_write_array_begin(&w);
    asking->started_ns = clock_monotonic_ns(&asking->run->clock);
    TRY(take_all(asking, &w, err));
    json_write_array_end(&w);
    const double seconds = (double)(clock_monotonic_ns(&asking->run->clock) - asking->started_ns) /
                           (double)CLOCK_NS_PER_S;
    log_info(asking->run->log, "generate", "%" PRId64 " tokens in %.2f s: %.1f tokens/s",
             asking->tokens, seconds, (double)asking->tokens / seconds);
    if (!asking->run->output->json) {
        return ERR_OK;
    }
    strbuf_add_char(&text, '\n');
    TRY(json_writer_finish(&w, err));
    return output_text(asking->run->output, &text, err);
}

static void asking_scoped_end(struct asking *asking) {
    generator_close(asking->generator);
    arena_deinit(&asking->texts);
}

static enum err_code generate_run(struct run *run, const struct command_args *args,
                                  struct error *err) {
    const bool from_file = command_args_text(args, "prompts") != NULL;
    if (from_file == (args->positional_count > 1)) {
        return err_set(err, ERR_USAGE, "give either a prompt or --prompts FILE");
    }
    if (strcmp(run->settings->device, "cpu") != 0) {
        return err_set(err, ERR_USAGE, "generate computes on the CPU; --device %s is for training",
                       run->settings->device);
    }
    SCOPED(asking)
    struct asking asking = {
        .run = run,
        .args = args,
        .texts = ARENA_INIT(ARENA_BYTES_MAX),
        .streams = !from_file && !run->output->json && command_args_integer(args, "samples") == 1,
        .failure = ERROR_INIT,
    };
    TRY(open_generator(&asking, err));
    TRY(submit_all(&asking, err));
    return answer_all(&asking, err);
}

/* ---- the table ---- */

static const struct command_option options[] = {
    {.name = "prompts",
     .short_name = 'p',
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "JSON lines with \"prompt\" (a text, or messages) or \"messages\", instead of one "
             "prompt"},
    {.name = "system",
     .kind = OPTION_TEXT,
     .metavar = "TEXT",
     .help = "system message in front of a prompt that is a text"},
    {.name = "template",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "chat template by name, or none to continue plain text; else the model's own"},
    {.name = "adapter",
     .kind = OPTION_FOLDER,
     .metavar = "FOLDER",
     .help = "LoRA adapter in PEFT's files, merged into the weights"},
    {.name = "max-new-tokens",
     .short_name = 'n',
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "256",
     .min = 1,
     .max = 1e7,
     .help = "longest answer"},
    {.name = "samples",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "1",
     .min = 1,
     .max = 1e6,
     .help = "answers to each prompt"},
    {.name = "temperature",
     .short_name = 't',
     .kind = OPTION_REAL,
     .metavar = "T",
     .default_text = "1",
     .min = 1e-3,
     .max = 100,
     .help = "sample from softmax(logits / T)"},
    {.name = "top-k",
     .kind = OPTION_INTEGER,
     .metavar = "K",
     .default_text = "0",
     .min = 0,
     .max = 1e7,
     .help = "sample from the K likeliest tokens; 0 keeps all"},
    {.name = "top-p",
     .kind = OPTION_REAL,
     .metavar = "P",
     .default_text = "1",
     .min = 1e-9,
     .max = 1,
     .help = "sample from the fewest likeliest tokens that hold P of the probability"},
    {.name = "min-p",
     .kind = OPTION_REAL,
     .metavar = "P",
     .default_text = "0",
     .min = 0,
     .max = 1,
     .help = "leave out tokens below P times the likeliest one's probability"},
    {.name = "stop",
     .repeatable = true,
     .kind = OPTION_TEXT,
     .metavar = "TEXT",
     .help = "end an answer before this text"},
    {.name = "slots",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "16",
     .min = 1,
     .max = DECODER_SLOTS_MAX,
     .help = "answers that are written at a time"},
    {.name = "context",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .min = 2,
     .max = 1e7,
     .help = "tokens of a prompt and its answer; else the model's, at most 4096"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "model", .kind = OPTION_FILE, .help = "Hugging Face folder, GGUF or llama2.c file"},
    {.name = "prompt", .optional = true, .kind = OPTION_TEXT, .help = "what is asked"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord generate models/smollm2 \"What is the capital of France?\"",
     "the likeliest answer, as it is written"},
    {"accord generate models/smollm2 \"A name for a cat?\" --samples 8 -t 0.9", "eight answers"},
    {"accord generate models/stories.bin \"Once upon a time\" --template none", "a text continued"},
    {NULL, NULL},
};

const struct command cmd_generate = {
    .name = "generate",
    .group = COMMAND_GROUP_TRAIN,
    .purpose = "let a language model answer prompts",
    .description =
        "Answers one prompt, streaming, or all prompts of a file, many at a time. Without options "
        "the likeliest token is taken each time; --temperature, --top-k, --top-p, --min-p or more "
        "than one sample draw at random, from --seed: an answer depends on seed, prompt and sample "
        "number only, never on what is written beside it. Each answer is given with the sum of its "
        "tokens' log-probabilities in the distribution that was sampled, and with --json in the "
        "model's own too.\n\n"
        "A prompt is text, whatever it holds: nobody can type a turn marker into it.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = generate_run,
    .interrupt_notice = "stopping; again to stop at once\n",
};
