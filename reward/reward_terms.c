/* reward_terms.c - see reward_terms.h. */
#include "reward/reward_terms.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One judgement, or the sum of some: margins are sums by weight until the last has been added. */
struct record {
    struct reward_pair pair;
    int64_t number; /* in the order of the set: sums are taken in it */
};

/* A ranking by its items, ascending, and the rank of each. */
struct ranking {
    int32_t *items, *ranks; /* [size] */
    int64_t size;
    bool last_unordered;
    double weight;
    int64_t number;
};

struct builder {
    const struct comparison_set *set;
    const struct reward_terms_options *options;
    struct reward_terms *terms;
    /* of the block at hand */
    struct record *records;
    struct ranking *rankings;
    int32_t *members; /* two arrays of `size` for each ranking */
    int64_t record_count, ranking_count, member_count;
};

static void builder_scoped_end(struct builder *b) {
    mem_free(b->records);
    mem_free(b->rankings);
    mem_free(b->members);
}

/* ---- one comparison ---- */

/* What it says. */
struct judged {
    int64_t begin, end; /* members */
    bool is_open;       /* the last rank holds several that were not looked into */
    bool is_tied;       /* several of one rank were compared */
    int64_t choices;    /* items that were put before others: stages of Plackett-Luce */
    int64_t pairs;      /* that are judged */
};

static bool is_judged(const struct builder *b, const struct judged *j, int64_t m, int64_t w) {
    const int32_t *ranks = b->set->ranks;
    bool is_silent = j->is_open && ranks[m] == ranks[j->end - 1];
    return ranks[m] != ranks[w] || (!is_silent && b->options->ties != PAIR_TIES_DROP);
}

static struct judged look_at(const struct builder *b, int64_t c) {
    const struct comparison_set *set = b->set;
    struct judged j = {.begin = set->starts[c], .end = set->starts[c + 1]};
    int64_t last = j.end - 1;
    while (last > j.begin && set->ranks[last - 1] == set->ranks[j.end - 1]) {
        last--;
    }
    int64_t last_size = j.end - last;
    j.is_open = last_size > 1 && set->last_unordered && set->last_unordered[c];
    bool is_silent = last_size > 1 && (j.is_open || b->options->ties == PAIR_TIES_DROP);
    j.choices = j.end - j.begin - (is_silent ? last_size : 1);
    for (int64_t m = j.begin; m < j.end; m++) {
        for (int64_t w = m + 1; w < j.end; w++) {
            j.pairs += is_judged(b, &j, m, w);
        }
        j.is_tied = j.is_tied ||
                    (m > j.begin && set->ranks[m] == set->ranks[m - 1] && !(j.is_open && m > last));
    }
    return j;
}

static double weight_of(const struct builder *b, int64_t c) {
    const double *factors = b->options->annotator_weights;
    int32_t annotator = b->set->annotators ? b->set->annotators[c] : -1;
    return b->set->weights[c] * (factors && annotator >= 0 ? factors[annotator] : 1.0);
}

static double log_odds_of(const struct builder *b, int64_t c) {
    const double *reliabilities = b->options->annotator_reliabilities;
    if (!reliabilities) {
        return (double)INFINITY;
    }
    int32_t annotator = b->set->annotators ? b->set->annotators[c] : -1;
    double h = annotator >= 0 ? reliabilities[annotator] : b->options->reliability_unknown;
    return h < 1.0 ? log(h / (1.0 - h)) : (double)INFINITY;
}

/* Nats by which the better of two is better; 0 where that is not known. */
static double margin_of(const struct builder *b, int64_t c, int64_t size) {
    bool is_known = size == 2 && b->set->margins && !isnan(b->set->margins[c]);
    return is_known ? b->options->margin_scale * b->set->margins[c] : 0.0;
}

