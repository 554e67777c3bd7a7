/* reward_eval_sums.c - one walk each over pairs, judgements, sets of answers and prompts, adding up
 * what every reward gets there; see reward_eval_internal.h. */
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/choice_metrics.h"
#include "reward/reward_eval_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_TAIL 0.01 /* of margins, beyond either end of their histogram */

struct walk {
    const struct reward_eval_input *in;
    struct reward_eval_sums *sums;
    struct reward_eval *eval;
    int64_t columns; /* of a reward */
};

static void add(struct walk *w, int64_t block, int64_t reward, int64_t column, double value) {
    cluster_sums_add(&w->sums->sums, block, reward * w->columns + column, value);
}

static double reward_of(const struct reward_eval_input *in, int64_t reward, int64_t item) {
    return in->rewards[reward * in->set->item_count + item];
}

static struct judged_pair judged(const struct reward_eval_input *in, int64_t reward, int64_t p) {
    const struct pair_texts *t = in->texts;
    return (struct judged_pair){
        .cluster = t->blocks[p],
        .margin = reward_of(in, reward, t->first[p]) - reward_of(in, reward, t->second[p]),
        .wins_first = t->wins_first[p],
        .wins_second = t->wins_second[p],
        .ties = t->ties[p],
    };
}

/* ---- pairs ---------------------------------------------------------------------------------- */

static void add_slice(struct walk *w, int64_t block, int64_t reward, int64_t slice,
                      const struct judged_terms *terms) {
    if (slice < 0) {
        return;
    }
    const int64_t column = EVAL_SLICES + EVAL_SLICE_COLUMNS * slice;
    add(w, block, reward, column + EVAL_SLICE_CORRECT, terms->correct);
    add(w, block, reward, column + EVAL_SLICE_DECIDED, terms->decided);
    add(w, block, reward, column + EVAL_SLICE_NLL, terms->nll);
    add(w, block, reward, column + EVAL_SLICE_WEIGHT, terms->weight);
}

static void add_length(struct walk *w, int64_t p, int64_t reward,
                       const struct judged_terms *terms) {
    const struct pair_texts *t = w->in->texts;
    const double ratio = eval_length_ratio(t, p);
    const int64_t block = t->blocks[p];
    if (ratio != 0.0 && terms->decided > 0.0) {
        const bool is_longer = (ratio > 0.0) == (t->wins_first[p] > t->wins_second[p]);
        const int64_t column = is_longer ? EVAL_LONGER_CORRECT : EVAL_SHORTER_CORRECT;
        add(w, block, reward, column, terms->correct);
        add(w, block, reward, column + 1, terms->decided);
    }
    if (fabs(ratio) <= w->in->match_nats) {
        add(w, block, reward, EVAL_MATCHED_CORRECT, terms->correct);
        add(w, block, reward, EVAL_MATCHED_DECIDED, terms->decided);
    }
}

static void add_pair(struct walk *w, int64_t p) {
    const struct reward_eval_input *in = w->in;
    const int64_t block = in->texts->blocks[p];
    int64_t slices[EVAL_PAIR_FAMILIES];
    bool is_common = true;
    eval_slices_of_pair(in->slices, in->texts, p, slices);
    for (int64_t r = 0; r < in->reward_count; r++) {
        is_common = is_common && !isnan(judged(in, r, p).margin);
    }
    w->eval->pairs++;
    w->eval->common_pairs += is_common;
    w->eval->judgements +=
        in->texts->wins_first[p] + in->texts->wins_second[p] + in->texts->ties[p];
    for (int64_t r = 0; r < in->reward_count; r++) {
        const struct judged_pair pair = judged(in, r, p);
        if (isnan(pair.margin)) {
            w->eval->rows[r].pairs_unknown++;
            continue;
        }
        const struct judged_terms terms = judged_terms_of(&pair);
        pair_metrics_add(&w->sums->metrics[r], &pair);
        if (is_common) {
            add(w, block, r, EVAL_COMMON_CORRECT, terms.correct);
            add(w, block, r, EVAL_COMMON_DECIDED, terms.decided);
            add(w, block, r, EVAL_COMMON_NLL, terms.nll);
            add(w, block, r, EVAL_COMMON_WEIGHT, terms.weight);
        }
        add_length(w, p, r, &terms);
        for (int f = 0; f < EVAL_PAIR_FAMILIES; f++) {
            add_slice(w, block, r, slices[f], &terms);
        }
    }
}

