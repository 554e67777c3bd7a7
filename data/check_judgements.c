/* check_judgements.c - comparisons: one pass in the order of prompts, and what is wrong with a
 * single row. */
#include "data/check_judgements.h"

#include "base/scoped.h"

#include <stdlib.h>

#define WEIGHT_FAR 100.0

/* The response whose text this one repeats. */
static int64_t text_of(const struct check *check, int64_t response_id) {
    return (int64_t)check_marks_find(&check->same_text, response_id, (uint64_t)response_id);
}

static int compare_ids(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Whether two members of a comparison have the same text. `ids` is scratch for its members. */
static bool holds_a_text_twice(const struct check *check, const struct check_group *group,
                               const struct check_judgement *judgement, int64_t *ids) {
    const struct check_member *members = group->members + judgement->first;
    for (int64_t i = 0; i < judgement->count; i++) {
        ids[i] = text_of(check, members[i].response_id);
    }
    if (judgement->count > 2) {
        qsort(ids, (size_t)judgement->count, sizeof *ids, compare_ids);
    }
    for (int64_t i = 1; i < judgement->count; i++) {
        if (ids[i] == ids[i - 1]) {
            return true;
        }
    }
    return false;
}

static bool contexts_differ(const struct check *check, const struct check_group *group,
                            const struct check_judgement *judgement) {
    const struct check_member *members = group->members + judgement->first;
    uint64_t first = check_marks_find(&check->before_last, members[0].response_id, 0);
    for (int64_t i = 1; i < judgement->count; i++) {
        if (check_marks_find(&check->before_last, members[i].response_id, 0) != first) {
            return true;
        }
    }
    return false;
}

static enum err_code add_row_example(struct check *check, enum check_finding finding,
                                     const struct check_group *group,
                                     const struct check_judgement *judgement, struct error *err) {
    struct check_place place = check_group_place(check, judgement);
    if (check_has_example_at(check, finding, place)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(check, finding);
    example->place = place;
    if (finding == CHECK_WEIGHT_RANGE) {
        check_example_set_detail(example, "weight %g", judgement->weight);
    }
    return check_excerpt_response(check, group->members[judgement->first].response_id, example,
                                  err);
}

static enum err_code look_at_row(struct check *check, const struct check_group *group,
                                 const struct check_judgement *judgement, int64_t *ids,
                                 struct error *err) {
    if (holds_a_text_twice(check, group, judgement, ids) &&
        check_count(check, CHECK_IDENTICAL_PAIR)) {
        TRY(add_row_example(check, CHECK_IDENTICAL_PAIR, group, judgement, err));
    }
    if (check->before_last.count > 0 && contexts_differ(check, group, judgement) &&
        check_count(check, CHECK_CONTEXT_DIFFERS)) {
        TRY(add_row_example(check, CHECK_CONTEXT_DIFFERS, group, judgement, err));
    }
    bool is_far = judgement->weight > WEIGHT_FAR || judgement->weight < 1.0 / WEIGHT_FAR;
    if (is_far && check_count(check, CHECK_WEIGHT_RANGE)) {
        TRY(add_row_example(check, CHECK_WEIGHT_RANGE, group, judgement, err));
    }
    return ERR_OK;
}

static enum err_code look_at_rows(struct check *check, const struct check_group *group,
                                  struct error *err) {
    SCOPED(mem) int64_t *ids = mem_array((size_t)group->member_count, sizeof *ids);
    if (!ids) {
        return err_oom(err, "members of comparisons");
    }
    for (int64_t i = 0; i < group->count; i++) {
        TRY(look_at_row(check, group, &group->judgements[i], ids, err));
    }
    return ERR_OK;
}

enum err_code check_judgements(struct check *check, struct error *err) {
    SCOPED(check_group) struct check_group group = CHECK_GROUP_INIT;
    SCOPED(check_annotators) struct check_annotators annotators = {.list = NULL};
    SCOPED(check_pairs) struct check_pairs pairs = {.list = NULL};
    SCOPED(check_graph) struct check_graph graph = {.nodes = NULL};
    bool has_group = false;
    TRY(check_annotators_init(check, &annotators, err));
    TRY(check_group_open(check, &group, err));
    TRY(check_group_next(check, &group, &has_group, err));
    while (has_group) {
        TRY(look_at_rows(check, &group, err));
        check_annotators_add(check, &annotators, &group);
        TRY(check_pairs_add(check, &pairs, &annotators, &group, err));
        TRY(check_graph_add(check, &graph, &group, err));
        check_repeats(check, &group);
        TRY(check_group_next(check, &group, &has_group, err));
    }
    static const enum check_finding by_comparison[] = {
        CHECK_CONTRADICTION, CHECK_IDENTICAL_PAIR,  CHECK_REPEATED_JUDGEMENT,
        CHECK_TWO_SOURCES,   CHECK_CONTEXT_DIFFERS, CHECK_WEIGHT_RANGE,
    };
    for (size_t i = 0; i < sizeof by_comparison / sizeof *by_comparison; i++) {
        check->report->results[by_comparison[i]].of = check->report->comparison_count;
    }
    return check_annotators_finish(check, &annotators, err);
}
