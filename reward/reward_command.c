/* reward_command.c - see reward_command.h. */
#include "reward/reward_command.h"

#include "base/child_process.h"
#include "base/invariant.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "reward/answer_text.h"

#include <inttypes.h>
#include <string.h>

#define QUESTION_BYTES_MAX ((size_t)1 * GIB)
#define FIRST_SILENCE_MS   100
#define ANSWER_BYTES_MAX   ((size_t)64 * KIB) /* of one line, on average over a batch */

struct reward_command {
    struct reward reward; /* first: what callers hold */
    struct reward_command_options options;
    char line[UTF8_EXCERPT_BYTES]; /* the command, for messages */
    struct child_process *child;
    bool has_answered;
    struct strbuf question, answers, scratch;
};

/* ---- questions ------------------------------------------------------------------------------ */

static void put_message(struct json_writer *w, const struct text_span *role,
                        const struct text_span *content) {
    json_write_object_begin(w);
    json_write_key(w, "role");
    json_write_string_bytes(w, role->bytes, role->count);
    json_write_key(w, "content");
    json_write_string_bytes(w, content->bytes, content->count);
    json_write_object_end(w);
}

/* A text is one message of `role`. */
static void put_messages(struct json_writer *w, const char *role, const struct text_span *text,
                         const struct message *messages, int64_t count) {
    struct text_span role_span = text_span_of(role);
    if (count == 0) {
        put_message(w, &role_span, text);
    }
    for (int64_t i = 0; i < count; i++) {
        put_message(w, &messages[i].role, &messages[i].content);
    }
}

/* NULL if the user said nothing. */
static const struct text_span *last_user_text(const struct preference_prompt *prompt) {
    const struct text_span user = text_span_of("user");
    for (int64_t i = prompt->message_count - 1; i >= 0; i--) {
        if (text_span_equal(&prompt->messages[i].role, &user)) {
            return &prompt->messages[i].content;
        }
    }
    return prompt->kind == PROMPT_CHAT ? NULL : &prompt->text;
}

static enum err_code add_question(struct reward_command *command, const struct reward_item *item,
                                  struct error *err) {
    const struct preference_prompt *prompt = item->prompt;
    const struct preference_response *response = item->response;
    struct text_span completion = TEXT_SPAN_NONE;
    TRY(answer_text(response, &command->scratch, &completion, err));
    struct json_writer w = JSON_WRITER_INIT(&command->question, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_array_begin(&w, "messages");
    put_messages(&w, "user", &prompt->text, prompt->messages, prompt->message_count);
    put_messages(&w, "assistant", &response->text, response->messages, response->message_count);
    json_write_array_end(&w);
    const struct text_span *user = last_user_text(prompt);
    json_write_key(&w, "prompt");
    if (user) {
        json_write_string_bytes(&w, user->bytes, user->count);
    } else {
        json_write_null(&w);
    }
    json_write_key(&w, "completion");
    json_write_string_bytes(&w, completion.bytes, completion.count);
    json_write_object_end(&w);
    strbuf_add_char(&command->question, '\n');
    return json_writer_finish(&w, err);
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum err_code read_object(const char *line, size_t count, double *out, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(line, count, "it wrote", NULL, &doc, err));
    return json_get_f64(doc, json_root(doc), "reward", out, err);
}

/* A line without its end. Numbers need not be JSON's: bc writes ".5". */
static enum err_code read_answer(char *line, size_t count, double *out, struct error *err) {
    while (count > 0 && strchr(" \t\r", line[count - 1])) {
        count--;
    }
    line[count] = '\0';
    line += strspn(line, " \t");
    if (*line == '{') {
        return read_object(line, strlen(line), out, err);
    }
    if (!number_parse_f64(line, out)) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA,
                       "it wrote '%s', expected a finite number or {\"reward\": number}",
                       utf8_excerpt(line, strlen(line), excerpt));
    }
    return ERR_OK;
}

/* Some of the answers of one call. */
struct answer_batch {
    const struct reward_item *items; /* [count] */
    double *out_rewards;             /* [count] */
    int64_t count;
    int64_t first, total; /* for messages: answers first + 1 to first + count of total */
};

/* `answers` holds exactly a line for each, each with its end. */
static enum err_code read_answers(struct reward_command *command, const struct answer_batch *batch,
                                  struct error *err) {
    char *next = command->answers.bytes;
    char *end = next + command->answers.length;
    for (int64_t i = 0; i < batch->count; i++) {
        char *line_end = memchr(next, '\n', (size_t)(end - next));
        ASSERT(line_end != NULL);
        size_t line_count = (size_t)(line_end - next);
        enum err_code code = memchr(next, '\0', line_count)
                                 ? err_set(err, ERR_DATA, "it wrote a line with a NUL")
                                 : read_answer(next, line_count, &batch->out_rewards[i], err);
        TRY(answer_wrap(err, code, batch->first + i, batch->total));
        next = line_end + 1;
    }
    return ERR_OK;
}

/* ---- the reward ----------------------------------------------------------------------------- */

static enum err_code wrap(const struct reward_command *command, enum err_code code,
                          struct error *err) {
    return err_wrap(err, code, "reward command '%s'", command->line);
}

/* Adds what the program last complained of. */
static enum err_code with_last_words(struct reward_command *command, enum err_code code,
                                     struct error *err) {
    const char *words = child_process_last_words(command->child);
    if (code != ERR_OK && *words) {
        struct error cause = *err;
        return err_set(err, code, "%s; its last words: '%s'", cause.msg, words);
    }
    return code;
}

