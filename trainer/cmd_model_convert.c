/* cmd_model_convert.c - accord model convert and merge: any model that is read, and an adapter
 * merged into it, as a Hugging Face folder. */
#include "base/file.h"
#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "policy/lora_adapter.h"
#include "policy/model_tokenizer.h"
#include "policy/model_vocab.h"
#include "policy/weight_source.h"
#include "policy/weight_writer.h"
#include "trainer/cmd_model.h"
#include "trainer/run.h"
#include "trainer/text_table.h"

#include <limits.h>
#include <string.h>

#define TOKENIZER_BYTES_MAX (256 * MIB)

/* Names of enum weight_dtype. */
static const char *const dtypes[] = {"f32", "bf16", "f16", NULL};

struct conversion {
    struct run *run;
    const char *from, *to;
    const char *vocab_path; /* of a llama2.c vocabulary; NULL: none given */
    struct weight_source *source;
    struct lora_adapter *adapter; /* NULL: nothing is merged */
    struct model_config config;   /* of what is written */
    enum weight_dtype dtype;
    int64_t shard_bytes_max;
    int64_t threads;
    struct progress progress;
    int64_t tensors;
    bool has_tokenizer;
};

/* ---- what the writer asks for ---- */

static enum err_code read_values(void *context, const struct model_tensor *tensor,
                                 float *out_values, struct error *err) {
    struct conversion *c = context;
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted; '%s' was not written", c->to);
    }
    TRY(lora_adapter_read_weight(c->adapter, c->source, tensor, c->threads, out_values, err));
    progress_update(&c->progress, ++c->tensors);
    return ERR_OK;
}

static enum err_code copy_file(const char *from_folder, const char *to_folder, const char *name,
                               bool *out_copied, struct error *err) {
    SCOPED(strbuf) struct strbuf from = STRBUF_INIT(PATH_MAX);
    SCOPED(strbuf) struct strbuf to = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(from_folder, name, &from, err));
    TRY(folder_path(to_folder, name, &to, err));
    *out_copied = file_exists(strbuf_text(&from));
    if (!*out_copied) {
        return ERR_OK;
    }
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    TRY(file_read_all(strbuf_text(&from), TOKENIZER_BYTES_MAX, &text, &bytes, err));
    return file_atomic_write_whole(strbuf_text(&to), text, bytes, err);
}

/* The tokenizer of a Hugging Face folder, byte for byte. */
static enum err_code copy_tokenizer(struct conversion *c, const char *folder, struct error *err) {
    static const char *const names[] = {
        "tokenizer.json",      "tokenizer_config.json", "special_tokens_map.json",
        "chat_template.jinja", "added_tokens.json",     "vocab.json",
        "merges.txt",          "tokenizer.model",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool copied = false;
        TRY(copy_file(c->from, folder, names[i], &copied, err));
        c->has_tokenizer = c->has_tokenizer || (copied && i == 0);
    }
    return ERR_OK;
}

/* From the vocabulary given with a llama2.c file, or from what the model's own files hold. */
static enum err_code open_tokenizer(const struct conversion *c, struct tokenizer **out,
                                    struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    if (c->vocab_path) {
        SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
        TRY(llama2c_vocab_open(c->vocab_path, &vocab, err));
        TRY(tokenizer_new(&vocab.spec, &tok, err));
    } else {
        TRY(model_tokenizer_open(c->from, &tok, err));
    }
    TRY(model_tokenizer_check(tok, weight_source_config(c->source), err));
    *out = MOVE(tok);
    return ERR_OK;
}

/* A tokenizer that is not understood, or not there, is said and left out: the weights are still the
 * model's. One that was asked for by name is not. */
static enum err_code write_tokenizer(struct conversion *c, const char *folder, struct error *err) {
    if (!c->vocab_path && strcmp(weight_source_describe(c->source).format, "safetensors") == 0) {
        return copy_tokenizer(c, folder, err);
    }
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    struct error why = ERROR_INIT;
    const enum err_code code = open_tokenizer(c, &tok, &why);
    if (code == ERR_DATA && !c->vocab_path) {
        log_warn(c->run->log, "convert", "%s", why.msg);
        return ERR_OK;
    }
    if (code != ERR_OK) {
        *err = why;
        return code;
    }
    c->has_tokenizer = true;
    return tokenizer_save(tok, folder, err);
}

/* ---- the command ---- */

static enum err_code report(const struct conversion *c, struct error *err) {
    const int64_t parameters = model_parameters(&c->config);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (!c->run->output->json) {
        strbuf_add(&text, "wrote ");
        text_count(&text, (double)parameters, 0);
        strbuf_addf(&text, " parameters in %s to ", dtypes[c->dtype]);
        output_add_visible_text(&text, c->to);
        strbuf_addf(&text, "%s\n", c->has_tokenizer ? ", with its tokenizer" : "");
        return output_text(c->run->output, &text, err);
    }
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "folder", c->to);
    json_put_i64(&w, "parameters", parameters);
    json_put_string(&w, "dtype", dtypes[c->dtype]);
    json_put_bool(&w, "tokenizer", c->has_tokenizer);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    return output_text(c->run->output, &text, err);
}

static enum err_code fill(void *context, const char *folder, struct error *err) {
    struct conversion *c = context;
    const struct weight_writer_job job = {
        .config = &c->config,
        .dtype = c->dtype,
        .shard_bytes_max = c->shard_bytes_max,
        .threads = c->threads,
        .read = read_values,
        .context = c,
    };
    TRY(write_tokenizer(c, folder, err));
    return weight_writer_fill(folder, &job, err);
}

