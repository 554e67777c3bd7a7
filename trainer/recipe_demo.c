/* recipe_demo.c - accord demo: the whole way, from votes to a policy, by the commands that a user
 * would type, in a world whose truth is known.
 *
 * Where:    in the folder of --output, or a temporary one that is removed again, whatever happens.
 *           The process works inside it meanwhile, so that the commands shown are those run.
 */
#include "base/file.h"
#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/scoped.h"
#include "trainer/command_run.h"
#include "trainer/demo_chart.h"
#include "trainer/demo_recipe.h"
#include "trainer/demo_report.h"
#include "trainer/lm_module.h"
#include "trainer/text_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX   64 /* of a command line */
#define SHARED_MAX  9  /* of them that the demonstration hands on */
#define NUMBER_MAX  24
#define WIDTH       80
#define ROWS_MAX    (64 * MIB)
#define FOLDER_NAME "accord-demo-XXXXXX"

#define PROJECT    "world.db"
#define VOTES      "votes.jsonl"
#define SHOWN      "demonstrations.jsonl"
#define REWARD     "lm:reward/final"
#define TOKENS_MAX 12 /* of an answer; the world's have at most 6 */
#define TOKENS_SET "rollout.new_tokens_max=12"

/* How much of it. */
struct scale {
    struct demo_size size;
    const char *sft_epochs, *reward_epochs, *align_epochs;
    int64_t samples; /* of each test prompt */
};

static const struct scale whole = {{DEMO_NAMES_MAX, 40}, "8", "4", "1.5", 64};
static const struct scale quick = {{14, 40}, "9", "4", "1.2", 64};

struct demo {
    struct run *run;
    const struct command_args *args;
    const struct scale *scale;
    struct output output; /* of the commands */
    char seed[NUMBER_MAX], threads[NUMBER_MAX];
};

/* --- commands --------------------------------------------------------------------------------- */

/* What the demonstration was given goes on to its commands. */
static int64_t add_shared_words(const struct demo *demo, const char **words) {
    const struct run_config *settings = demo->run->settings;
    int64_t count = 0;
    if (settings->seed != 0) {
        words[count++] = "--seed";
        words[count++] = demo->seed;
    }
    if (settings->threads != 0) {
        words[count++] = "--threads";
        words[count++] = demo->threads;
    }
    if (strcmp(settings->device, "cpu") != 0) {
        words[count++] = "--device";
        words[count++] = settings->device;
    }
    if (settings->dtype != RUN_DTYPE_AUTO) {
        words[count++] = "--set";
        words[count++] = settings->dtype == RUN_DTYPE_F32 ? "run.dtype=f32" : "run.dtype=bf16";
    }
    if (demo->run->quiet) {
        words[count++] = "--quiet";
    } else if (command_args_has(demo->args, "verbose")) {
        words[count++] = "--verbose";
    }
    return count;
}

/* As one would type it; lines that are too long go on behind a backslash, an option with its value
 * on one of them. */
static void add_command_line(struct strbuf *out, const char *const *words, int64_t count) {
    int64_t column = 1;
    strbuf_add_char(out, '$');
    for (int64_t i = 0; i < count; i++) {
        const bool has_value = words[i][0] == '-' && i + 1 < count && words[i + 1][0] != '-';
        const size_t bytes = strlen(words[i]) + (has_value ? strlen(words[i + 1]) + 1 : 0);
        if (column + 1 + (int64_t)bytes > WIDTH - 2) {
            strbuf_add(out, " \\\n   ");
            column = 3;
        }
        strbuf_addf(out, " %s%s%s", words[i], has_value ? " " : "", has_value ? words[i + 1] : "");
        column += 1 + (int64_t)bytes;
        i += has_value ? 1 : 0;
    }
    strbuf_add_char(out, '\n');
}

static enum err_code announce(struct demo *demo, const char *title, const char *const *words,
                              int64_t count, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(64 * KIB);
    text_heading(&text, title, demo->output.bold);
    add_command_line(&text, words, count);
    return output_text(&demo->output, &text, err);
}

static int64_t append(const char **words, int64_t count, const char *const *more) {
    for (int64_t i = 0; more[i]; i++) {
        ASSERT_LT(count, WORDS_MAX - SHARED_MAX);
        words[count++] = more[i];
    }
    return count;
}

/* `words` begin behind "accord"; `more` go on, and both end with NULL. */
static enum err_code step(struct demo *demo, const char *title, const char *const *words,
                          const char *const *more, struct error *err) {
    const char *all[WORDS_MAX] = {"accord"};
    int64_t count = append(all, append(all, 1, words), more);
    count += add_shared_words(demo, all + count);
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "stopped before 'accord %s'", words[0]);
    }
    TRY(announce(demo, title, all, count, err));
    return err_wrap(err, command_run(&demo->output, (int)count, all, err), "'accord %s'", words[0]);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_WORDS   ((const char *const[]){NULL})

