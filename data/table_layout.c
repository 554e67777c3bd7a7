/* table_layout.c - see table_layout.h. */
#include "data/table_layout.h"

#include <assert.h>

static_assert(TABLE_ROLE_COUNT <= 64, "roles are bits of a uint64_t");

/* ---- roles ---- */

static const char *const role_words[] = {
#define ROLE_WORD(name, word) word,
    TABLE_ROLES(ROLE_WORD)
#undef ROLE_WORD
};

static const struct {
    const char *names; /* in headers, separated by spaces, the likeliest first */
    const char *help;
} roles[] = {
    [TABLE_PROMPT] = {"prompt instruction question query", "text that was answered"},
    [TABLE_CHOSEN] = {"chosen chosen_response preferred preferred_response", "the better text"},
    [TABLE_REJECTED] = {"rejected rejected_response dispreferred dispreferred_response",
                        "the worse text"},
    [TABLE_RESPONSE_A] = {"response_a answer_a completion_a output_a text_a argument_a response_1 "
                          "answer_1 completion_1 output_1 text_1 argument_1 response1 answer1 "
                          "completion1 output1 text1 argument1 a1",
                          "first of two texts, shown first"},
    [TABLE_RESPONSE_B] = {"response_b answer_b completion_b output_b text_b argument_b response_2 "
                          "answer_2 completion_2 output_2 text_2 argument_2 response2 answer2 "
                          "completion2 output2 text2 argument2 a2",
                          "second of two texts"},
    [TABLE_COMPLETION] = {"completion response answer output", "a text that answers the prompt"},
    [TABLE_LABEL] = {"label good is_good", "true, good, 1 or false, bad, 0: a text by itself"},
    [TABLE_RATING] = {"rating stars score", "number, greater is better"},
    [TABLE_ITEM_A] = {"item_a item_1 item1 player_a player_1 player1 team_a team_1 team1 model_a "
                      "model_1 i",
                      "first of two items"},
    [TABLE_ITEM_B] = {"item_b item_2 item2 player_b player_2 player2 team_b team_2 team2 model_b "
                      "model_2 j",
                      "second of two items"},
    [TABLE_HOME] = {"home_team home hometeam", "the item that has the advantage of position"},
    [TABLE_AWAY] = {"away_team away awayteam visitor visiting_team", "the other one"},
    [TABLE_WINNER] = {"winner preference choice verdict judgement judgment label top_item cited",
                      "with two subjects: a, 1 or b, 2 or tie, draw, equal, =, 0, or the name of "
                      "the column or item; with loser: the item that won"},
    [TABLE_WINNER_INDEX] = {"", "as winner, where 0 means the first and 1 the second"},
    [TABLE_WINNER_NAME] = {"", "as winner, where it is always the item's own name, or empty"},
    [TABLE_LOSER] = {"loser bottom_item citing", "the item that lost"},
    [TABLE_SCORE_A] = {"score_a home_score home_goals score_1 score1 rating_a",
                       "the higher score wins"},
    [TABLE_SCORE_B] = {"score_b away_score away_goals score_2 score2 rating_b", "of the second"},
    [TABLE_WINS_A] = {"wins_a home_wins w_ij wins_1 wins1 winner_model_a", "times the first won"},
    [TABLE_WINS_B] = {"wins_b away_wins w_ji wins_2 wins2 winner_model_b", "times the second won"},
    [TABLE_TIES] = {"ties draws t_ij winner_tie", "times nobody won"},
    [TABLE_TOTAL] = {"total r_ij", "sum of wins and ties, which is checked"},
    [TABLE_RANKING] = {"", "columns with the items in order, the best first: rank1, rank2, ..."},
    [TABLE_RANKING_ID] = {"ranking_id ranking race ballot list_id",
                          "rows with the same value, one behind the other, are one ranking"},
    [TABLE_ITEM] = {"item alternative candidate", "name of an item"},
    [TABLE_RANK] = {"rank place finish", "its rank in the ranking, the lowest is the best"},
    [TABLE_POSITION] = {"position_shown shown_position",
                        "place in the order in which the annotator saw them, from 1"},
    [TABLE_VOTES] = {"votes", "annotator:choice joined by ';', choices as of winner"},
    [TABLE_RATINGS] = {"", "columns of ratings: of annotators if a column says what is rated, else "
                           "of items"},
    [TABLE_SCALE_LOW] = {"scale_low scale_min", "least rating that could be given"},
    [TABLE_SCALE_HIGH] = {"scale_high scale_max", "greatest rating that could be given"},
    [TABLE_ANNOTATOR] = {"annotator annotator_id assessor worker worker_id rater rater_id judge "
                         "user user_id labeler labeler_id",
                         "who judged"},
    [TABLE_POPULATION] = {"population demographic", "group of people the annotator belongs to"},
    [TABLE_WEIGHT] = {"weight count freq frequency", "equal judgements that the row stands for"},
    [TABLE_MARGIN] = {"margin", "how much better the first is"},
    [TABLE_TOPIC] = {"topic topic_side subject category", "subject of the prompt"},
    [TABLE_SET] = {"item_set", "name of the set of items that a row belongs to"},
    [TABLE_ASPECT] = {"aspect criterion", "what was judged"},
    [TABLE_TIME] = {"time date datetime timestamp created_at asked_at tstamp",
                    "ISO 8601, or seconds or milliseconds since 1970"},
    [TABLE_ORIGIN] = {"origin model author", "who wrote the text"},
    [TABLE_ORIGIN_A] = {"origin_a model_a author_a chosen_model origin_1 model_1",
                        "who wrote the first"},
    [TABLE_ORIGIN_B] = {"origin_b model_b author_b rejected_model origin_2 model_2",
                        "who wrote the second"},
    [TABLE_NEUTRAL] = {"neutral", "true where no position is known: a neutral ground"},
};