static void add_pair(struct builder *b, int64_t c, int64_t better, int64_t worse, double weight) {
    const struct comparison_set *set = b->set;
    int32_t start = (int32_t)b->terms->item_starts[set->item_blocks[set->items[better]]];
    int32_t first = set->items[better] - start, second = set->items[worse] - start;
    double margin = weight * margin_of(b, c, set->starts[c + 1] - set->starts[c]);
    struct reward_pair pair = {.reliability_log_odds = log_odds_of(b, c)};
    if (set->ranks[better] != set->ranks[worse]) {
        bool i_wins = first < second;
        *(i_wins ? &pair.win : &pair.loss) = weight;
        *(i_wins ? &pair.margin_win : &pair.margin_loss) = margin;
    } else if (b->options->ties == PAIR_TIES_HALF) {
        pair.win = pair.loss = 0.5 * weight;
    } else {
        pair.tie = weight;
    }
    pair.i = first < second ? first : second;
    pair.j = first < second ? second : first;
    b->records[b->record_count] = (struct record){.pair = pair, .number = b->record_count};
    b->record_count++;
}

static void add_pairs(struct builder *b, int64_t c, const struct judged *j) {
    double weight = weight_of(b, c) * (double)j->choices / (double)j->pairs;
    for (int64_t m = j->begin; m < j->end; m++) {
        for (int64_t w = m + 1; w < j->end; w++) {
            if (is_judged(b, j, m, w)) {
                add_pair(b, c, m, w, weight);
            }
        }
    }
}

static void add_ranking(struct builder *b, int64_t c, const struct judged *j) {
    const struct comparison_set *set = b->set;
    int64_t size = j->end - j->begin;
    int32_t start = (int32_t)b->terms->item_starts[set->item_blocks[set->items[j->begin]]];
    struct ranking ranking = {
        .items = b->members + b->member_count,
        .ranks = b->members + b->member_count + size,
        .size = size,
        .last_unordered = j->is_open,
        .weight = weight_of(b, c),
        .number = b->ranking_count,
    };
    for (int64_t m = 0; m < size; m++) { /* by insertion */
        int32_t item = set->items[j->begin + m] - start;
        int64_t at = m;
        for (; at > 0 && ranking.items[at - 1] > item; at--) {
            ranking.items[at] = ranking.items[at - 1];
            ranking.ranks[at] = ranking.ranks[at - 1];
        }
        ranking.items[at] = item;
        ranking.ranks[at] = set->ranks[j->begin + m];
    }
    b->member_count += 2 * size;
    b->rankings[b->ranking_count++] = ranking;
}

static void take_label(struct builder *b, int64_t c) {
    struct reward_terms_counts *counts = &b->terms->counts;
    struct reward_label *label = &b->terms->labels[b->set->items[b->set->starts[c]]];
    const double weight = weight_of(b, c);
    counts->labels++;
    if (!(weight > 0.0)) {
        counts->out_weightless++;
        return;
    }
    *(b->set->good[c] ? &label->good : &label->bad) += weight;
    counts->used++;
}

static enum err_code take(struct builder *b, int64_t c, struct error *err) {
    struct reward_terms_counts *counts = &b->terms->counts;
    if (b->set->good) {
        take_label(b, c);
        return ERR_OK;
    }
    struct judged j = look_at(b, c);
    bool is_ranking = j.end - j.begin > 2;
    *(is_ranking ? &counts->rankings : &counts->judgements) += 1;
    *(is_ranking ? &counts->tied_rankings : &counts->tied_judgements) += j.is_tied;
    if (!(weight_of(b, c) > 0.0)) {
        counts->out_weightless++;
        return ERR_OK;
    }
    if (j.choices == 0) {
        *(j.is_open ? &counts->out_unordered : &counts->out_tied) += 1;
        return ERR_OK;
    }
    if (is_ranking && !b->options->split_rankings) {
        if (b->options->annotator_reliabilities) {
            return err_set(err, ERR_CONFIG,
                           "reliabilities of annotators are of judgements of two, and comparison "
                           "%" PRId64 " ranks %" PRId64 " items; split rankings into pairs",
                           b->set->comparison_ids[c], j.end - j.begin);
        }
        add_ranking(b, c, &j);
    } else {
        add_pairs(b, c, &j);
    }
    counts->used++;
    return ERR_OK;
}

