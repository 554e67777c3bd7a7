/* prefix_groups.h - texts sorted into groups that share what they begin with.
 *
 * Use:      SCOPED(prefix_groups) struct prefix_groups groups = PREFIX_GROUPS_INIT;
 *           TRY(prefix_groups_make(PACKED_ENDS, texts, count, 2048, &groups, err));
 *           for (int64_t g = 0; g < groups.count; g++) {
 *               const int64_t first = groups.starts[g];
 *               packed_batch_add_texts(batch, PACKED_ENDS, groups.texts + first,
 *                                      groups.starts[g + 1] - first, err)
 *           }
 * Finds:    groups of few tokens to compute, a group's common prefix being computed once. Tokens
 *           decide, so answers share a prompt whoever brings them. Sorted by their tokens, texts
 *           with a common prefix are neighbours; the groups are the cheapest cut of that order, by
 *           dynamic programming. (Groups within others could be cheaper still, where the prefix of
 *           some is the beginning of that of others.) A group has at most PREFIX_GROUP_TEXTS, as
 *           more save little, and at least PREFIX_GROUP_TOKENS in common: attention is shared out
 *           by groups, which should not become large for the sake of a template's first words.
 * Cost:     O(n log n) comparisons of texts, O(n PREFIX_GROUP_TEXTS) numbers.
 * Owns:     its arrays; the ids are borrowed from the texts.
 * Threads:  no state.
 */
#ifndef POLICY_PREFIX_GROUPS_H
#define POLICY_PREFIX_GROUPS_H

#include "base/error.h"
#include "policy/packed_batch.h"

#include <stdint.h>

#define PREFIX_GROUP_TEXTS  64
#define PREFIX_GROUP_TOKENS 32

struct prefix_groups {
    struct token_sequence *texts; /* [texts], group by group */
    int64_t *indices;             /* [texts]: each one's place among those given */
    int64_t *starts;              /* [count + 1]: where in `texts` a group begins */
    int64_t count;
};

#define PREFIX_GROUPS_INIT \
    { .texts = NULL, .indices = NULL, .starts = NULL, .count = 0 }

/* Groups for packed_batch_add_texts of at most `tokens_max` tokens, the prefix counted once; a
 * longer text is one of its own. Fills what PREFIX_GROUPS_INIT made.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code prefix_groups_make(enum packed_want want,
                                               const struct token_sequence *texts, int64_t count,
                                               int64_t tokens_max, struct prefix_groups *groups,
                                               struct error *err);
void prefix_groups_deinit(struct prefix_groups *groups);

static inline void prefix_groups_scoped_end(struct prefix_groups *groups) {
    prefix_groups_deinit(groups);
}

#endif
