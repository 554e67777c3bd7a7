/* reward_rule.c - see reward_rule.h. */
#include "reward/reward_rule.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/regex.h"
#include "base/scoped.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "reward/answer_text.h"

#include <math.h>
#include <string.h>

struct reward_rule {
    struct reward reward; /* first: what callers hold */
    const struct rule_kind *kind;
    double weight;
    double per_character; /* of a length */
    bool has_target;
    double target;       /* characters */
    struct regex *regex; /* NULL but for patterns */
    struct strbuf scratch;
};

struct rule_kind {
    const char *name;
    enum err_code (*parse)(struct reward_rule *rule, const char *argument, struct error *err);
    /* Of an answer that is UTF-8, before the weight. */
    enum err_code (*judge)(struct reward_rule *rule, const struct text_span *answer, double *out,
                           struct error *err);
};

/* ---- length --------------------------------------------------------------------------------- */

/* SCALE or SCALE@TARGET. */
static enum err_code parse_length(struct reward_rule *rule, const char *argument,
                                  struct error *err) {
    rule->per_character = 1.0;
    if (!argument) {
        return ERR_OK;
    }
    const char *at = strchr(argument, '@');
    SCOPED(mem)
    char *scale = mem_strndup(argument, at ? (size_t)(at - argument) : strlen(argument));
    if (!scale) {
        return err_oom(err, "reward");
    }
    if (!number_parse_f64(scale, &rule->per_character)) {
        return err_set(err, ERR_CONFIG,
                       "'%s' is not a number: expected length:PER_CHARACTER[@TARGET]", scale);
    }
    int64_t target = 0;
    rule->has_target = at != NULL;
    if (at && (!number_parse_i64(at + 1, &target) || target < 0)) {
        return err_set(err, ERR_CONFIG, "target '%s' is not a number of characters", at + 1);
    }
    rule->target = (double)target;
    return ERR_OK;
}

/* Code points of valid UTF-8: all bytes but those that continue one. */
static int64_t count_characters(const struct text_span *text) {
    int64_t count = 0;
    for (size_t i = 0; i < text->count; i++) {
        count += ((unsigned char)text->bytes[i] & 0xC0U) != 0x80U;
    }
    return count;
}

static enum err_code judge_length(struct reward_rule *rule, const struct text_span *answer,
                                  double *out, struct error *err) {
    (void)err;
    double characters = (double)count_characters(answer);
    *out = rule->per_character * (rule->has_target ? -fabs(characters - rule->target) : characters);
    return ERR_OK;
}

/* ---- patterns ------------------------------------------------------------------------------- */

static enum err_code parse_regex(struct reward_rule *rule, const char *argument,
                                 struct error *err) {
    if (!argument || !*argument) {
        return err_set(err, ERR_CONFIG, "a pattern is missing: expected %s:PATTERN",
                       rule->kind->name);
    }
    struct regex_options options = REGEX_OPTIONS_DEFAULT;
    options.utf = true;
    return regex_new(argument, &options, &rule->regex, err);
}

static enum err_code judge_regex(struct reward_rule *rule, const struct text_span *answer,
                                 double *out, struct error *err) {
    bool found = false;
    struct regex_text text = {.bytes = answer->bytes, .count = answer->count, .known_utf8 = true};
    TRY(regex_search(rule->regex, &text, &found, err));
    *out = found ? 1.0 : 0.0;
    return ERR_OK;
}