/* ---- the pairs of a block ---- */

static int compare_doubles(double left, double right) {
    return (left > right) - (left < right);
}

static int compare_pairs(const struct reward_pair *left, const struct reward_pair *right) {
    if (left->i != right->i) {
        return left->i < right->i ? -1 : 1;
    }
    return (left->j > right->j) - (left->j < right->j);
}

static int compare_records(const void *left, const void *right) {
    const struct record *l = left;
    const struct record *r = right;
    int order = compare_pairs(&l->pair, &r->pair);
    order =
        order ? order : compare_doubles(l->pair.reliability_log_odds, r->pair.reliability_log_odds);
    return order ? order : (l->number > r->number) - (l->number < r->number);
}

static void merge_pair(struct reward_pair *into, const struct reward_pair *pair) {
    into->win += pair->win;
    into->loss += pair->loss;
    into->tie += pair->tie;
    into->margin_win += pair->margin_win;
    into->margin_loss += pair->margin_loss;
}

static void merge_pairs(struct builder *b) {
    struct reward_terms *terms = b->terms;
    int64_t count = terms->pair_starts[terms->block_count]; /* so far */
    qsort(b->records, (size_t)b->record_count, sizeof *b->records, compare_records);
    for (int64_t r = 0; r < b->record_count;) {
        const int64_t begin = r;
        const struct reward_pair *first = &b->records[begin].pair;
        for (; r < b->record_count && compare_pairs(first, &b->records[r].pair) == 0; r++) {
            const struct reward_pair *pair = &b->records[r].pair;
            bool is_new = r == begin ||
                          pair->reliability_log_odds != b->records[r - 1].pair.reliability_log_odds;
            if (is_new) {
                terms->pairs[count++] = *pair;
            } else {
                merge_pair(&terms->pairs[count - 1], pair);
            }
        }
        terms->counts.merged += r - begin > 1;
    }
    for (int64_t p = terms->pair_starts[terms->block_count]; p < count; p++) {
        struct reward_pair *pair = &terms->pairs[p];
        pair->margin_win /= pair->margin_win > 0.0 ? pair->win : 1.0;
        pair->margin_loss /= pair->margin_loss > 0.0 ? pair->loss : 1.0;
    }
    terms->pair_starts[terms->block_count + 1] = count;
}

/* ---- the rankings of a block ---- */

static int compare_numbers(const int32_t *left, const int32_t *right, int64_t count) {
    for (int64_t m = 0; m < count; m++) {
        if (left[m] != right[m]) {
            return left[m] < right[m] ? -1 : 1;
        }
    }
    return 0;
}

static int compare_questions(const struct ranking *left, const struct ranking *right) {
    if (left->size != right->size) {
        return left->size < right->size ? -1 : 1;
    }
    return compare_numbers(left->items, right->items, left->size);
}

static int compare_answers(const struct ranking *left, const struct ranking *right) {
    int order = compare_questions(left, right);
    order = order ? order : compare_numbers(left->ranks, right->ranks, left->size);
    return order ? order : (int)left->last_unordered - (int)right->last_unordered;
}

static int compare_rankings(const void *left, const void *right) {
    const struct ranking *l = left;
    const struct ranking *r = right;
    int order = compare_answers(l, r);
    return order ? order : (l->number > r->number) - (l->number < r->number);
}

/* Best first; of one rank in the order of their numbers, as they stand. */
static void emit_ranking(const struct ranking *ranking, struct comparison_set *out) {
    int64_t c = out->count++;
    int64_t at = out->starts[c];
    for (int32_t rank = 1; at < out->starts[c] + ranking->size; rank++) {
        for (int64_t m = 0; m < ranking->size; m++) {
            if (ranking->ranks[m] == rank) {
                out->items[at] = ranking->items[m];
                out->ranks[at++] = rank;
            }
        }
    }
    out->weights[c] = ranking->weight;
    out->last_unordered[c] = ranking->last_unordered;
    out->starts[c + 1] = at;
}