static enum err_code score_batch(struct reward_command *command, const struct answer_batch *batch,
                                 struct error *err) {
    strbuf_reset(&command->question);
    strbuf_reset(&command->answers);
    for (int64_t i = 0; i < batch->count; i++) {
        TRY(answer_wrap(err, add_question(command, &batch->items[i], err), batch->first + i,
                        batch->total));
    }
    struct child_question question = {.bytes = strbuf_text(&command->question),
                                      .count = command->question.length,
                                      .lines = batch->count,
                                      .timeout_ms = command->options.timeout_ms,
                                      .finishes = command->options.finishes,
                                      .silence_ms = command->has_answered ? 0 : FIRST_SILENCE_MS};
    command->answers.length_max = ANSWER_BYTES_MAX * (size_t)batch->count;
    enum err_code code = child_process_ask(command->child, &question, &command->answers, err);
    if (code != ERR_OK && batch->count == 1) {
        return answer_wrap(err, code, batch->first, batch->total);
    }
    TRY(err_wrap(err, code, "answers %" PRId64 " to %" PRId64 " of %" PRId64, batch->first + 1,
                 batch->first + batch->count, batch->total));
    command->has_answered = true;
    return with_last_words(command, read_answers(command, batch, err), err);
}

/* A line says not which question it answers. So the first question is put alone, and no second line
 * may follow: a program that writes two for each would otherwise give answers to the wrong ones. */
static enum err_code score_all(struct reward_command *command, const struct answer_batch *all,
                               struct error *err) {
    for (int64_t first = 0; first < all->count;) {
        int64_t left = all->count - first;
        int64_t batch_max = command->has_answered ? command->options.batch_max : 1;
        struct answer_batch batch = {
            .items = all->items + first,
            .out_rewards = all->out_rewards + first,
            .count = batch_max < left ? batch_max : left,
            .first = first,
            .total = all->count,
        };
        TRY(score_batch(command, &batch, err));
        first += batch.count;
    }
    return ERR_OK;
}

/* After any failure the program is gone: what it would answer next is not known. */
static enum err_code reward_command_score(struct reward *reward, const struct reward_item *items,
                                          int64_t count, double *out_rewards, struct error *err) {
    struct reward_command *command = (struct reward_command *)reward;
    if (!command->child) {
        return wrap(command, err_set(err, ERR_IO, "it has failed before, or was finished"), err);
    }
    struct answer_batch all = {.items = items, .count = count, .total = count};
    all.out_rewards = out_rewards;
    enum err_code code = score_all(command, &all, err);
    if (code != ERR_OK) {
        child_process_close(command->child);
        command->child = NULL;
    }
    return wrap(command, code, err);
}

static enum err_code reward_command_finish(struct reward *reward, struct error *err) {
    struct reward_command *command = (struct reward_command *)reward;
    if (!command->child) {
        return wrap(command, err_set(err, ERR_IO, "it has failed before, or was finished"), err);
    }
    enum err_code code = child_process_finish(command->child, command->options.timeout_ms, err);
    child_process_close(command->child);
    command->child = NULL;
    return wrap(command, code, err);
}

static void reward_command_free(struct reward *reward) {
    struct reward_command *command = (struct reward_command *)reward;
    child_process_close(command->child);
    strbuf_deinit(&command->question);
    strbuf_deinit(&command->answers);
    strbuf_deinit(&command->scratch);
    mem_free(command);
}

static enum err_code check_options(const char *line, const struct reward_command_options *options,
                                   struct error *err) {
    if (line[strspn(line, " \t")] == '\0') {
        return err_set(err, ERR_CONFIG, "the reward command is empty");
    }
    if (options->timeout_ms < 1 || options->batch_max < 1) {
        return err_set(err, ERR_CONFIG,
                       "reward command: a time limit of %" PRId64 " ms and batches of %" PRId64
                       " must both be at least 1",
                       options->timeout_ms, options->batch_max);
    }
    return ERR_OK;
}

enum err_code reward_command_open(const char *line, const struct reward_command_options *options,
                                  struct reward **out_reward, struct error *err) {
    static const struct reward_class class = {
        .name = "command",
        .score = reward_command_score,
        .finish = reward_command_finish,
        .free = reward_command_free,
    };
    static const struct reward_command_options defaults = REWARD_COMMAND_OPTIONS_DEFAULT;
    options = options ? options : &defaults;
    TRY(check_options(line, options, err));
    struct reward_command *command = mem_array_zero(1, sizeof *command);
    if (!command) {
        return err_oom(err, "reward");
    }
    *command = (struct reward_command){
        .reward = {.class = &class},
        .options = *options,
        .question = STRBUF_INIT(QUESTION_BYTES_MAX),
        .answers = STRBUF_INIT(ANSWER_BYTES_MAX),
        .scratch = STRBUF_INIT(ANSWER_TEXT_BYTES_MAX),
    };
    SCOPED(reward) struct reward *reward = &command->reward;
    (void)utf8_excerpt(line, strlen(line), command->line);
    const char *const words[] = {"/bin/sh", "-c", line, NULL};
    TRY(wrap(command, child_process_start(words, &command->child, err), err));
    *out_reward = MOVE(reward);
    return ERR_OK;
}
