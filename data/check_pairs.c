/* check_pairs.c - all verdicts on each pair of responses: who contradicts themselves, and how far
 * people disagree. */
#include "base/array.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "data/check_judgements.h"

#include <stdlib.h>
#include <string.h>

/* One comparison's word on one pair of responses. */
struct check_verdict {
    int64_t low, high; /* response ids, low < high */
    uint64_t aspect;
    int64_t annotator_id;
    int64_t judgement; /* index in the group; ascending with its id */
    int sign;          /* 1: low is better, -1: high is, 0: a tie */
};

void check_pairs_deinit(struct check_pairs *pairs) {
    mem_free(pairs->list);
    *pairs = (struct check_pairs){.list = NULL};
}

static enum err_code append(struct check_pairs *pairs, struct check_verdict verdict,
                            struct error *err) {
    TRY(array_reserve(ARRAY_REF(pairs->list), &pairs->capacity, pairs->count + 1,
                      "verdicts on pairs", err));
    pairs->list[pairs->count++] = verdict;
    return ERR_OK;
}

static enum err_code add_pair(struct check_pairs *pairs, const struct check_group *group,
                              int64_t index, const struct check_member *left,
                              const struct check_member *right, struct error *err) {
    const struct check_judgement *judgement = &group->judgements[index];
    bool tie = check_group_is_tie(group, judgement, left, right);
    if (left->response_id == right->response_id || (left->rank == right->rank && !tie)) {
        return ERR_OK;
    }
    bool ascending = left->response_id < right->response_id;
    const struct check_member *low = ascending ? left : right, *high = ascending ? right : left;
    struct check_verdict verdict = {
        .low = low->response_id,
        .high = high->response_id,
        .aspect = judgement->aspect,
        .annotator_id = judgement->annotator_id,
        .judgement = index,
        .sign = (low->rank < high->rank) - (low->rank > high->rank),
    };
    return append(pairs, verdict, err);
}

static enum err_code add_judgement(struct check_pairs *pairs, const struct check_group *group,
                                   int64_t index, struct error *err) {
    const struct check_judgement *judgement = &group->judgements[index];
    const struct check_member *members = group->members + judgement->first;
    int64_t count = judgement->count < CHECK_RANKING_MAX ? judgement->count : CHECK_RANKING_MAX;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = i + 1; j < count; j++) {
            TRY(add_pair(pairs, group, index, &members[i], &members[j], err));
        }
    }
    return ERR_OK;
}

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_questions(const struct check_verdict *a, const struct check_verdict *b) {
    int order = compare_i64(a->low, b->low);
    order = order ? order : compare_i64(a->high, b->high);
    return order ? order : (a->aspect > b->aspect) - (a->aspect < b->aspect);
}

static int compare_verdicts(const void *left, const void *right) {
    const struct check_verdict *a = left, *b = right;
    int order = compare_questions(a, b);
    order = order ? order : compare_i64(a->annotator_id, b->annotator_id);
    return order ? order : compare_i64(a->judgement, b->judgement);
}

static void add_contradiction(struct check *check, const struct check_group *group,
                              const struct check_judgement *judgement,
                              const struct check_verdict *before) {
    struct check_place place = check_group_place(check, judgement);
    if (check_count(check, CHECK_CONTRADICTION) &&
        !check_has_example_at(check, CHECK_CONTRADICTION, place)) {
        struct check_example *example = check_example_add(check, CHECK_CONTRADICTION);
        example->place = place;
        example->other = check_group_place(check, &group->judgements[before->judgement]);
    }
}

/* Verdicts of one annotator on one pair, in the order in which they were given: each that is
 * opposite to the one before it contradicts. */
static void find_contradictions(struct check *check, struct check_group *group,
                                const struct check_verdict *run, int64_t count) {
    const struct check_verdict *before = NULL; /* the last strict one */
    for (int64_t i = 0; i < count; i++) {
        struct check_judgement *judgement = &group->judgements[run[i].judgement];
        bool opposite = before && before->sign * run[i].sign < 0;
        if (opposite && !judgement->contradicts) {
            judgement->contradicts = true;
            add_contradiction(check, group, judgement, before);
        }
        before = run[i].sign != 0 ? &run[i] : before;
    }
}