static void merge_rankings(struct builder *b) {
    struct reward_terms *terms = b->terms;
    qsort(b->rankings, (size_t)b->ranking_count, sizeof *b->rankings, compare_rankings);
    for (int64_t r = 0; r < b->ranking_count;) {
        struct ranking *ranking = &b->rankings[r];
        int64_t begin = r++;
        for (; r < b->ranking_count && compare_answers(ranking, &b->rankings[r]) == 0; r++) {
            ranking->weight += b->rankings[r].weight;
        }
        terms->counts.merged += r - begin > 1;
        emit_ranking(ranking, &terms->rankings);
    }
    terms->ranking_starts[terms->block_count + 1] = terms->rankings.count;
}

/* ---- what counts 1 ---- */

static void scale_pairs(struct reward_pair *pairs, int64_t count, double factor) {
    for (int64_t p = 0; p < count; p++) {
        pairs[p].win *= factor;
        pairs[p].loss *= factor;
        pairs[p].tie *= factor;
    }
}

static double sum_pairs(const struct reward_pair *pairs, int64_t count) {
    double sum = 0.0;
    for (int64_t p = 0; p < count; p++) {
        sum += reward_pair_weight(&pairs[p]);
    }
    return sum;
}

static double sum_weights(const double *weights, int64_t count) {
    double sum = 0.0;
    for (int64_t r = 0; r < count; r++) {
        sum += weights[r];
    }
    return sum;
}

static void scale_weights(double *weights, int64_t count, double factor) {
    for (int64_t r = 0; r < count; r++) {
        weights[r] *= factor;
    }
}

static void scale_labels(struct reward_label *labels, int64_t count, double factor) {
    for (int64_t k = 0; k < count; k++) {
        labels[k].good *= factor;
        labels[k].bad *= factor;
    }
}

static double sum_labels(const struct reward_label *labels, int64_t count) {
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        sum += labels[k].good + labels[k].bad;
    }
    return sum;
}

/* Whether rankings r and q are of the same items: those stand in the order of their ranks. */
static bool is_same_question(const struct comparison_set *set, int64_t r, int64_t q) {
    int64_t size = set->starts[r + 1] - set->starts[r];
    if (set->starts[q + 1] - set->starts[q] != size) {
        return false;
    }
    for (int64_t m = 0; m < size; m++) {
        bool is_there = false;
        for (int64_t n = 0; n < size && !is_there; n++) {
            is_there = set->items[set->starts[q] + n] == set->items[set->starts[r] + m];
        }
        if (!is_there) {
            return false;
        }
    }
    return true;
}

/* Those of one question stand together, as they were sorted. */
static void count_questions(struct reward_terms *terms, int64_t block) {
    for (int64_t p = terms->pair_starts[block]; p < terms->pair_starts[block + 1];) {
        struct reward_pair *first = &terms->pairs[p];
        int64_t begin = p++;
        while (p < terms->pair_starts[block + 1] && compare_pairs(first, &terms->pairs[p]) == 0) {
            p++;
        }
        scale_pairs(first, p - begin, 1.0 / sum_pairs(first, p - begin));
    }
    for (int64_t r = terms->ranking_starts[block]; r < terms->ranking_starts[block + 1];) {
        double *weights = &terms->rankings.weights[r];
        int64_t begin = r++;
        while (r < terms->ranking_starts[block + 1] &&
               is_same_question(&terms->rankings, begin, r)) {
            r++;
        }
        scale_weights(weights, r - begin, 1.0 / sum_weights(weights, r - begin));
    }
}

/* Each item's shares of its votes. */
static void count_labels(struct reward_label *labels, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        const double sum = sum_labels(&labels[k], 1);
        scale_labels(&labels[k], 1, sum > 0.0 ? 1.0 / sum : 1.0);
    }
}

