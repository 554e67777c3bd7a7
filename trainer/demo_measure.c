/* demo_measure.c - see demo_measure.h. */
#include "trainer/demo_measure.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/preference_reader.h"
#include "data/project.h"
#include "data/split.h"
#include "reward/reward_spec.h"
#include "trainer/generator.h"
#include "trainer/reward_sources.h"

#include <inttypes.h>
#include <string.h>

#define SLOTS       64
#define OTHERS_MAX  256
#define PROMPTS_MAX (DEMO_TOPICS * DEMO_NAMES_MAX * DEMO_NAMES_MAX)

/* --- prompts ---------------------------------------------------------------------------------- */

static enum err_code topic_of(struct text_span name, int64_t *out_topic, struct error *err) {
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        const struct text_span known = text_span_of(demo_world_topic(t)->name);
        if (text_span_equal(&name, &known)) {
            *out_topic = t;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_DATA, "topic '%.*s' is none of the demonstration's", (int)name.count,
                   name.bytes ? name.bytes : "");
}

static enum err_code add_prompt(struct demo_prompts *prompts, int64_t topic, struct text_span text,
                                struct error *err) {
    char *copy = arena_array(&prompts->arena, text.count, 1);
    if (!copy) {
        return err_oom(err, "prompts of the demonstration");
    }
    memcpy(copy, text.bytes, text.count);
    prompts->list[prompts->count] =
        (struct demo_prompt){.topic = topic, .text = {copy, text.count}};
    prompts->count++;
    return ERR_OK;
}

static enum err_code sort_prompt(struct demo_prompts *prompts,
                                 const struct preference_record *record, struct error *err) {
    const struct preference_prompt *prompt = &record->row.prompt;
    const struct split_shares shares = SPLIT_SHARES_DEFAULT;
    int64_t topic = 0;
    TRY(topic_of(prompt->topic, &topic, err));
    switch (split_of(prompt->kind, &record->prompt_hash, &shares)) {
    case SPLIT_TRAIN:
        prompts->training[topic]++;
        return ERR_OK;
    case SPLIT_TEST:
        return add_prompt(prompts, topic, prompt->text, err);
    case SPLIT_VALIDATION:
    case SPLIT_COUNT:
        break;
    }
    return ERR_OK;
}

static enum err_code check_topics(const struct demo_prompts *prompts, struct error *err) {
    int64_t counts[DEMO_TOPICS] = {0};
    for (int64_t i = 0; i < prompts->count; i++) {
        counts[prompts->list[i].topic]++;
    }
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        if (counts[t] == 0) {
            return err_set(err, ERR_DATA, "no test prompt of topic '%s': make the world larger",
                           demo_world_topic(t)->name);
        }
    }
    return ERR_OK;
}

enum err_code demo_prompts_read(struct run *run, const char *project,
                                struct demo_prompts *out_prompts, struct error *err) {
    const struct preference_filter filter = {.kinds = 1U << PREFERENCE_DEMONSTRATION};
    SCOPED(db) struct db *db = NULL;
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    SCOPED(demo_prompts) struct demo_prompts prompts = DEMO_PROMPTS_INIT;
    prompts.list = arena_array(&prompts.arena, PROMPTS_MAX, sizeof *prompts.list);
    if (!prompts.list) {
        return err_oom(err, "prompts of the demonstration");
    }
    TRY(project_open(project, DB_MODE_READ_ONLY, run->log, &db, err));
    TRY(preference_reader_open(db, &filter, &reader, err));
    for (;;) {
        struct preference_record record;
        bool has_record = false;
        TRY(preference_reader_next(reader, &record, &has_record, err));
        if (!has_record || prompts.count == PROMPTS_MAX) {
            break;
        }
        TRY(sort_prompt(&prompts, &record, err));
    }
    TRY(check_topics(&prompts, err));
    *out_prompts = prompts;
    prompts = (struct demo_prompts)DEMO_PROMPTS_INIT;
    return ERR_OK;
}

void demo_prompts_deinit(struct demo_prompts *prompts) {
    arena_deinit(&prompts->arena);
    *prompts = (struct demo_prompts)DEMO_PROMPTS_INIT;
}

/* --- shares ----------------------------------------------------------------------------------- */

/* Columns of the sums that are resampled: answers of each topic by choice, and all of them. */
#define COLUMNS_OF_TOPIC (DEMO_CHOICES + 1)
#define COLUMNS          (DEMO_TOPICS * COLUMNS_OF_TOPIC)

