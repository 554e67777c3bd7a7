/* check_repeats.c - judgements that say again what an earlier one said. */
#include "data/check_judgements.h"
#include "data/text_fold.h"

#include <stdlib.h>

/* The sum over members does not depend on their order in the source, which says nothing. */
static uint64_t signature_of(const struct check_group *group,
                             const struct check_judgement *judgement) {
    const struct check_member *members = group->members + judgement->first;
    uint64_t sum = 0;
    for (int64_t i = 0; i < judgement->count; i++) {
        uint64_t response = text_fold_mix((uint64_t)members[i].response_id);
        sum += text_fold_mix(response + (uint64_t)members[i].rank);
    }
    return text_fold_mix(sum ^ judgement->aspect) + (judgement->last_unordered ? 1 : 0);
}

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_judgements(const void *left, const void *right) {
    const struct check_judgement *a = left, *b = right;
    int order = (a->signature > b->signature) - (a->signature < b->signature);
    order = order ? order : compare_i64(a->annotator_id, b->annotator_id);
    order = order ? order : compare_i64(a->source_id, b->source_id);
    return order ? order : compare_i64(a->id, b->id);
}

static int compare_ids(const void *left, const void *right) {
    const struct check_judgement *a = left, *b = right;
    return compare_i64(a->id, b->id);
}

/* Of the judgements that say the same, by the same person, the first of each source is a copy from
 * another one, and the others are copies within it. */
static void mark_copies(const struct check *check, struct check_group *group) {
    const struct check_judgement *first = group->judgements; /* of what is the same */
    for (int64_t i = 1; i < group->count; i++) {
        struct check_judgement *one = &group->judgements[i];
        const struct check_judgement *before = one - 1;
        if (one->signature != before->signature || one->annotator_id != before->annotator_id) {
            first = one;
            continue;
        }
        /* Teams meet again, and the same one wins: nothing was said twice. */
        if (group->is_items && one->annotator_id == 0) {
            continue;
        }
        one->again_elsewhere = one->source_id != before->source_id;
        one->again = check_group_place(check, one->again_elsewhere ? first : before);
    }
}

void check_repeats(struct check *check, struct check_group *group) {
    for (int64_t i = 0; i < group->count; i++) {
        group->judgements[i].signature = signature_of(group, &group->judgements[i]);
    }
    if (group->count < 2) {
        return;
    }
    qsort(group->judgements, (size_t)group->count, sizeof *group->judgements, compare_judgements);
    mark_copies(check, group);
    qsort(group->judgements, (size_t)group->count, sizeof *group->judgements, compare_ids);
    for (int64_t i = 0; i < group->count; i++) {
        const struct check_judgement *one = &group->judgements[i];
        enum check_finding finding =
            one->again_elsewhere ? CHECK_TWO_SOURCES : CHECK_REPEATED_JUDGEMENT;
        struct check_place place = check_group_place(check, one);
        if (!one->again.path || !check_count(check, finding) ||
            check_has_example_at(check, finding, place)) {
            continue;
        }
        struct check_example *example = check_example_add(check, finding);
        example->place = place;
        example->other = one->again;
        if (one->annotator_id == 0) {
            check_example_set_detail(example, "annotator not known");
        }
    }
}