/* Whether the block before is of the same prompt. */
static bool is_prompt_before(const struct comparison_set *set, int64_t block) {
    const int64_t *prompts = set->block_prompt_ids;
    return prompts && block > 0 && prompts[block] == prompts[block - 1];
}

static void weigh_labels(const struct comparison_set *set, struct reward_terms *terms,
                         int64_t block) {
    struct reward_label *labels = terms->labels + terms->item_starts[block];
    const int64_t count = reward_terms_items(terms, block);
    if (terms->options.count == REWARD_COUNT_PAIRS) {
        count_labels(labels, count);
    }
    terms->weights[block] = sum_labels(labels, count);
    terms->counts.blocks += terms->weights[block] > 0.0 && !is_prompt_before(set, block);
}

static void weigh_block(const struct comparison_set *set, struct reward_terms *terms,
                        int64_t block) {
    const struct reward_pair *pairs = &terms->pairs[terms->pair_starts[block]];
    const double *weights = &terms->rankings.weights[terms->ranking_starts[block]];
    int64_t pair_count = terms->pair_starts[block + 1] - terms->pair_starts[block];
    int64_t ranking_count = terms->ranking_starts[block + 1] - terms->ranking_starts[block];
    if (terms->labels) {
        weigh_labels(set, terms, block);
        return;
    }
    if (terms->options.count == REWARD_COUNT_PAIRS) {
        count_questions(terms, block);
    }
    terms->weights[block] = sum_pairs(pairs, pair_count) + sum_weights(weights, ranking_count);
    terms->counts.blocks += pair_count + ranking_count > 0 && !is_prompt_before(set, block);
}

/* Divides by their sum the weights of blocks [begin, end), which are one prompt's. */
static void count_prompt(struct reward_terms *terms, int64_t begin, int64_t end) {
    const int64_t pair = terms->pair_starts[begin], ranking = terms->ranking_starts[begin];
    const double sum = sum_weights(terms->weights + begin, end - begin);
    if (sum > 0.0) {
        scale_pairs(terms->pairs + pair, terms->pair_starts[end] - pair, 1.0 / sum);
        scale_weights(terms->rankings.weights + ranking, terms->ranking_starts[end] - ranking,
                      1.0 / sum);
        if (terms->labels) {
            scale_labels(terms->labels + terms->item_starts[begin],
                         terms->item_starts[end] - terms->item_starts[begin], 1.0 / sum);
        }
    }
    for (int64_t b = begin; sum > 0.0 && b < end; b++) {
        terms->weights[b] /= sum;
    }
}

/* The blocks of one prompt stand together. */
static void count_prompts(const struct comparison_set *set, struct reward_terms *terms) {
    for (int64_t begin = 0; begin < terms->block_count;) {
        int64_t end = begin + 1;
        while (end < terms->block_count && is_prompt_before(set, end)) {
            end++;
        }
        count_prompt(terms, begin, end);
        begin = end;
    }
}

/* ---- checks ---- */

static enum err_code check_options(const struct comparison_set *set,
                                   const struct reward_terms_options *o, struct error *err) {
    if (!(o->margin_scale >= 0.0) || !isfinite(o->margin_scale)) {
        return err_set(err, ERR_CONFIG, "margins are scaled by %g; expected a number of 0 or more",
                       o->margin_scale);
    }
    for (int64_t a = 0; o->annotator_weights && a < set->annotator_count; a++) {
        double weight = o->annotator_weights[a];
        if (!(weight >= 0.0) || !isfinite(weight)) {
            return err_set(err, ERR_CONFIG, "annotator %" PRId64 " weighs %g; expected 0 or more",
                           a + 1, weight);
        }
    }
    for (int64_t a = -1; o->annotator_reliabilities && a < set->annotator_count; a++) {
        double h = a < 0 ? o->reliability_unknown : o->annotator_reliabilities[a];
        if (!(h > 0.0) || h > 1.0) {
            return err_set(err, ERR_CONFIG,
                           "the reliability of annotator %" PRId64 " (0: nobody in particular) is "
                           "%g, outside (0, 1]",
                           a + 1, h);
        }
    }
    return ERR_OK;
}