static enum err_code judge_not_regex(struct reward_rule *rule, const struct text_span *answer,
                                     double *out, struct error *err) {
    TRY(judge_regex(rule, answer, out, err));
    *out = 1.0 - *out;
    return ERR_OK;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static enum err_code parse_json(struct reward_rule *rule, const char *argument, struct error *err) {
    (void)rule;
    return argument ? err_set(err, ERR_CONFIG, "json takes no ':%s'", argument) : ERR_OK;
}

static enum err_code judge_json(struct reward_rule *rule, const struct text_span *answer,
                                double *out, struct error *err) {
    (void)rule;
    struct error refusal = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    enum err_code code = json_parse(answer->bytes, answer->count, "answer", NULL, &doc, &refusal);
    if (code != ERR_OK && code != ERR_DATA) {
        *err = refusal;
        return code;
    }
    *out = code == ERR_OK ? 1.0 : 0.0;
    return ERR_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct rule_kind kinds[] = {
    {"length", parse_length, judge_length},
    {"regex", parse_regex, judge_regex},
    {"not-regex", parse_regex, judge_not_regex},
    {"json", parse_json, judge_json},
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static enum err_code find_kind(const char *name, const struct rule_kind **out, struct error *err) {
    const char *names[KIND_COUNT];
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *out = &kinds[i];
            return ERR_OK;
        }
        names[i] = kinds[i].name;
    }
    const char *nearest = suggest_nearest(name, names, KIND_COUNT);
    return err_set(err, ERR_CONFIG,
                   "no rule is called '%s'%s%s%s; there are length, regex, not-regex and json",
                   name, nearest ? ", did you mean '" : "", nearest ? nearest : "",
                   nearest ? "'" : "");
}

/* WEIGHT* before the rule's name; a '*' behind its ':' belongs to a pattern. */
static enum err_code parse_spec(struct reward_rule *rule, const char *spec, struct error *err) {
    SCOPED(mem) char *head = mem_strndup(spec, strcspn(spec, ":"));
    if (!head) {
        return err_oom(err, "reward");
    }
    const char *argument = spec[strlen(head)] == ':' ? spec + strlen(head) + 1 : NULL;
    const char *name = head;
    char *star = strchr(head, '*');
    if (star) {
        *star = '\0';
        name = star + 1;
        if (!number_parse_f64(head, &rule->weight)) {
            return err_set(err, ERR_CONFIG, "weight '%s' is not a number", head);
        }
    }
    TRY(find_kind(name, &rule->kind, err));
    return rule->kind->parse(rule, argument, err);
}

static enum err_code score_one(struct reward_rule *rule, const struct reward_item *item,
                               double *out, struct error *err) {
    struct text_span answer = TEXT_SPAN_NONE;
    TRY(answer_text(item->response, &rule->scratch, &answer, err));
    double value = 0.0;
    TRY(rule->kind->judge(rule, &answer, &value, err));
    *out = rule->weight * value + 0.0; /* no -0, which reads oddly */
    return isfinite(*out) ? ERR_OK : err_set(err, ERR_LIMIT, "the reward is beyond a double");
}

static enum err_code reward_rule_score(struct reward *reward, const struct reward_item *items,
                                       int64_t count, double *out_rewards, struct error *err) {
    struct reward_rule *rule = (struct reward_rule *)reward;
    for (int64_t i = 0; i < count; i++) {
        TRY(answer_wrap(err, score_one(rule, &items[i], &out_rewards[i], err), i, count));
    }
    return ERR_OK;
}

static void reward_rule_free(struct reward *reward) {
    struct reward_rule *rule = (struct reward_rule *)reward;
    regex_free(rule->regex);
    strbuf_deinit(&rule->scratch);
    mem_free(rule);
}

enum err_code reward_rule_open(const char *spec, struct reward **out_reward, struct error *err) {
    static const struct reward_class class = {
        .name = "rule",
        .score = reward_rule_score,
        .free = reward_rule_free,
    };
    struct reward_rule *rule = mem_array_zero(1, sizeof *rule);
    if (!rule) {
        return err_oom(err, "reward");
    }
    *rule = (struct reward_rule){
        .reward = {.class = &class}, .weight = 1.0, .scratch = STRBUF_INIT(ANSWER_TEXT_BYTES_MAX)};
    SCOPED(reward) struct reward *reward = &rule->reward;
    TRY(err_wrap(err, parse_spec(rule, spec, err), "reward '%s'", spec));
    *out_reward = MOVE(reward);
    return ERR_OK;
}