/* --- the way ---------------------------------------------------------------------------------- */

static enum err_code write_world(const struct demo *demo, struct error *err) {
    const uint64_t seed = demo->run->settings->seed;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(ROWS_MAX);
    TRY(demo_world_add_votes(&demo->scale->size, seed, &rows, err));
    TRY(file_atomic_write_whole(VOTES, strbuf_text(&rows), rows.length, err));
    strbuf_reset(&rows);
    TRY(demo_world_add_demonstrations(&demo->scale->size, seed, &rows, err));
    return file_atomic_write_whole(SHOWN, strbuf_text(&rows), rows.length, err);
}

static enum err_code gather(struct demo *demo, struct error *err) {
    TRY(step(demo, "A project file", WORDS("init", PROJECT), NO_WORDS, err));
    TRY(step(demo, "What people said: votes, and examples of answers",
             WORDS("import", PROJECT, VOTES, SHOWN), NO_WORDS, err));
    TRY(step(demo, "What is wrong with it?", WORDS("check", PROJECT, "--examples", "1"), NO_WORDS,
             err));
    return step(demo, "What does it say?", WORDS("stats", PROJECT, "--annotators", "3"), NO_WORDS,
                err);
}

static enum err_code train_start(struct demo *demo, struct error *err) {
    TRY(step(demo, "A tokenizer for a model from nothing",
             WORDS("tokenizer", "train", PROJECT, "--vocabulary", "512", "-o", "tokenizer"),
             NO_WORDS, err));
    return step(demo, "The start: a model that imitates the examples, which repeat one answer",
                WORDS("sft", "-m", "preset:tiny", "--tokenizer", "tokenizer", "-d", PROJECT, "-o",
                      "start", "--epochs", demo->scale->sft_epochs),
                WORDS("-s", "data.choices=shown", "-s", "examples_per_step=16", "-s",
                      "optimiser.learning_rate=3e-3", "-s", "optimiser.schedule=cosine"),
                err);
}

static enum err_code fit_reward(struct demo *demo, struct error *err) {
    TRY(step(demo, "What is an answer worth? A reward model that knows ties, and its calibration",
             WORDS("reward", "fit", PROJECT, "--trunk", "preset:tiny", "--tokenizer", "tokenizer",
                   "-o", "reward", "--epochs", demo->scale->reward_epochs),
             WORDS("-s", "loss.likelihood=davidson", "-s", "loss.ties=keep", "-s",
                   "examples_per_step=16", "-s", "optimiser.learning_rate=5e-4", "-s",
                   "eval_every=36"),
             err));
    return step(demo, "Does it know what people prefer?", WORDS("reward", "eval", PROJECT, REWARD),
                NO_WORDS, err);
}

/* Where the policy matches the reward, all answers to a prompt do equally well and gradients are
 * small: a median norm of 0.2, but 30 to 75 of one step in a hundred, with an answer that hardly
 * ever is given. Clipped at 1, with a rate of 1e-3, a run lost an answer for good
 * (docs/RESULTS.md). */
static enum err_code align(struct demo *demo, const char *title, const char *output,
                           const char *const *regulariser, struct error *err) {
    return step(demo, title,
                WORDS("align", PROJECT, "-m", "start/final", "-r", REWARD, "-o", output, "--epochs",
                      demo->scale->align_epochs, "-s", "rollout.samples=8", "-s", TOKENS_SET, "-s",
                      "optimiser.learning_rate=5e-4", "-s", "optimiser.schedule=cosine", "-s",
                      "optimiser.grad_norm_max=0.2"),
                regulariser, err);
}

static enum err_code align_both_ways(struct demo *demo, struct error *err) {
    TRY(align(demo, "Ordinary RLHF: odds of the start times odds of the reward, ten times over",
              "kl",
              WORDS("-s", "regulariser.kind=kl", "-s", "regulariser.beta_in=0.1", "-s",
                    "regulariser.beta_out=0.1"),
              err));
    return align(demo, "Preference matching, the default: the odds of the reward", "matched",
                 NO_WORDS, err);
}

static enum err_code measure(struct demo *demo, struct demo_result *result, struct error *err) {
    static const char *const folders[DEMO_POLICY_COUNT] = {
        [DEMO_POLICY_START] = "start/final",
        [DEMO_POLICY_KL] = "kl/final",
        [DEMO_POLICY_MATCHED] = "matched/final",
    };
    struct run *run = demo->run;
    SCOPED(demo_prompts) struct demo_prompts prompts = DEMO_PROMPTS_INIT;
    TRY(demo_prompts_read(run, PROJECT, &prompts, err));
    result->prompts = prompts.count;
    result->samples = demo->scale->samples;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        result->votes[t] = (double)(prompts.training[t] * demo->scale->size.votes_per_prompt);
    }
    TRY(demo_measure_rewards(run, &prompts, PROJECT, REWARD, &result->rewards, err));
    for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
        const struct demo_question question = {
            .folder = folders[p], .samples = demo->scale->samples, .tokens_max = TOKENS_MAX};
        TRY(demo_measure_shares(run, &prompts, &question, &result->shares[p], err));
    }
    return ERR_OK;
}

