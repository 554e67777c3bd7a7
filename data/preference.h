/* preference.h - one row of a preference log, as importers make it and the log takes it.
 *
 * Use:      struct preference_response sides[2] = {
 *               {.text = text_span_of("Tea."), .rank = 1},
 *               {.text = text_span_of("Coffee."), .rank = 2},
 *           };
 *           struct preference row = {
 *               .kind = PREFERENCE_COMPARISON, .line = 17, .weight = 1.0,
 *               .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("What shall we drink?")},
 *               .responses = sides, .response_count = 2,
 *           };
 *           TRY(preference_check(&row, err));
 * Owns:     nothing: all text is borrowed by whoever is given a row, for the call.
 * Threads:  no state.
 */
#ifndef DATA_PREFERENCE_H
#define DATA_PREFERENCE_H

#include "base/error.h"
#include "data/text_span.h"

#include <stdbool.h>
#include <stdint.h>

/* Limits of one row; beyond them it is refused, never cut. */
#define PREFERENCE_RESPONSES_MAX  4096
#define PREFERENCE_MESSAGES_MAX   4096
#define PREFERENCE_PLACE_MAX      1000000000         /* ranks and positions */
#define PREFERENCE_TEXT_BYTES_MAX (64 * 1024 * 1024) /* of one text, or of all messages of one */

/* Sums and ratios of numbers beyond these lose what the others say. */
#define PREFERENCE_WEIGHT_MIN 1e-9
#define PREFERENCE_WEIGHT_MAX 1e12
#define PREFERENCE_NUMBER_MAX 1e12 /* of ratings, ends of scales and margins, without the sign */

/* Kind, its name in the database, what it is in messages. */
#define PROMPT_KINDS(X)                   \
    X(TEXT, "text", "plain text")         \
    X(CHAT, "chat", "a list of messages") \
    X(ITEMS, "items", "a set of items without text")

enum prompt_kind {
#define PROMPT_ENUM(name, text, help) PROMPT_##name,
    PROMPT_KINDS(PROMPT_ENUM)
#undef PROMPT_ENUM
        PROMPT_KIND_COUNT
};

/* Kind, one and several of it in messages:
 *   COMPARISON     k >= 2 responses with ranks
 *   RATING         one response, `value`
 *   LABEL          one response, `good`
 *   DEMONSTRATION  one response to be imitated
 *   PROMPT         no response: a prompt to sample from */
#define PREFERENCE_KINDS(X)                             \
    X(COMPARISON, "comparison", "comparisons")          \
    X(RATING, "rating", "ratings")                      \
    X(LABEL, "label", "labels")                         \
    X(DEMONSTRATION, "demonstration", "demonstrations") \
    X(PROMPT, "prompt", "prompts")

enum preference_kind {
#define PREFERENCE_ENUM(name, text, plural) PREFERENCE_##name,
    PREFERENCE_KINDS(PREFERENCE_ENUM)
#undef PREFERENCE_ENUM
        PREFERENCE_KIND_COUNT
};

struct message {
    struct text_span role; /* "system", "user", "assistant", "tool" */
    struct text_span content;
};

struct preference_prompt {
    enum prompt_kind kind;
    struct text_span text;          /* PROMPT_TEXT: the prompt; PROMPT_ITEMS: name of the set */
    const struct message *messages; /* PROMPT_CHAT */
    int64_t message_count;
    struct text_span topic; /* may be absent */
};

/* An answer is text, or, when it spans several turns, messages (then message_count > 0). */
struct preference_response {
    struct text_span text;
    const struct message *messages;
    int64_t message_count;
    struct text_span origin; /* who wrote it; may be absent */
    int64_t rank;            /* of a comparison: 1 is best, equal is a tie; gaps are allowed */
    int64_t position;        /* order shown, from 1; 0: not known */
};

struct preference {
    enum preference_kind kind;
    int64_t line; /* where its row begins in the source, from 1 */
    struct preference_prompt prompt;
    const struct preference_response *responses;
    int64_t response_count;
    struct text_span annotator;  /* all four may be absent */
    struct text_span population; /* of the annotator */
    struct text_span aspect;
    double weight; /* > 0; 1 where the source has none */
    bool has_margin, has_asked_at, has_scale;
    double margin;
    int64_t asked_at_ms;
    double value, scale_low, scale_high; /* PREFERENCE_RATING */
    bool good;                           /* PREFERENCE_LABEL */
    /* PREFERENCE_COMPARISON: the responses of the last rank were not compared with each other, as
     * where one was chosen among many: they share a rank and are no tie. */
    bool last_unordered;
};

/* A text that belongs to somebody. */
struct preference_work {
    int64_t line;
    struct text_span owner;
    struct text_span payee_ref, cluster; /* may be absent */
    struct text_span title;
    struct text_span licence; /* may be absent */
    struct text_span text;
    bool has_opt_out;
    int64_t opt_out_at_ms;
};

/* Name of a kind in the database. Static. */
const char *prompt_kind_name(enum prompt_kind kind);

/* ERR_DATA if no kind has this name. */
ERR_NODISCARD enum err_code prompt_kind_of_name(const char *name, enum prompt_kind *out_kind,
                                                struct error *err);

/* "comparison" and "comparisons". Static. */
const char *preference_kind_name(enum preference_kind kind);
const char *preference_kind_plural(enum preference_kind kind);

/* What no source may say: too few responses, ranks below 1, no rank 1, weights that are not
 * positive and finite, numbers beyond the limits above, text that is not UTF-8 or holds a NUL, an
 * annotator's population without the annotator, a rating outside its scale. ERR_DATA says which and
 * its value, not where: the caller knows the line. */
ERR_NODISCARD enum err_code preference_check(const struct preference *row, struct error *err);

/* The same for a work: needs an owner, a title and a text that is not empty. */
ERR_NODISCARD enum err_code preference_check_work(const struct preference_work *work,
                                                  struct error *err);

#endif