static int64_t choice_of(const struct demo_topic *topic, const struct generator_answer *answer) {
    const struct text_span said = {answer->text, answer->bytes};
    for (int64_t i = 0; i < topic->answer_count; i++) {
        const struct text_span known = text_span_of(topic->answers[i]);
        if (text_span_equal(&said, &known)) {
            return i;
        }
    }
    return DEMO_ELSE;
}

/* What is no answer to its question, as long as there is room, and how often it was given. */
struct others {
    struct demo_other list[OTHERS_MAX];
    int64_t times[OTHERS_MAX];
    int64_t count;
};

static void others_add(struct others *others, int64_t topic,
                       const struct generator_answer *answer) {
    struct demo_other other = {.topic = topic};
    int64_t place = 0;
    (void)utf8_excerpt(answer->text, answer->bytes, other.text);
    while (place < others->count && (others->list[place].topic != topic ||
                                     strcmp(others->list[place].text, other.text) != 0)) {
        place++;
    }
    if (place == OTHERS_MAX) {
        return;
    }
    others->list[place] = other;
    others->count += place == others->count ? 1 : 0;
    others->times[place]++;
}

static struct demo_other favourite_of(const struct others *others) {
    int64_t best = 0;
    for (int64_t i = 1; i < others->count; i++) {
        best = others->times[i] > others->times[best] ? i : best;
    }
    return others->list[best]; /* "" where there is none */
}

static enum err_code open_generator(struct run *run, const struct demo_question *question,
                                    struct generator **out_generator, struct error *err) {
    struct thread_count threads = {.threads = 0};
    TRY(run_threads(run, &threads, err));
    const bool is_f32 = run->settings->dtype == RUN_DTYPE_F32;
    const enum kernel_operand operand = is_f32 ? KERNEL_OPERAND_F32 : KERNEL_OPERAND_BF16;
    const struct generator_options options = {
        .model = question->folder,
        .slots = SLOTS,
        .weights = operand,
        .cache = operand,
        .threads = threads.threads,
        .sampling = {.temperature = 1.0, .top_p = 1.0},
        .new_tokens_max = question->tokens_max,
        .seed = run->settings->seed,
    };
    return generator_open(&options, out_generator, err);
}

static enum err_code ask_all(struct generator *generator, const struct demo_prompts *prompts,
                             int64_t samples, struct error *err) {
    for (int64_t i = 0; i < prompts->count; i++) {
        const struct message message = {.role = text_span_of("user"),
                                        .content = prompts->list[i].text};
        const struct generator_prompt prompt = {
            .messages = &message, .message_count = 1, .samples = samples, .number = i};
        TRY(generator_submit(generator, &prompt, err));
    }
    return ERR_OK;
}

struct tally {
    struct cluster_sums sums; /* prompts by COLUMNS */
    struct others others;
    int64_t answers;
};

static inline void tally_scoped_end(struct tally **tally) {
    if (*tally) {
        cluster_sums_deinit(&(*tally)->sums);
        mem_free(*tally);
    }
}

static enum err_code make_tally(const struct demo_prompts *prompts, uint64_t seed,
                                struct tally **out_tally, struct error *err) {
    SCOPED(tally) struct tally *tally = mem_array_zero(1, sizeof *tally);
    SCOPED(mem) bool *is_used = mem_array((size_t)prompts->count, sizeof *is_used);
    if (!tally || !is_used) {
        return err_oom(err, "answers of the demonstration");
    }
    memset(is_used, true, (size_t)prompts->count * sizeof *is_used);
    TRY(cluster_sums_init(&tally->sums, is_used, prompts->count, COLUMNS, seed, err));
    *out_tally = MOVE(tally);
    return ERR_OK;
}

static void count_answer(struct tally *tally, int64_t t, const struct generator_answer *answer) {
    const int64_t first = t * COLUMNS_OF_TOPIC;
    const int64_t choice = choice_of(demo_world_topic(t), answer);
    cluster_sums_add(&tally->sums, answer->number, first + choice, 1.0);
    cluster_sums_add(&tally->sums, answer->number, first + DEMO_CHOICES, 1.0);
    if (choice == DEMO_ELSE) {
        others_add(&tally->others, t, answer);
    }
    tally->answers++;
}

static enum err_code count_answers(struct run *run, struct generator *generator,
                                   const struct demo_prompts *prompts, int64_t total,
                                   struct tally *tally, struct error *err) {
    SCOPED(progress) struct progress progress;
    run_progress_open(run, "asking", "answers", total, &progress);
    for (;;) {
        bool has_answer = false;
        struct generator_answer answer;
        TRY(generator_next(generator, &answer, &has_answer, err));
        if (!has_answer) {
            break;
        }
        count_answer(tally, prompts->list[answer.number].topic, &answer);
        progress_update(&progress, tally->answers);
    }
    progress_finish(&progress);
    return ERR_OK;
}