/* Share of pairs with a side that people prefer, and that is longer or shorter, where it is longer.
 */
static void set_longer_preferred(struct walk *w) {
    const struct pair_texts *t = w->in->texts;
    double longer = 0.0, differing = 0.0;
    for (int64_t p = 0; p < t->count; p++) {
        const double ratio = eval_length_ratio(t, p), lead = t->wins_first[p] - t->wins_second[p];
        if (w->in->is_tested[t->blocks[p]] && ratio != 0.0 && lead != 0.0) {
            longer += (ratio > 0.0) == (lead > 0.0);
            differing += 1.0;
        }
    }
    w->eval->longer_preferred = differing > 0.0 ? longer / differing : (double)NAN;
}

static void add_pairs(struct walk *w) {
    for (int64_t p = 0; p < w->in->texts->count; p++) {
        if (w->in->is_tested[w->in->texts->blocks[p]]) {
            add_pair(w, p);
        }
    }
    set_longer_preferred(w);
}

/* ---- judgements ----------------------------------------------------------------------------- */

/* The judgement of member m, which is not behind member n, in comparison c. */
static void add_judgement(struct walk *w, int64_t c, int64_t m, int64_t n) {
    const struct comparison_set *set = w->in->set;
    const int64_t block = set->item_blocks[set->items[m]];
    const bool is_tie = set->ranks[m] == set->ranks[n];
    for (int64_t r = 0; r < w->in->reward_count; r++) {
        const struct judged_pair pair = {
            .margin = reward_of(w->in, r, set->items[m]) - reward_of(w->in, r, set->items[n]),
            .wins_first = is_tie ? 0.0 : set->weights[c],
            .ties = is_tie ? set->weights[c] : 0.0,
        };
        if (isnan(pair.margin)) {
            continue;
        }
        const struct judged_terms terms = judged_terms_of(&pair);
        for (int f = 0; f < EVAL_LABEL_FAMILIES; f++) {
            const int32_t *slice_of = w->in->slices->of_comparison[f];
            add_slice(w, block, r, slice_of ? slice_of[c] : -1, &terms);
        }
    }
}

static bool is_open(const struct comparison_set *set, int64_t c) {
    return set->last_unordered && set->last_unordered[c];
}

static void add_judgements(struct walk *w, int64_t c) {
    const struct comparison_set *set = w->in->set;
    const int64_t end = set->starts[c + 1];
    for (int64_t m = set->starts[c]; m < end; m++) {
        const bool is_unordered = is_open(set, c) && set->ranks[m] == set->ranks[end - 1];
        for (int64_t n = m + 1; n < end && !is_unordered; n++) {
            add_judgement(w, c, m, n);
        }
    }
}

/* ---- sets of answers ------------------------------------------------------------------------ */

/* One set of answers seen by one reward. */
struct answers {
    const double *rewards; /* [n] best first, as people say */
    int64_t n, correct;    /* `correct` share rank 1 */
    int64_t places;        /* how many have a place of their own; 0: some are tied */
};

/* Places that are a ranking: all distinct, or distinct before a last rank that was not ordered. */
static int64_t places_of(const struct comparison_set *set, int64_t c) {
    const int64_t begin = set->starts[c], end = set->starts[c + 1];
    int64_t places = 0;
    while (begin + places + 1 < end &&
           set->ranks[begin + places] != set->ranks[begin + places + 1]) {
        places++;
    }
    if (begin + places + 1 == end) {
        return places + 1;
    }
    return is_open(set, c) && set->ranks[begin + places] == set->ranks[end - 1] ? places : 0;
}