/* Every annotator's strict verdicts against the majority of everybody else's. */
static void note_agreement(struct check_annotators *annotators, const struct check_verdict *run,
                           int64_t count, int64_t balance) {
    for (int64_t first = 0, last = 0; first < count; first = last) {
        int64_t own = 0, strict = 0;
        while (last < count && run[last].annotator_id == run[first].annotator_id) {
            own += run[last].sign;
            strict += run[last].sign != 0;
            last++;
        }
        struct check_annotator *annotator =
            check_annotators_find(annotators, run[first].annotator_id);
        int64_t others = balance - own;
        if (!annotator || strict != 1 || others == 0) {
            continue;
        }
        annotator->judged++;
        annotator->agreed += (own > 0) == (others > 0);
    }
}

static void add_disagreement(struct check *check, const struct check_group *group,
                             const struct check_verdict *run, int64_t count, int64_t for_low,
                             int64_t for_high) {
    const struct check_verdict *one = NULL, *opposite = NULL;
    for (int64_t i = 0; i < count; i++) {
        one = run[i].sign > 0 && !one ? &run[i] : one;
        opposite = run[i].sign < 0 && !opposite ? &run[i] : opposite;
    }
    ASSERT(one); /* for_low and for_high count them */
    ASSERT(opposite);
    struct check_place place = check_group_place(check, &group->judgements[one->judgement]);
    if (check_has_example_at(check, CHECK_DISAGREEMENT, place)) {
        return;
    }
    struct check_example *example = check_example_add(check, CHECK_DISAGREEMENT);
    check_example_set_detail(example, "%lld against %lld", (long long)for_low, (long long)for_high);
    example->place = place;
    example->other = check_group_place(check, &group->judgements[opposite->judgement]);
}

/* Each annotator's verdicts on one pair. */
static void look_for_contradictions(struct check *check, struct check_group *group,
                                    const struct check_verdict *run, int64_t count) {
    for (int64_t first = 0, last = 0; first < count; first = last) {
        while (last < count && run[last].annotator_id == run[first].annotator_id) {
            last++;
        }
        if (run[first].annotator_id != 0 && last - first > 1) {
            find_contradictions(check, group, run + first, last - first);
        }
    }
}

/* All verdicts on one pair. */
static void look_at_pair(struct check *check, struct check_annotators *annotators,
                         struct check_group *group, const struct check_verdict *run,
                         int64_t count) {
    struct check_result *result = &check->report->results[CHECK_DISAGREEMENT];
    int64_t for_low = 0, for_high = 0;
    for (int64_t i = 0; i < count; i++) {
        for_low += run[i].sign > 0;
        for_high += run[i].sign < 0;
    }
    note_agreement(annotators, run, count, for_low - for_high);
    bool wanted = check_wants(check, CHECK_DISAGREEMENT);
    if (wanted && for_low + for_high >= 2) {
        result->of += for_low + for_high;
        result->count += for_low < for_high ? for_low : for_high;
    }
    if (for_low == 0 || for_high == 0) {
        return;
    }
    look_for_contradictions(check, group, run, count);
    if (wanted && result->example_count < check->options->examples) {
        add_disagreement(check, group, run, count, for_low, for_high);
    }
}

enum err_code check_pairs_add(struct check *check, struct check_pairs *pairs,
                              struct check_annotators *annotators, struct check_group *group,
                              struct error *err) {
    pairs->count = 0;
    if (group->count < 2) {
        return ERR_OK;
    }
    for (int64_t i = 0; i < group->count; i++) {
        TRY(add_judgement(pairs, group, i, err));
    }
    if (pairs->count > 1) {
        qsort(pairs->list, (size_t)pairs->count, sizeof *pairs->list, compare_verdicts);
    }
    for (int64_t first = 0, last = 0; first < pairs->count; first = last) {
        while (last < pairs->count &&
               compare_questions(&pairs->list[last], &pairs->list[first]) == 0) {
            last++;
        }
        look_at_pair(check, annotators, group, pairs->list + first, last - first);
    }
    return ERR_OK;
}
