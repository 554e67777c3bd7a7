/* table_layout.h - the roles that columns of a table play, and the layouts that are made of them.
 *
 * Use:      const struct table_layout *layout = table_layout_at(i);        // until NULL
 *           if (layout->required & table_role_bit(TABLE_WINNER)) { ... }
 * Roles:    what they are called in headers and what they mean is one table in table_layout.c, from
 *           which help and docs come.
 * Owns:     nothing; all of it is static.
 * Threads:  no state.
 */
#ifndef DATA_TABLE_LAYOUT_H
#define DATA_TABLE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_ROLES(X)              \
    X(PROMPT, "prompt")             \
    X(CHOSEN, "chosen")             \
    X(REJECTED, "rejected")         \
    X(RESPONSE_A, "response_a")     \
    X(RESPONSE_B, "response_b")     \
    X(COMPLETION, "completion")     \
    X(LABEL, "label")               \
    X(RATING, "rating")             \
    X(ITEM_A, "item_a")             \
    X(ITEM_B, "item_b")             \
    X(HOME, "home")                 \
    X(AWAY, "away")                 \
    X(WINNER, "winner")             \
    X(WINNER_INDEX, "winner_index") \
    X(WINNER_NAME, "winner_name")   \
    X(LOSER, "loser")               \
    X(SCORE_A, "score_a")           \
    X(SCORE_B, "score_b")           \
    X(WINS_A, "wins_a")             \
    X(WINS_B, "wins_b")             \
    X(TIES, "ties")                 \
    X(TOTAL, "total")               \
    X(RANKING, "ranking")           \
    X(RANKING_ID, "ranking_id")     \
    X(ITEM, "item")                 \
    X(RANK, "rank")                 \
    X(POSITION, "position_shown")   \
    X(VOTES, "votes")               \
    X(RATINGS, "ratings")           \
    X(SCALE_LOW, "scale_low")       \
    X(SCALE_HIGH, "scale_high")     \
    X(ANNOTATOR, "annotator")       \
    X(POPULATION, "population")     \
    X(WEIGHT, "weight")             \
    X(MARGIN, "margin")             \
    X(TOPIC, "topic")               \
    X(SET, "set")                   \
    X(ASPECT, "aspect")             \
    X(TIME, "time")                 \
    X(ORIGIN, "origin")             \
    X(ORIGIN_A, "origin_a")         \
    X(ORIGIN_B, "origin_b")         \
    X(NEUTRAL, "neutral")

enum table_role {
#define TABLE_ROLE_ENUM(name, word) TABLE_##name,
    TABLE_ROLES(TABLE_ROLE_ENUM)
#undef TABLE_ROLE_ENUM
        TABLE_ROLE_COUNT
};

/* How one row is read. */
enum table_reading {
    TABLE_READ_ORDERED,      /* `first` beat `second` */
    TABLE_READ_WINNER,       /* one column says which of the two */
    TABLE_READ_SCORES,       /* the higher score wins */
    TABLE_READ_WINS,         /* counts of wins and ties */
    TABLE_READ_VOTES,        /* "w1:a;w2:tie" */
    TABLE_READ_RANKING_WIDE, /* `many` columns in order, best first */
    TABLE_READ_RANKING_LONG, /* a row is one item of a ranking */
    TABLE_READ_LABEL,        /* good or bad */
    TABLE_READ_RATING,       /* a number */
    TABLE_READ_RATINGS,      /* `many` columns of numbers */
};

struct table_layout {
    const char *title; /* "two items and their scores" */
    enum table_reading reading;
    bool texts; /* the subjects are texts that answer a prompt; else items of a set */
    enum table_role first, second; /* roles of the subjects; TABLE_ROLE_COUNT: none */
    uint64_t required, optional;   /* bits 1 << role */
};

/* In the order in which they are to be tried; NULL behind the last. */
const struct table_layout *table_layout_at(size_t index);

static inline uint64_t table_role_bit(enum table_role role) {
    return UINT64_C(1) << role;
}

/* What the user calls it: "item_a". */
const char *table_role_word(enum table_role role);

/* All of them, [TABLE_ROLE_COUNT]. */
const char *const *table_role_words(void);

/* What it is called in headers, separated by spaces, the likeliest first; may be "". */
const char *table_role_names(enum table_role role);

/* Whether its column may be named as one of ids: "chosen_id". */
bool table_role_takes_ids(enum table_role role);

/* Whether several columns play it. */
bool table_role_is_many(enum table_role role);

/* Roles that `layout` has a use for. */
uint64_t table_layout_known(const struct table_layout *layout);

/* What its column holds, in a few words. */
const char *table_role_meaning(enum table_role role);

#endif
