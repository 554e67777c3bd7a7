/* cmd_tokenizer_train.c - accord tokenizer train: a byte-level vocabulary from the user's text. */
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/bpe_train.h"
#include "data/project.h"
#include "data/sft_examples.h"
#include "trainer/cmd_tokenizer.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <string.h>

#define SPECIAL_MAX 64

/* What every vocabulary gets, in this order. */
enum usual_special { USUAL_END_OF_TEXT, USUAL_TURN_BEGIN, USUAL_TURN_END, USUAL_PAD, USUAL_COUNT };

static const char *const usual_specials[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                             "<|pad|>"};

/* chatml (data/chat_template.h), so that other programs render conversations as accord does. */
static const char chatml[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\\n' }}{% endif %}";

static const char *const patterns[] = {"gpt2", "smollm2", "llama3", "qwen2", NULL};

struct training {
    struct run *run;
    struct bpe_trainer *trainer;
    struct progress progress;
    int64_t bytes;
};

static void training_scoped_end(struct training *training) {
    progress_close(&training->progress);
    bpe_trainer_free(training->trainer);
}

/* ---- text ---- */

static enum err_code add_text(struct training *training, const struct text_span *text,
                              struct error *err) {
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted after %" PRId64 " bytes",
                       training->bytes);
    }
    training->bytes += (int64_t)text->count;
    progress_update(&training->progress, training->bytes);
    return bpe_trainer_add(training->trainer, text->bytes, text->count, err);
}

static enum err_code add_example(struct training *training, const struct sft_example *example,
                                 bool is_same_prompt, struct error *err) {
    if (example->message_count == 0) {
        return add_text(training, &example->text, err);
    }
    for (int64_t m = is_same_prompt ? example->response_from : 0; m < example->message_count; m++) {
        TRY(add_text(training, &example->messages[m].content, err));
    }
    return ERR_OK;
}

static enum err_code add_examples(struct training *training, struct sft_examples *examples,
                                  struct error *err) {
    struct sft_example example;
    struct hash_key last = {.bytes = {0}};
    bool has_example = false;
    for (;;) {
        TRY(sft_examples_next(examples, &example, &has_example, err));
        if (!has_example) {
            return ERR_OK;
        }
        bool is_same = memcmp(last.bytes, example.prompt.bytes, sizeof last.bytes) == 0;
        TRY(add_example(training, &example, is_same, err));
        last = example.prompt;
    }
}

static enum err_code add_works(struct training *training, struct db *db, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *works = NULL;
    bool has_row = false;
    TRY(db_stmt_open(db,
                     "SELECT t.content FROM work_text t JOIN work w ON w.id = t.work_id"
                     " WHERE w.opt_out_at IS NULL OR w.opt_out_at > ?1 ORDER BY w.id",
                     &works, err));
    db_bind_i64(works, 1, clock_wall_ns(&training->run->clock) / CLOCK_NS_PER_MS);
    for (;;) {
        struct text_span text = TEXT_SPAN_NONE;
        TRY(db_stmt_step(works, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        TRY(db_column_text(works, 0, &text.bytes, &text.count, err));
        text = text_span_skip_bom(text);
        TRY(add_text(training, &text, err));
    }
}

static enum err_code add_project(struct training *training, const char *path, struct error *err) {
    const struct sft_options options = {.choices = 1U << SFT_ALL};
    SCOPED(db) struct db *db = NULL;
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    TRY(project_open(path, DB_MODE_READ_ONLY, training->run->log, &db, err));
    TRY(add_works(training, db, err));
    TRY(sft_examples_open(db, &options, &examples, err));
    return add_examples(training, examples, err);
}

static bool is_project(const char *path) {
    size_t count = strlen(path);
    return count > 3 && strcmp(path + count - 3, ".db") == 0;
}

static enum err_code add_file(struct training *training, const char *path, struct error *err) {
    const struct sft_options options = {.choices = 1U << SFT_ALL};
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    if (is_project(path)) {
        return add_project(training, path, err);
    }
    TRY(sft_examples_open_file(path, &options, &examples, err));
    return add_examples(training, examples, err);
}

/* ---- the command line ---- */

static enum err_code read_special(const struct command_args *args, const char **out_special,
                                  int64_t *out_count, struct error *err) {
    int64_t count = 0;
    for (; count < USUAL_COUNT; count++) {
        out_special[count] = usual_specials[count];
    }
    for (int64_t n = 0; command_args_repeated(args, "special", n); n++) {
        if (count == SPECIAL_MAX) {
            return err_set(err, ERR_USAGE, "--special is given more than %d times",
                           SPECIAL_MAX - USUAL_COUNT);
        }
        out_special[count++] = command_args_repeated(args, "special", n);
    }
    *out_count = count;
    return ERR_OK;
}

static enum token_pattern pattern_of(const char *name) {
    static const enum token_pattern kinds[] = {TOKEN_PATTERN_GPT2, TOKEN_PATTERN_SMOLLM2,
                                               TOKEN_PATTERN_LLAMA3, TOKEN_PATTERN_QWEN2};
    int64_t i = 0;
    while (patterns[i + 1] && strcmp(patterns[i], name) != 0) {
        i++;
    }
    return kinds[i];
}

/* ---- what came of it ---- */

static void write_text(const struct bpe_train_report *report, const struct tokenizer *tok,
                       const char *folder, struct strbuf *out) {
    strbuf_addf(out,
                "%" PRId64 " tokens, %" PRId64 " of them merges, from %.1f MB and %" PRId64
                " distinct words\n",
                tokenizer_count(tok), report->merges, (double)report->bytes / 1e6,
                report->distinct_words);
    strbuf_addf(out, "the last merge was seen %" PRId64 " times\n", report->last_frequency);
    if (report->ran_out) {
        strbuf_add(out, "fewer tokens than asked for: no other pair is frequent enough\n");
    }
    strbuf_add(out, "written to ");
    output_add_visible_text(out, folder);
    strbuf_add_char(out, '\n');
}

static enum err_code write_json(const struct bpe_train_report *report, const struct tokenizer *tok,
                                const char *folder, struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"tokens", tokenizer_count(tok)},
                   {"merges", report->merges},
                   {"bytes", report->bytes},
                   {"words", report->words},
                   {"distinct_words", report->distinct_words},
                   {"last_frequency", report->last_frequency}};
    json_write_object_begin(&w);
    json_put_string(&w, "folder", folder);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        json_put_i64(&w, numbers[n].key, numbers[n].value);
    }
    json_put_bool(&w, "ran_out", report->ran_out);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