static enum err_code draw(const struct demo_result *result, struct error *err) {
    SCOPED(strbuf) struct strbuf picture = STRBUF_INIT(OUTPUT_BYTES_MAX);
    TRY(demo_chart_add(result, &picture, err));
    return file_atomic_write_whole(DEMO_PICTURE, strbuf_text(&picture), picture.length, err);
}

static enum err_code walk(struct demo *demo, struct demo_result *result, struct error *err) {
    TRY(write_world(demo, err));
    TRY(gather(demo, err));
    TRY(train_start(demo, err));
    TRY(fit_reward(demo, err));
    TRY(align_both_ways(demo, err));
    TRY(measure(demo, result, err));
    return draw(result, err);
}

/* --- where it happens ------------------------------------------------------------------------- */

struct place {
    char path[PATH_MAX]; /* of a temporary folder; "": none */
    int former_fd;       /* the folder that the process was in; -1: it still is */
};

/* Back, and away with what is temporary. */
static enum err_code leave(struct place *place, struct error *err) {
    const bool is_back = place->former_fd < 0 || fchdir(place->former_fd) == 0;
    const int errnum = errno;
    file_fd_scoped_end(&place->former_fd);
    if (!is_back) {
        return err_set_errno(err, errnum, "cannot go back from '%s'", place->path);
    }
    if (place->path[0] == '\0') {
        return ERR_OK;
    }
    TRY(folder_remove_tree(place->path, err));
    place->path[0] = '\0';
    return ERR_OK;
}

static void place_scoped_end(struct place *place) {
    struct error ignored = ERROR_INIT;
    (void)!leave(place, &ignored);
}

static enum err_code make_temporary(struct place *place, struct error *err) {
    const char *above = getenv("TMPDIR");
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" FOLDER_NAME, above && above[0] ? above : "/tmp") >=
        (int)sizeof path) {
        return err_set(err, ERR_IO, "TMPDIR is longer than a path can be");
    }
    if (!mkdtemp(path)) {
        return err_set_errno(err, errno, "cannot make a temporary folder '%s'", path);
    }
    memcpy(place->path, path, sizeof path);
    return ERR_OK;
}

static enum err_code enter(struct place *place, const char *folder, struct error *err) {
    if (folder) {
        TRY(folder_check_free(folder, err));
        TRY(file_make_folders(folder, err));
    } else {
        TRY(make_temporary(place, err));
    }
    const char *path = folder ? folder : place->path;
    SCOPED(file_fd) int former_fd = -1;
    TRY(file_open(".", O_RDONLY | O_DIRECTORY, &former_fd, err));
    if (chdir(path) != 0) {
        return err_set_errno(err, errno, "cannot work in '%s'", path);
    }
    place->former_fd = former_fd;
    former_fd = -1;
    return ERR_OK;
}

/* --- from beginning to end -------------------------------------------------------------------- */

static enum err_code print_result(struct run *run, const struct demo_result *result,
                                  struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(demo_report_add_json(&text, result, err));
    } else {
        demo_report_add_text(&text, result, run->output->bold);
    }
    return output_text(run->output, &text, err);
}

/* Of the commands: results of the process where nothing else is, else for people only. */
static enum output_place place_of(const struct run *run) {
    return run->quiet          ? OUTPUT_NOWHERE
           : run->output->json ? OUTPUT_STANDARD_ERROR
                               : OUTPUT_STANDARD;
}

enum err_code demo_run(struct run *run, const struct command_args *args, struct error *err) {
    const int64_t started_ns = clock_monotonic_ns(&run->clock);
    command_function ignored = NULL;
    TRY(lm_module_find("sft", &ignored, err)); /* what is missing is said before anything begins */
    struct demo demo = {
        .run = run,
        .args = args,
        .scale = command_args_has(args, "quick") ? &quick : &whole,
        .output = {.bold = run->output->bold, .place = place_of(run)},
    };
    struct demo_result result = {.seed = run->settings->seed,
                                 .folder = command_args_text(args, "output")};
    (void)snprintf(demo.seed, sizeof demo.seed, "%" PRIu64, run->settings->seed);
    (void)snprintf(demo.threads, sizeof demo.threads, "%" PRId64, run->settings->threads);
    SCOPED(place) struct place place = {.former_fd = -1};
    TRY(enter(&place, result.folder, err));
    TRY(walk(&demo, &result, err));
    TRY(leave(&place, err));
    result.seconds = (double)(clock_monotonic_ns(&run->clock) - started_ns) * 1e-9;
    TRY(print_result(run, &result, err));
    return demo_report_check(&result, err);
}