static void add_answers(struct walk *w, int64_t block, int64_t r, const struct answers *a) {
    if (a->correct == 1) {
        add(w, block, r, EVAL_CHOICE_HITS, choice_hit(a->rewards, a->n));
        add(w, block, r, EVAL_CHOICES, 1.0);
    } else if (a->correct < a->n) {
        const struct choice_tied tied = choice_tied_of(a->rewards, a->correct, a->n);
        add(w, block, r, EVAL_TIED_ACCURATE, tied.is_accurate);
        add(w, block, r, EVAL_TIED_APART, tied.is_apart);
        add(w, block, r, EVAL_TIED, 1.0);
    }
    if (a->places > 0) {
        add(w, block, r, EVAL_ORDER_NLL, choice_order_nll(a->rewards, a->places, a->n));
        add(w, block, r, EVAL_ORDERS, 1.0);
    }
}

static int64_t count_correct(const struct comparison_set *set, int64_t c) {
    int64_t correct = 0;
    for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
        correct += set->ranks[m] == 1;
    }
    return correct;
}

/* Rewards of a comparison's answers into `out`; false where one is not known. */
static bool gather(const struct reward_eval_input *in, int64_t r, int64_t c, double *out) {
    const struct comparison_set *set = in->set;
    bool is_known = true;
    for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
        out[m - set->starts[c]] = reward_of(in, r, set->items[m]);
        is_known = is_known && !isnan(out[m - set->starts[c]]);
    }
    return is_known;
}

static void add_set(struct walk *w, int64_t c, double *rewards) {
    const struct comparison_set *set = w->in->set;
    struct answers a = {.rewards = rewards,
                        .n = set->starts[c + 1] - set->starts[c],
                        .correct = count_correct(set, c),
                        .places = places_of(set, c)};
    const int64_t block = set->item_blocks[set->items[set->starts[c]]];
    for (int64_t r = 0; r < w->in->reward_count; r++) {
        if (gather(w->in, r, c, rewards)) {
            add_answers(w, block, r, &a);
        }
    }
}

static int64_t widest(const struct comparison_set *set) {
    int64_t most = 0;
    for (int64_t c = 0; c < set->count; c++) {
        const int64_t n = set->starts[c + 1] - set->starts[c];
        most = n > most ? n : most;
    }
    return most;
}

static enum err_code add_comparisons(struct walk *w, struct error *err) {
    const struct comparison_set *set = w->in->set;
    SCOPED(mem) double *rewards = mem_array((size_t)widest(set), sizeof *rewards);
    if (!rewards) {
        return err_oom(err, "rewards of a ranking");
    }
    double choices = 0.0, choice_chance = 0.0, tied = 0.0, tied_chance = 0.0;
    for (int64_t c = 0; c < set->count; c++) {
        if (!w->in->is_tested[set->item_blocks[set->items[set->starts[c]]]]) {
            continue;
        }
        add_judgements(w, c);
        const int64_t n = set->starts[c + 1] - set->starts[c];
        const int64_t correct = count_correct(set, c);
        if (n < 3) {
            continue;
        }
        add_set(w, c, rewards);
        choices += correct == 1;
        choice_chance += correct == 1 ? 1.0 / (double)n : 0.0;
        tied += correct > 1 && correct < n;
        tied_chance += correct > 1 && correct < n ? choice_tied_chance(correct, n) : 0.0;
    }
    w->eval->choice_chance = choices > 0.0 ? choice_chance / choices : (double)NAN;
    w->eval->tied_chance = tied > 0.0 ? tied_chance / tied : (double)NAN;
    return ERR_OK;
}

/* ---- questions with several right answers, and their references ------------------------------ */