static_assert(sizeof roles / sizeof *roles == TABLE_ROLE_COUNT, "every role has its names");

/* ---- layouts ---- */

#define BIT(role) (UINT64_C(1) << TABLE_##role)

#define WITH_ANY   (BIT(ANNOTATOR) | BIT(POPULATION) | BIT(WEIGHT) | BIT(ASPECT) | BIT(TIME))
#define WITH_ITEMS (WITH_ANY | BIT(SET))
#define WITH_TEXT  (WITH_ANY | BIT(PROMPT) | BIT(TOPIC))
#define WITH_TEXTS (WITH_TEXT | BIT(ORIGIN_A) | BIT(ORIGIN_B))
#define WITH_HOME  (WITH_ITEMS | BIT(NEUTRAL))
#define WITH_SCALE (BIT(SCALE_LOW) | BIT(SCALE_HIGH))
#define WITH_RANKS (BIT(POSITION) | BIT(MARGIN))

/* Where the judgements of a row are by several. */
#define BY_ONE (BIT(ANNOTATOR) | BIT(POPULATION))

#define TEXT_PAIR .texts = true, .first = TABLE_RESPONSE_A, .second = TABLE_RESPONSE_B
#define ITEM_PAIR .texts = false, .first = TABLE_ITEM_A, .second = TABLE_ITEM_B
#define HOME_PAIR .texts = false, .first = TABLE_HOME, .second = TABLE_AWAY

#define TEXT_PAIR_BITS (BIT(RESPONSE_A) | BIT(RESPONSE_B))
#define ITEM_PAIR_BITS (BIT(ITEM_A) | BIT(ITEM_B))
#define HOME_PAIR_BITS (BIT(HOME) | BIT(AWAY))

#define VOTES_BITS  BIT(VOTES)
#define WINNER_BITS BIT(WINNER)
#define SCORES_BITS (BIT(SCORE_A) | BIT(SCORE_B))
#define WINS_BITS   (BIT(WINS_A) | BIT(WINS_B))
#define WINS_MORE   (BIT(TIES) | BIT(TOTAL))