static enum err_code check_comparison(const struct builder *b, int64_t c, struct error *err) {
    const struct comparison_set *set = b->set;
    int64_t begin = set->starts[c], end = set->starts[c + 1];
    if (!(set->weights[c] > 0.0) || !isfinite(set->weights[c])) {
        return err_set(err, ERR_DATA, "comparison %" PRId64 " has weight %g; expected one above 0",
                       set->comparison_ids[c], set->weights[c]);
    }
    double margin = margin_of(b, c, end - begin);
    if (!(margin >= 0.0) || !isfinite(margin)) {
        return err_set(err, ERR_DATA,
                       "comparison %" PRId64 " has margin %g, which says that the worse is better; "
                       "correct it, or do not use margins",
                       set->comparison_ids[c], set->margins[c]);
    }
    int32_t block = set->item_blocks[set->items[begin]];
    bool is_in_order = c == 0 || set->item_blocks[set->items[set->starts[c - 1]]] <= block;
    for (int64_t m = begin; m < end; m++) {
        is_in_order = is_in_order && set->item_blocks[set->items[m]] == block;
    }
    return is_in_order ? ERR_OK
                       : err_set(err, ERR_DATA,
                                 "comparison %" PRId64 " is not in the order of the prompts, or of "
                                 "more than one; sort the set",
                                 set->comparison_ids[c]);
}

static enum err_code check_something(const struct reward_terms *terms, struct error *err) {
    const struct reward_terms_counts *counts = &terms->counts;
    if (counts->used > 0) {
        return ERR_OK;
    }
    return err_set(err, ERR_DATA,
                   "nothing is left to learn from: of %" PRId64 " comparisons %" PRId64
                   " say nothing without their ties, %" PRId64 " put nothing before anything, and "
                   "of %" PRId64 " the annotator weighs nothing",
                   counts->judgements + counts->rankings + counts->labels, counts->out_tied,
                   counts->out_unordered, counts->out_weightless);
}

/* ---- making ---- */

static enum err_code start_items(const struct comparison_set *set, struct reward_terms *terms,
                                 struct error *err) {
    terms->item_starts = mem_array_zero((size_t)set->block_count + 1, sizeof *terms->item_starts);
    if (!terms->item_starts) {
        return err_oom(err, "terms of prompts");
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        if (i > 0 && set->item_blocks[i - 1] > set->item_blocks[i]) {
            return err_set(err, ERR_DATA,
                           "item %" PRId64 " is not in the order of the prompts; sort the set", i);
        }
        terms->item_starts[set->item_blocks[i] + 1]++;
    }
    for (int64_t b = 0; b < set->block_count; b++) {
        int64_t items = terms->item_starts[b + 1];
        terms->rankings.item_count =
            items > terms->rankings.item_count ? items : terms->rankings.item_count;
        terms->item_starts[b + 1] += terms->item_starts[b];
    }
    terms->rankings.block_count = 1;
    return ERR_OK;
}