/* By topic: the only comparison of either kind, -1 without one, -2 with several. */
struct topic_pair {
    int64_t tied, ref;
};

static void take_topic(int64_t *slot, int64_t c) {
    *slot = *slot == -1 ? c : -2;
}

static void find_topics(const struct reward_eval_input *in, struct topic_pair *pairs) {
    const struct comparison_set *set = in->set;
    for (int64_t c = 0; c < set->count; c++) {
        const int32_t block = set->item_blocks[set->items[set->starts[c]]];
        const int64_t n = set->starts[c + 1] - set->starts[c], correct = count_correct(set, c);
        if (in->is_tested[block] && in->topics[block] >= 0 && correct < n) {
            struct topic_pair *pair = &pairs[in->topics[block]];
            take_topic(correct > 1 ? &pair->tied : &pair->ref, c);
        }
    }
}

static int64_t count_topics(const struct reward_eval_input *in) {
    int64_t topics = 0;
    for (int64_t b = 0; in->topics && b < in->set->block_count; b++) {
        topics = in->topics[b] >= topics ? in->topics[b] + 1 : topics;
    }
    return topics;
}

/* What reward r makes of comparison c; false where there is none, or an answer is not known. */
static bool tied_of(const struct reward_eval_input *in, int64_t r, int64_t c, double *rewards,
                    struct choice_tied *out) {
    if (c < 0 || !gather(in, r, c, rewards)) {
        return false;
    }
    const int64_t n = in->set->starts[c + 1] - in->set->starts[c];
    *out = choice_tied_of(rewards, count_correct(in->set, c), n);
    return true;
}

/* Arrays by topic. */
struct topics {
    int64_t count;
    struct topic_pair *pairs;
    struct choice_ties_pair *known;
    double *rewards; /* of one comparison */
};

static void topics_scoped_end(struct topics *topics) {
    mem_free(topics->pairs);
    mem_free(topics->known);
    mem_free(topics->rewards);
}

static enum err_code topics_init(struct topics *topics, const struct reward_eval_input *in,
                                 struct error *err) {
    topics->count = count_topics(in);
    const size_t count = (size_t)topics->count;
    topics->pairs = mem_array(count, sizeof *topics->pairs);
    topics->known = mem_array(count, sizeof *topics->known);
    topics->rewards = mem_array((size_t)widest(in->set), sizeof *topics->rewards);
    if (!topics->pairs || !topics->known || !topics->rewards) {
        return err_oom(err, "questions with several right answers");
    }
    for (int64_t t = 0; t < topics->count; t++) {
        topics->pairs[t] = (struct topic_pair){-1, -1};
    }
    if (topics->count > 0) {
        find_topics(in, topics->pairs);
    }
    return ERR_OK;
}

static enum err_code set_ties_scores(struct walk *w, struct error *err) {
    SCOPED(topics) struct topics topics = {.count = 0};
    TRY(topics_init(&topics, w->in, err));
    for (int64_t r = 0; r < w->in->reward_count; r++) {
        int64_t count = 0;
        for (int64_t t = 0; t < topics.count; t++) {
            struct choice_ties_pair *pair = &topics.known[count];
            count += tied_of(w->in, r, topics.pairs[t].tied, topics.rewards, &pair->tied) &&
                     tied_of(w->in, r, topics.pairs[t].ref, topics.rewards, &pair->ref);
        }
        w->eval->rows[r].ties_score = choice_ties_score(topics.known, count);
        w->eval->rows[r].ties_pairs = count;
    }
    return ERR_OK;
}

/* ---- length and reward within prompts -------------------------------------------------------- */

/* One answer of a prompt. */
struct place {
    double value;
    int64_t index;
};

static int compare_places(const void *left, const void *right) {
    const struct place *l = left;
    const struct place *r = right;
    return (l->value > r->value) - (l->value < r->value);
}