/* In the order in which they are tried: what says more comes first. */
static const struct table_layout layouts[] = {
    {"two texts and everybody's votes", TABLE_READ_VOTES, TEXT_PAIR,
     .required = TEXT_PAIR_BITS | VOTES_BITS, .optional = WITH_TEXTS & ~BY_ONE},
    {"two items and everybody's votes", TABLE_READ_VOTES, ITEM_PAIR,
     .required = ITEM_PAIR_BITS | VOTES_BITS, .optional = WITH_ITEMS & ~BY_ONE},
    {"a chosen and a rejected text", TABLE_READ_ORDERED, .texts = true, .first = TABLE_CHOSEN,
     .second = TABLE_REJECTED, .required = BIT(CHOSEN) | BIT(REJECTED),
     .optional = WITH_TEXTS | BIT(MARGIN)},
    {"two texts and which is better", TABLE_READ_WINNER, TEXT_PAIR,
     .required = TEXT_PAIR_BITS | WINNER_BITS, .optional = WITH_TEXTS | BIT(MARGIN)},
    {"two texts and their scores", TABLE_READ_SCORES, TEXT_PAIR,
     .required = TEXT_PAIR_BITS | SCORES_BITS, .optional = WITH_TEXTS},
    {"two texts and how often each won", TABLE_READ_WINS, TEXT_PAIR,
     .required = TEXT_PAIR_BITS | WINS_BITS, .optional = WITH_TEXTS | WINS_MORE},
    {"two sides of a match and their scores", TABLE_READ_SCORES, HOME_PAIR,
     .required = HOME_PAIR_BITS | SCORES_BITS, .optional = WITH_HOME},
    {"two items and their scores", TABLE_READ_SCORES, ITEM_PAIR,
     .required = ITEM_PAIR_BITS | SCORES_BITS, .optional = WITH_ITEMS},
    {"two sides of matches and how often each won", TABLE_READ_WINS, HOME_PAIR,
     .required = HOME_PAIR_BITS | WINS_BITS, .optional = WITH_HOME | WINS_MORE},
    {"two items and how often each won", TABLE_READ_WINS, ITEM_PAIR,
     .required = ITEM_PAIR_BITS | WINS_BITS, .optional = WITH_ITEMS | WINS_MORE},
    {"two sides of a match and who won", TABLE_READ_WINNER, HOME_PAIR,
     .required = HOME_PAIR_BITS | WINNER_BITS, .optional = WITH_HOME | BIT(MARGIN)},
    {"two items and which is better", TABLE_READ_WINNER, ITEM_PAIR,
     .required = ITEM_PAIR_BITS | WINNER_BITS, .optional = WITH_ITEMS | BIT(MARGIN)},
    {"the item that won and the one that lost", TABLE_READ_ORDERED, .texts = false,
     .first = TABLE_WINNER, .second = TABLE_LOSER, .required = BIT(WINNER) | BIT(LOSER),
     .optional = WITH_ITEMS | BIT(MARGIN)},
    {"texts of a ranking, a row each", TABLE_READ_RANKING_LONG, .texts = true,
     .first = TABLE_COMPLETION, .second = TABLE_ROLE_COUNT,
     .required = BIT(RANKING_ID) | BIT(COMPLETION) | BIT(RANK),
     .optional = WITH_TEXT | BIT(ORIGIN) | WITH_RANKS},
    {"items of a ranking, a row each", TABLE_READ_RANKING_LONG, .texts = false, .first = TABLE_ITEM,
     .second = TABLE_ROLE_COUNT, .required = BIT(RANKING_ID) | BIT(ITEM) | BIT(RANK),
     .optional = WITH_ITEMS | WITH_RANKS},
    {"texts in order, the best first", TABLE_READ_RANKING_WIDE, .texts = true,
     .first = TABLE_ROLE_COUNT, .second = TABLE_ROLE_COUNT, .required = BIT(PROMPT) | BIT(RANKING),
     .optional = WITH_TEXT & ~BIT(PROMPT)},
    {"items in order, the best first", TABLE_READ_RANKING_WIDE, .texts = false,
     .first = TABLE_ROLE_COUNT, .second = TABLE_ROLE_COUNT, .required = BIT(RANKING),
     .optional = WITH_ITEMS | BIT(RANKING_ID)},
    {"a text and whether it is good", TABLE_READ_LABEL, .texts = true, .first = TABLE_COMPLETION,
     .second = TABLE_ROLE_COUNT, .required = BIT(COMPLETION) | BIT(LABEL),
     .optional = WITH_TEXT | BIT(ORIGIN)},
    {"a text and its rating", TABLE_READ_RATING, .texts = true, .first = TABLE_COMPLETION,
     .second = TABLE_ROLE_COUNT, .required = BIT(COMPLETION) | BIT(RATING),
     .optional = WITH_TEXT | BIT(ORIGIN) | WITH_SCALE},
    {"an item and its rating", TABLE_READ_RATING, .texts = false, .first = TABLE_ITEM,
     .second = TABLE_ROLE_COUNT, .required = BIT(ITEM) | BIT(RATING),
     .optional = WITH_ITEMS | WITH_SCALE},
    {"a text and a rating by each annotator", TABLE_READ_RATINGS, .texts = true,
     .first = TABLE_COMPLETION, .second = TABLE_ROLE_COUNT,
     .required = BIT(COMPLETION) | BIT(RATINGS),
     .optional = ((WITH_TEXT | BIT(ORIGIN)) & ~BY_ONE) | WITH_SCALE},
    {"an item and a rating by each annotator", TABLE_READ_RATINGS, .texts = false,
     .first = TABLE_ITEM, .second = TABLE_ROLE_COUNT, .required = BIT(ITEM) | BIT(RATINGS),
     .optional = (WITH_ITEMS & ~BY_ONE) | WITH_SCALE},
    {"a rating of each item", TABLE_READ_RATINGS, .texts = false, .first = TABLE_ROLE_COUNT,
     .second = TABLE_ROLE_COUNT, .required = BIT(RATINGS), .optional = WITH_ITEMS | WITH_SCALE},
};