static enum err_code convert(struct conversion *c, struct error *err) {
    const int64_t tensors = model_layout_count(&c->config);
    run_progress_open(c->run, "convert", "tensors", tensors, &c->progress);
    const enum err_code code = folder_write_whole(c->to, fill, c, err);
    if (code == ERR_OK) {
        progress_finish(&c->progress);
    }
    progress_close(&c->progress);
    return code;
}

/* `text` is one of `dtypes`. */
static enum weight_dtype dtype_of(const char *text) {
    for (int d = 0; dtypes[d]; d++) {
        if (strcmp(dtypes[d], text) == 0) {
            return (enum weight_dtype)d;
        }
    }
    return WEIGHT_BF16;
}

static void conversion_scoped_end(struct conversion *c) {
    lora_adapter_free(c->adapter);
    weight_source_close(c->source);
}

static enum err_code write_folder(struct run *run, const struct command_args *args,
                                  const char *adapter, const char *folder, struct error *err) {
    struct thread_count threads = {0};
    TRY(run_threads(run, &threads, err));
    SCOPED(conversion)
    struct conversion c = {
        .run = run,
        .from = args->positionals[0],
        .to = folder,
        .vocab_path = command_args_text(args, "tokenizer"),
        .dtype = dtype_of(command_args_text(args, "dtype")),
        .shard_bytes_max = (int64_t)(command_args_real(args, "shard-size") * 1e9),
        .threads = threads.threads,
    };
    TRY(weight_source_open(c.from, &c.source, err));
    c.config = *weight_source_config(c.source);
    if (adapter) {
        TRY(lora_adapter_read(adapter, &c.config, &c.adapter, err));
        c.config = *lora_adapter_model(c.adapter);
    }
    if (command_args_has(args, "pad")) {
        c.config.pad = command_args_integer(args, "pad");
        TRY(model_config_check(&c.config, err));
    }
    TRY(convert(&c, err));
    if (!c.has_tokenizer) {
        log_warn(run->log, "convert",
                 "no tokenizer was written: put the model's tokenizer.json and "
                 "tokenizer_config.json into '%s'",
                 c.to);
    }
    return report(&c, err);
}

static enum err_code convert_run(struct run *run, const struct command_args *args,
                                 struct error *err) {
    return write_folder(run, args, NULL, args->positionals[1], err);
}

static enum err_code merge_run(struct run *run, const struct command_args *args,
                               struct error *err) {
    return write_folder(run, args, args->positionals[1], args->positionals[2], err);
}

#define INTERRUPT_NOTICE "stopping; nothing is left behind; again to stop at once\n"

static const struct command_positional positionals[] = {
    {.name = "model",
     .kind = OPTION_FILE,
     .help = "a Hugging Face folder, a GGUF or a llama2.c file"},
    {.name = "folder", .kind = OPTION_FOLDER, .help = "the new folder; must not be there yet"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "dtype",
     .kind = OPTION_CHOICE,
     .choices = dtypes,
     .default_text = "bf16",
     .help = "how weights are stored; f16 is refused where a weight does not fit"},
    {.name = "tokenizer",
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "vocabulary of a llama2.c file; without it, the tokenizer.bin beside it"},
    {.name = "shard-size",
     .kind = OPTION_REAL,
     .metavar = "GB",
     .default_text = "5",
     .min = 0.001,
     .max = 1e6,
     .help = "largest file of weights, in 10^9 bytes"},
    {.name = "pad",
     .kind = OPTION_INTEGER,
     .metavar = "ID",
     .min = 0,
     .max = 2147483647,
     .help = "the pad_token_id to state; a reward model needs one that ends no text"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord model convert smollm2.gguf models/smollm2", "for transformers, vLLM and others"},
    {"accord model convert old new --dtype f32", "the same model, stored in f32"},
    {NULL, NULL},
};

const struct command cmd_model_convert = {
    .name = "convert",
    .purpose = "write a model as a Hugging Face folder",
    .description =
        "Quantised weights are read as ggml reads them and stored as floats; the vocabulary of a "
        "GGUF "
        "file becomes tokenizer.json, and that of a folder is copied. The folder gets its "
        "name when it is whole and has been read back: a failure, a full disk or kill -9 leaves "
        "nothing under that name.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = convert_run,
    .interrupt_notice = INTERRUPT_NOTICE,
};

static const struct command_positional merge_positionals[] = {
    {.name = "model", .kind = OPTION_FILE, .help = "the model that the adapter was trained on"},
    {.name = "adapter", .kind = OPTION_FOLDER, .help = "a LoRA adapter in PEFT's files"},
    {.name = "folder", .kind = OPTION_FOLDER, .help = "the new folder; must not be there yet"},
    {.name = NULL},
};

static const struct command_example merge_examples[] = {
    {"accord model merge models/smollm2 runs/lora/final models/mine", "one model instead of two"},
    {NULL, NULL},
};

const struct command cmd_model_merge = {
    .name = "merge",
    .purpose = "write a model with an adapter merged into it",
    .description = "Adds the adapter's update, scale B A, to each weight that it adapts, summed in "
                   "double, and "
                   "writes the model as `accord model convert` does. An adapter of a reward model "
                   "(SEQ_CLS) brings its head.",
    .options = options,
    .positionals = merge_positionals,
    .examples = merge_examples,
    .function = merge_run,
    .interrupt_notice = INTERRUPT_NOTICE,
};