/* Room for all terms of the set, were none merged. */
static enum err_code allocate(struct builder *b, struct error *err) {
    const struct comparison_set *set = b->set;
    struct reward_terms *terms = b->terms;
    struct comparison_set *rankings = &terms->rankings;
    int64_t pairs = 0, ranked = 0, members = 0;
    for (int64_t c = 0; c < set->count; c++) {
        int64_t size = set->starts[c + 1] - set->starts[c];
        bool is_whole = size > 2 && !b->options->split_rankings;
        pairs += is_whole ? 0 : size * (size - 1) / 2;
        ranked += is_whole;
        members += is_whole ? size : 0;
    }
    size_t blocks = (size_t)set->block_count, r = (size_t)ranked, m = (size_t)members;
    terms->pair_starts = mem_array_zero(blocks + 1, sizeof *terms->pair_starts);
    terms->ranking_starts = mem_array_zero(blocks + 1, sizeof *terms->ranking_starts);
    terms->weights = mem_array_zero(blocks, sizeof *terms->weights);
    terms->pairs = mem_array((size_t)pairs, sizeof *terms->pairs);
    rankings->starts = mem_array_zero(r + 1, sizeof *rankings->starts);
    rankings->weights = mem_array(r, sizeof *rankings->weights);
    rankings->last_unordered = mem_array(r, sizeof *rankings->last_unordered);
    rankings->items = mem_array(m, sizeof *rankings->items);
    rankings->ranks = mem_array(m, sizeof *rankings->ranks);
    terms->labels =
        set->good ? mem_array_zero((size_t)set->item_count, sizeof *terms->labels) : NULL;
    b->records = mem_array((size_t)pairs, sizeof *b->records);
    b->rankings = mem_array(r, sizeof *b->rankings);
    b->members = mem_array(m, 2 * sizeof *b->members);
    bool made = terms->pair_starts && terms->ranking_starts && terms->weights && terms->pairs &&
                rankings->starts && rankings->weights && rankings->last_unordered &&
                rankings->items && rankings->ranks && b->records && b->rankings && b->members &&
                (terms->labels || !set->good);
    return made ? ERR_OK : err_oom(err, "terms of prompts");
}

/* Takes in the comparisons of the next block, from `c` on, and returns in it where they end. */
static enum err_code add_block(struct builder *b, int64_t *c, struct error *err) {
    const struct comparison_set *set = b->set;
    int64_t block = b->terms->block_count;
    b->record_count = b->ranking_count = b->member_count = 0;
    for (; *c < set->count && set->item_blocks[set->items[set->starts[*c]]] == block; ++*c) {
        TRY(take(b, *c, err));
    }
    merge_pairs(b);
    merge_rankings(b);
    weigh_block(set, b->terms, block);
    b->terms->block_count++;
    return ERR_OK;
}

enum err_code reward_terms_make(const struct comparison_set *set,
                                const struct reward_terms_options *options,
                                struct reward_terms *out_terms, struct error *err) {
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    SCOPED(builder) struct builder b = {.set = set, .options = options, .terms = &terms};
    terms.options = *options;
    terms.options.annotator_weights = terms.options.annotator_reliabilities = NULL;
    TRY(check_options(set, options, err));
    for (int64_t c = 0; c < set->count; c++) {
        TRY(check_comparison(&b, c, err));
    }
    TRY(start_items(set, &terms, err));
    TRY(allocate(&b, err));
    for (int64_t c = 0; terms.block_count < set->block_count;) {
        TRY(add_block(&b, &c, err));
    }
    if (options->count == REWARD_COUNT_PROMPTS) {
        count_prompts(set, &terms);
    }
    terms.weight = sum_weights(terms.weights, terms.block_count);
    TRY(check_something(&terms, err));
    *out_terms = terms;
    terms = (struct reward_terms)REWARD_TERMS_INIT;
    return ERR_OK;
}

void reward_terms_deinit(struct reward_terms *terms) {
    mem_free(terms->item_starts);
    mem_free(terms->pair_starts);
    mem_free(terms->pairs);
    mem_free(terms->labels);
    mem_free(terms->ranking_starts);
    comparison_set_deinit(&terms->rankings);
    mem_free(terms->weights);
    *terms = (struct reward_terms)REWARD_TERMS_INIT;
}

const char *reward_count_name(enum reward_count count) {
    static const char *const names[] = {
#define REWARD_COUNT_TEXT(name, text) [REWARD_COUNT_##name] = (text),
        REWARD_COUNTS(REWARD_COUNT_TEXT)
#undef REWARD_COUNT_TEXT
    };
    return names[count];
}
