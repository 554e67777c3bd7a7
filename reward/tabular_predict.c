/* tabular_predict.c - see tabular_predict.h. */
#include "reward/tabular_predict.h"

#include "base/invariant.h"
#include "base/normal_quantile.h"
#include "reward/pair_outcome.h"

/* How two items of a fit are compared. */
struct view {
    enum tabular_model model; /* of pairs */
    double difference, tie;
    int64_t position_place, tie_place; /* in the covariance; -1: none */
};

/* Place of a parameter in the covariance, its value to `out_value`; -1 where there is none. */
static int64_t find_parameter(const struct tabular_fit *fit, const char *name, double *out_value) {
    const struct tabular_parameter *parameter = tabular_fit_parameter(fit, name);
    *out_value = parameter ? parameter->value : 0.0;
    return parameter ? fit->item_count + (parameter - fit->parameters) : -1;
}

static struct view view_of(const struct tabular_fit *fit, const struct tabular_question *question) {
    ASSERT(0 <= question->item && question->item < fit->item_count);
    ASSERT(0 <= question->other && question->other < fit->item_count);
    ASSERT(question->item != question->other);
    struct view view = {.model = TABULAR_BRADLEY_TERRY, .tie_place = -1};
    double position = 0.0;
    view.position_place = find_parameter(fit, "position", &position);
    view.difference =
        fit->rewards[question->item] - fit->rewards[question->other] + position * question->side;
    if (fit->options.model == TABULAR_DAVIDSON) {
        view.model = TABULAR_DAVIDSON;
        view.tie_place = find_parameter(fit, "log_nu", &view.tie);
    } else if (fit->options.model == TABULAR_RAO_KUPPER) {
        view.model = TABULAR_RAO_KUPPER;
        view.tie_place = find_parameter(fit, "eta", &view.tie);
    } else if (fit->options.model == TABULAR_PLACKETT_LUCE) {
        view.tie_place = find_parameter(fit, "log_delta_2", &view.tie);
        view.model = view.tie_place >= 0 ? TABULAR_DAVIDSON : TABULAR_BRADLEY_TERRY;
    }
    return view;
}

struct tabular_places tabular_predict_places(const struct tabular_fit *fit) {
    static const char *const names[TABULAR_MODEL_COUNT] = {[TABULAR_DAVIDSON] = "log_nu",
                                                           [TABULAR_RAO_KUPPER] = "eta",
                                                           [TABULAR_PLACKETT_LUCE] = "log_delta_2"};
    const char *tie = names[fit->options.model];
    double unused = 0.0;
    return (struct tabular_places){.position = find_parameter(fit, "position", &unused),
                                   .tie = tie ? find_parameter(fit, tie, &unused) : -1};
}

/* Derivatives of the log-odds of an outcome in the difference and the tie parameter. */
struct slope {
    double difference, tie;
};

struct slopes {
    struct slope win, loss, tie;
};

/* From those of the logarithm: d log-odds = d log p / (1 - p). */
static struct slope of_odds(double difference, double tie, double rest) {
    return (struct slope){.difference = difference / rest, .tie = tie / rest};
}

static struct slopes slopes_of(const struct view *view, struct pair_outcome p) {
    if (view->model == TABULAR_DAVIDSON) {
        double lead = 0.5 * (p.win - p.loss);
        return (struct slopes){.win = of_odds(0.5 - lead, -p.tie, p.loss + p.tie),
                               .loss = of_odds(-0.5 - lead, -p.tie, p.win + p.tie),
                               .tie = of_odds(-lead, p.win + p.loss, p.win + p.loss)};
    }
    if (view->model == TABULAR_RAO_KUPPER) {
        double not_won = p.loss + p.tie;
        double not_lost = p.win + p.tie;
        double growth = 2.0 / -expm1(-2.0 * view->tie);
        return (struct slopes){
            .win = {1.0, -1.0},
            .loss = {-1.0, -1.0},
            .tie = of_odds(not_won - not_lost, growth - not_won - not_lost, p.win + p.loss)};
    }
    return (struct slopes){.win = {1.0, 0.0}, .loss = {-1.0, 0.0}};
}

static double clamped_root(double variance) {
    return isnan(variance) ? variance : sqrt(fmax(variance, 0.0));
}

/* `rest` is 1 - value, to full precision. */
static struct tabular_share share_of(double value, double rest, struct slope slope,
                                     const struct tabular_spread *spread, double z) {
    struct tabular_share share = {.value = value, .low = (double)NAN, .high = (double)NAN};
    if (value <= 0.0 || rest <= 0.0) {
        return share;
    }
    double width = z * clamped_root(slope.difference * slope.difference * spread->difference +
                                    2.0 * slope.difference * slope.tie * spread->difference_tie +
                                    slope.tie * slope.tie * spread->tie);
    double odds_log = log(value / rest);
    share.low = pair_sigmoid(odds_log - width);
    share.high = pair_sigmoid(odds_log + width);
    return share;
}

static void predict(const struct view *view, double level, const struct tabular_spread *spread,
                    struct tabular_prediction *out) {
    ASSERT(level > 0.0 && level < 1.0);
    double z = normal_quantile(0.5 + 0.5 * level);
    struct pair_outcome p = pair_outcome_of(view->model, view->difference, view->tie);
    struct slopes slopes = slopes_of(view, p);
    *out =
        (struct tabular_prediction){.difference = view->difference,
                                    .std_error = clamped_root(spread->difference),
                                    .win = share_of(p.win, p.loss + p.tie, slopes.win, spread, z),
                                    .loss = share_of(p.loss, p.win + p.tie, slopes.loss, spread, z),
                                    .tie = share_of(p.tie, p.win + p.loss, slopes.tie, spread, z)};
}

void tabular_predict_with(const struct tabular_fit *fit, const struct tabular_question *question,
                          const struct tabular_spread *spread, struct tabular_prediction *out) {
    struct view view = view_of(fit, question);
    predict(&view, question->level, spread, out);
}

/* Covariance of the difference with the item or parameter at `place`. */
static double covariance_with(const struct tabular_fit *fit, const struct view *view,
                              const struct tabular_question *question, int64_t place) {
    double covariance = tabular_fit_covariance(fit, question->item, place) -
                        tabular_fit_covariance(fit, question->other, place);
    if (view->position_place >= 0) {
        covariance += question->side * tabular_fit_covariance(fit, view->position_place, place);
    }
    return covariance;
}

void tabular_predict(const struct tabular_fit *fit, const struct tabular_question *question,
                     struct tabular_prediction *out) {
    struct view view = view_of(fit, question);
    struct tabular_spread spread = {.difference =
                                        covariance_with(fit, &view, question, question->item) -
                                        covariance_with(fit, &view, question, question->other)};
    if (view.position_place >= 0) {
        spread.difference +=
            question->side * covariance_with(fit, &view, question, view.position_place);
    }
    if (view.tie_place >= 0) {
        spread.difference_tie = covariance_with(fit, &view, question, view.tie_place);
        spread.tie = tabular_fit_covariance(fit, view.tie_place, view.tie_place);
    }
    predict(&view, question->level, &spread, out);
}