/* Ranks of `values` [n] from 0, equal ones sharing their mean. */
static void rank(const double *values, int64_t n, struct place *places, double *out_ranks) {
    for (int64_t i = 0; i < n; i++) {
        places[i] = (struct place){values[i], i};
    }
    qsort(places, (size_t)n, sizeof *places, compare_places);
    for (int64_t begin = 0; begin < n;) {
        int64_t end = begin;
        while (end < n && places[end].value == places[begin].value) {
            end++;
        }
        for (int64_t i = begin; i < end; i++) {
            out_ranks[places[i].index] = 0.5 * (double)(begin + end - 1);
        }
        begin = end;
    }
}

struct moments {
    double xy, xx, yy;
};

static struct moments moments_of(const double *x, const double *y, int64_t n) {
    double mean_x = 0.0, mean_y = 0.0;
    for (int64_t i = 0; i < n; i++) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
    }
    struct moments m = {0.0, 0.0, 0.0};
    for (int64_t i = 0; i < n; i++) {
        m.xy += (x[i] - mean_x) * (y[i] - mean_y);
        m.xx += (x[i] - mean_x) * (x[i] - mean_x);
        m.yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    return m;
}

/* Arrays of the answers of one prompt. */
struct prompt_room {
    double *lengths, *rewards, *length_ranks, *reward_ranks; /* [I at most] */
    struct place *places;
};

static void prompt_room_scoped_end(struct prompt_room *room) {
    mem_free(room->lengths);
    mem_free(room->rewards);
    mem_free(room->length_ranks);
    mem_free(room->reward_ranks);
    mem_free(room->places);
}

static void add_moments(struct walk *w, int64_t block, int64_t r, int64_t column,
                        const struct moments *m) {
    add(w, block, r, column, m->xy);
    add(w, block, r, column + 1, m->xx);
    add(w, block, r, column + 2, m->yy);
}

/* Answers [begin, end) are those of one prompt. */
static void add_prompt(struct walk *w, int64_t begin, int64_t end, struct prompt_room *room) {
    const int64_t block = w->in->set->item_blocks[begin];
    const int64_t *lengths = text_features_matrix(w->in->texts->features).lengths;
    for (int64_t r = 0; r < w->in->reward_count; r++) {
        int64_t n = 0;
        for (int64_t i = begin; i < end; i++) {
            const double reward = reward_of(w->in, r, i);
            room->lengths[n] = (double)lengths[i];
            room->rewards[n] = reward;
            n += !isnan(reward);
        }
        w->eval->rows[r].answers += n;
        w->eval->rows[r].answers_unknown += end - begin - n;
        rank(room->lengths, n, room->places, room->length_ranks);
        rank(room->rewards, n, room->places, room->reward_ranks);
        const struct moments plain = moments_of(room->lengths, room->rewards, n);
        const struct moments ranked = moments_of(room->length_ranks, room->reward_ranks, n);
        add_moments(w, block, r, EVAL_XY, &plain);
        add_moments(w, block, r, EVAL_RANK_XY, &ranked);
    }
    w->eval->answers += end - begin;
    w->eval->prompts++;
}

/* The items of a set come in the order of their blocks. */
static enum err_code add_prompts(struct walk *w, struct error *err) {
    const struct comparison_set *set = w->in->set;
    const size_t items = (size_t)set->item_count;
    SCOPED(prompt_room)
    struct prompt_room room = {
        .lengths = mem_array(items, sizeof *room.lengths),
        .rewards = mem_array(items, sizeof *room.rewards),
        .length_ranks = mem_array(items, sizeof *room.length_ranks),
        .reward_ranks = mem_array(items, sizeof *room.reward_ranks),
        .places = mem_array(items, sizeof *room.places),
    };
    if (!room.lengths || !room.rewards || !room.length_ranks || !room.reward_ranks ||
        !room.places) {
        return err_oom(err, "answers of a prompt");
    }
    for (int64_t begin = 0; begin < set->item_count;) {
        int64_t end = begin;
        while (end < set->item_count && set->item_blocks[end] == set->item_blocks[begin]) {
            end++;
        }
        if (w->sums->sums.group_of[set->item_blocks[begin]] >= 0) {
            add_prompt(w, begin, end, &room);
        }
        begin = end;
    }
    return ERR_OK;
}

