/* tabular_predict.h - what a fit says about two items: who wins, how often they tie, how sure it
 * is.
 *
 * Use:      struct tabular_question question = {.item = i, .other = j, .level = 0.95};
 *           struct tabular_prediction answer;
 *           tabular_predict(&fit, &question, &answer);
 *           printf("%.3f (%.3f to %.3f)\n", answer.win.value, answer.win.low, answer.win.high);
 * Models:   of tabular_fit.h. Plackett-Luce says of two items what Bradley-Terry, or with ties of
 *           two Davidson's model, says; Crowd-BT says what a wholly reliable annotator would.
 * Interval: of each probability by the delta method on its log-odds, from the covariance of the
 *           difference and the tie parameter; so it stays within (0, 1), and win and loss mirror
 *           each other.
 * Blocks:   two items of different blocks were never on one scale: not to be asked.
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_PREDICT_H
#define REWARD_TABULAR_PREDICT_H

#include "reward/tabular_fit.h"

struct tabular_question {
    int64_t item, other; /* different */
    int side;            /* 1: `item` is shown first; -1: `other`; 0: neither, or not known */
    double level;        /* of the intervals, in (0, 1) */
};

struct tabular_share {
    double value;
    double low, high; /* NaN: not known, or the value is 0 by the model */
};

struct tabular_prediction {
    double difference;                   /* nats: r_item - r_other + position * side */
    double std_error;                    /* of it; NaN: not known */
    struct tabular_share win, loss, tie; /* of `item` */
};

/* Variances and covariance of the difference and the tie parameter; zero for what is not there. */
struct tabular_spread {
    double difference, difference_tie, tie;
};

/* Places in the fit's covariance of the parameters that predictions are made of; -1: none. */
struct tabular_places {
    int64_t position, tie;
};

struct tabular_places tabular_predict_places(const struct tabular_fit *fit);

/* Intervals are NaN without a covariance in the fit. */
void tabular_predict(const struct tabular_fit *fit, const struct tabular_question *question,
                     struct tabular_prediction *out);

/* The same with variances from elsewhere (tabular_variance.h); NaN: not known. */
void tabular_predict_with(const struct tabular_fit *fit, const struct tabular_question *question,
                          const struct tabular_spread *spread, struct tabular_prediction *out);

#endif