/* Ratio of two columns, with its interval. */
static struct demo_share ratio_of(const double *total, const double *resamples, int64_t part,
                                  int64_t whole, double ratios[CLUSTER_RESAMPLES]) {
    for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
        ratios[b] = resamples[b * COLUMNS + part] / resamples[b * COLUMNS + whole];
    }
    return (struct demo_share){.share = total[part] / total[whole],
                               .interval = cluster_interval_of(ratios, CLUSTER_RESAMPLES)};
}

static enum err_code find_shares(const struct cluster_sums *sums, uint64_t seed,
                                 struct demo_shares *out_shares, struct error *err) {
    double total[COLUMNS];
    double ratios[CLUSTER_RESAMPLES];
    SCOPED(mem) double *resamples = NULL;
    cluster_sums_total(sums, total);
    TRY(cluster_sums_resample(sums, seed, &resamples, err));
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        const int64_t first = t * COLUMNS_OF_TOPIC;
        for (int64_t choice = 0; choice < DEMO_CHOICES; choice++) {
            out_shares->of[t][choice] =
                ratio_of(total, resamples, first + choice, first + DEMO_CHOICES, ratios);
        }
    }
    return ERR_OK;
}

enum err_code demo_measure_shares(struct run *run, const struct demo_prompts *prompts,
                                  const struct demo_question *question,
                                  struct demo_shares *out_shares, struct error *err) {
    const uint64_t seed = run->settings->seed;
    SCOPED(generator) struct generator *generator = NULL;
    SCOPED(tally) struct tally *tally = NULL;
    TRY(make_tally(prompts, seed, &tally, err));
    TRY(open_generator(run, question, &generator, err));
    TRY(ask_all(generator, prompts, question->samples, err));
    TRY(count_answers(run, generator, prompts, prompts->count * question->samples, tally, err));
    TRY(find_shares(&tally->sums, seed, out_shares, err));
    out_shares->favourite = favourite_of(&tally->others);
    return ERR_OK;
}

/* --- rewards ---------------------------------------------------------------------------------- */

/* Adds the rewards of the answers to one prompt, less their mean. */
static enum err_code add_rewards(struct reward *reward, const struct demo_prompt *asked,
                                 struct demo_rewards *sums, struct error *err) {
    const struct demo_topic *topic = demo_world_topic(asked->topic);
    const struct preference_prompt prompt = {.kind = PROMPT_TEXT, .text = asked->text};
    struct preference_response responses[DEMO_ANSWERS_MAX];
    struct reward_item items[DEMO_ANSWERS_MAX];
    double rewards[DEMO_ANSWERS_MAX];
    double mean = 0.0;
    for (int64_t i = 0; i < topic->answer_count; i++) {
        responses[i] = (struct preference_response){.text = text_span_of(topic->answers[i])};
        items[i] = (struct reward_item){.prompt = &prompt, .response = &responses[i]};
    }
    TRY(reward_score(reward, items, topic->answer_count, rewards, err));
    for (int64_t i = 0; i < topic->answer_count; i++) {
        mean += rewards[i] / (double)topic->answer_count;
    }
    for (int64_t i = 0; i < topic->answer_count; i++) {
        sums->of[asked->topic][i] += rewards[i] - mean;
    }
    return ERR_OK;
}

enum err_code demo_measure_rewards(struct run *run, const struct demo_prompts *prompts,
                                   const char *project, const char *spec,
                                   struct demo_rewards *out_rewards, struct error *err) {
    struct demo_rewards sums = {0};
    int64_t counts[DEMO_TOPICS] = {0};
    SCOPED(db) struct db *db = NULL;
    SCOPED(reward) struct reward *reward = NULL;
    TRY(project_open(project, DB_MODE_READ_ONLY, run->log, &db, err));
    const struct reward_sources sources = reward_sources_of(run, db);
    TRY(reward_spec_open(spec, &sources, &reward, err));
    for (int64_t i = 0; i < prompts->count; i++) {
        TRY(add_rewards(reward, &prompts->list[i], &sums, err));
        counts[prompts->list[i].topic]++;
    }
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        for (int64_t i = 0; i < DEMO_ANSWERS_MAX; i++) {
            sums.of[t][i] /= (double)counts[t];
        }
    }
    *out_rewards = sums;
    return ERR_OK;
}