/* Roles whose column may be named as one of ids. */
#define ID_BITS                                                                          \
    (BIT(PROMPT) | BIT(CHOSEN) | BIT(REJECTED) | BIT(RESPONSE_A) | BIT(RESPONSE_B) |     \
     BIT(COMPLETION) | BIT(ITEM_A) | BIT(ITEM_B) | BIT(HOME) | BIT(AWAY) | BIT(WINNER) | \
     BIT(LOSER) | BIT(ITEM))

#define MANY_BITS (BIT(RANKING) | BIT(RATINGS))

const struct table_layout *table_layout_at(size_t index) {
    return index < sizeof layouts / sizeof *layouts ? &layouts[index] : NULL;
}

const char *table_role_word(enum table_role role) {
    return role_words[role];
}

const char *const *table_role_words(void) {
    return role_words;
}

const char *table_role_names(enum table_role role) {
    return roles[role].names;
}

bool table_role_takes_ids(enum table_role role) {
    return (ID_BITS & table_role_bit(role)) != 0;
}

bool table_role_is_many(enum table_role role) {
    return (MANY_BITS & table_role_bit(role)) != 0;
}

uint64_t table_layout_known(const struct table_layout *layout) {
    uint64_t bits = layout->required | layout->optional;
    bool is_choice = layout->reading == TABLE_READ_WINNER;
    return is_choice ? bits | BIT(WINNER_INDEX) | BIT(WINNER_NAME) : bits;
}

const char *table_role_meaning(enum table_role role) {
    return roles[role].help;
}