/* ---- doing it ---- */

static enum err_code fill(void *context, const char *folder, struct error *err) {
    return tokenizer_save(context, folder, err);
}

static enum err_code train(struct training *training, const struct command_args *args,
                           const char *folder, struct strbuf *out, struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    struct bpe_train_report report;
    run_progress_open(training->run, "tokenizer", "bytes", PROGRESS_TOTAL_UNKNOWN,
                      &training->progress);
    for (int64_t p = 0; p < args->positional_count; p++) {
        TRY(add_file(training, args->positionals[p], err));
    }
    TRY(bpe_trainer_finish(training->trainer, &tok, &report, err));
    TRY(folder_write_whole(folder, fill, tok, err));
    progress_finish(&training->progress);
    if (training->run->output->json) {
        return write_json(&report, tok, folder, out, err);
    }
    write_text(&report, tok, folder, out);
    return ERR_OK;
}

static enum err_code train_run(struct run *run, const struct command_args *args,
                               struct error *err) {
    const char *special[SPECIAL_MAX];
    const char *folder = command_args_text(args, "output");
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    if (!folder) {
        return err_set(err, ERR_USAGE, "--output FOLDER is missing: where the tokenizer goes");
    }
    options.vocabulary = command_args_integer(args, "vocabulary");
    options.min_frequency = command_args_integer(args, "min-frequency");
    options.pattern = pattern_of(command_args_text(args, "pattern"));
    options.special = special;
    options.eos = USUAL_END_OF_TEXT;
    options.pad = USUAL_PAD;
    options.chat_template = chatml;
    TRY(read_special(args, special, &options.special_count, err));
    TRY(folder_check_free(folder, err)); /* before the work, not only behind it */
    SCOPED(training) struct training training = {.run = run};
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES_MAX);
    TRY(bpe_trainer_new(&options, &training.trainer, err));
    TRY(train(&training, args, folder, &out, err));
    return output_text(run->output, &out, err);
}

static const struct command_positional positionals[] = {
    {.name = "file",
     .kind = OPTION_FILE,
     .repeatable = true,
     .help = "a text; JSON lines (*.jsonl) with \"text\"; or a project file (*.db), whose works, "
             "prompts and answers are read"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FOLDER,
     .metavar = "FOLDER",
     .help = "the new folder of tokenizer.json and its companions; must not be there yet"},
    {.name = "vocabulary",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "32000",
     .min = BPE_VOCABULARY_MIN,
     .max = BPE_VOCABULARY_MAX,
     .help = "tokens in all, 256 bytes and the special ones included"},
    {.name = "min-frequency",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "2",
     .min = 1,
     .max = 1e12,
     .help = "pairs seen less often become no token"},
    {.name = "pattern",
     .kind = OPTION_CHOICE,
     .choices = patterns,
     .default_text = "gpt2",
     .help = "what a word is, as these models have it; smollm2 parts digits, llama3 takes three "
             "together"},
    {.name = "special",
     .kind = OPTION_TEXT,
     .metavar = "TOKEN",
     .repeatable = true,
     .help = "one more special token"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord tokenizer train novels/*.txt -o tokenizer", "32,000 tokens"},
    {"accord tokenizer train royalties.db --vocabulary 4096 -o tokenizer",
     "from the works, prompts and answers of a project"},
    {NULL, NULL},
};

const struct command cmd_tokenizer_train = {
    .name = "train",
    .purpose = "train a vocabulary on one's own text",
    .description =
        "Byte-level byte-pair encoding, as GPT-2's: every text can be said, and nothing is "
        "unknown. The vocabulary begins with <|endoftext|> (EOS), <|im_start|>, <|im_end|> and "
        "<|pad|> (PAD), brings the chat template chatml, and loads in transformers. The same text "
        "and options give the same tokenizer.\n\n"
        "The folder gets its name when it is whole: a failure, a full disk or kill -9 leaves "
        "nothing "
        "under that name.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = train_run,
    .interrupt_notice = "stopping, and writing nothing; again to stop at once\n",
};