/* ---- what pictures show ---------------------------------------------------------------------- */

static int compare_doubles(const void *left, const void *right) {
    const double l = *(const double *)left, r = *(const double *)right;
    return (l > r) - (l < r);
}

/* Margins of reward r towards the side that people prefer into `out`; returns how many. */
static int64_t collect_margins(const struct reward_eval_input *in, int64_t r, double *out) {
    int64_t count = 0;
    for (int64_t p = 0; p < in->texts->count; p++) {
        const struct judged_pair pair = judged(in, r, p);
        if (in->is_tested[pair.cluster] && !isnan(pair.margin) &&
            pair.wins_first != pair.wins_second) {
            out[count++] = pair.wins_first > pair.wins_second ? pair.margin : -pair.margin;
        }
    }
    return count;
}

/* Bins are symmetric about zero, so that zero is the edge of one; all but the tails fit in. */
static void set_margins(struct eval_margins *margins, double *values, int64_t count) {
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    const int64_t tail = (int64_t)(MARGIN_TAIL * (double)count);
    const double reach = count > 0 ? fmax(fabs(values[tail]), fabs(values[count - 1 - tail])) : 1.0;
    margins->high = reach > 0.0 ? reach : 1.0;
    for (int64_t i = 0; i < count; i++) {
        if (values[i] == 0.0) {
            margins->zeros++;
            continue;
        }
        const double place = (values[i] / margins->high + 1.0) / 2.0 * REWARD_EVAL_MARGIN_BINS;
        const double bin = fmin(fmax(floor(place), 0.0), REWARD_EVAL_MARGIN_BINS - 1);
        margins->counts[(int64_t)bin]++;
    }
}

/* Every n-th pair, so that at most REWARD_EVAL_DOTS_MAX remain. */
static void set_dots(const struct walk *w, int64_t r, struct reward_eval_row *row) {
    const struct reward_eval_input *in = w->in;
    const int64_t stride = (w->eval->pairs + REWARD_EVAL_DOTS_MAX - 1) / REWARD_EVAL_DOTS_MAX;
    int64_t seen = 0;
    for (int64_t p = 0; p < in->texts->count; p++) {
        if (!in->is_tested[in->texts->blocks[p]] || seen++ % stride != 0) {
            continue;
        }
        const double margin = judged(in, r, p).margin, ratio = eval_length_ratio(in->texts, p);
        if (!isnan(margin)) {
            row->dots[row->dot_count++] =
                (struct eval_dot){.ratio = fabs(ratio), .margin = ratio < 0.0 ? -margin : margin};
        }
    }
}

static enum err_code set_pictures(struct walk *w, struct error *err) {
    SCOPED(mem) double *values = mem_array((size_t)w->in->texts->count, sizeof *values);
    if (!values) {
        return err_oom(err, "margins");
    }
    for (int64_t r = 0; r < w->in->reward_count; r++) {
        struct reward_eval_row *row = &w->eval->rows[r];
        set_margins(&row->margins, values, collect_margins(w->in, r, values));
        set_dots(w, r, row);
    }
    return ERR_OK;
}

enum err_code reward_eval_add_up(const struct reward_eval_input *input,
                                 struct reward_eval_sums *sums, struct reward_eval *eval,
                                 struct error *err) {
    struct walk w = {.in = input,
                     .sums = sums,
                     .eval = eval,
                     .columns = reward_eval_columns(input->slices->count)};
    add_pairs(&w);
    TRY(add_comparisons(&w, err));
    TRY(set_ties_scores(&w, err));
    TRY(add_prompts(&w, err));
    return set_pictures(&w, err);
}
