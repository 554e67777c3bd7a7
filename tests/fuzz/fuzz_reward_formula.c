/* fuzz_reward_formula.c - formulas of rewards: whatever is read is a tree of sound nodes, has
 * values between what its kind allows, and NaN of any leaf makes NaN; what is refused says where.
 */
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/reward_formula.h"
#include "tests/fuzz/fuzz_target.h"

#include <math.h>
#include <string.h>

static void check_node(const struct reward_formula *f, int64_t index) {
    const struct reward_formula_node *node = &f->nodes[index];
    FUZZ_CHECK(isfinite(node->factor));
    FUZZ_CHECK(index < node->end && node->end <= f->node_count);
    FUZZ_CHECK((node->kind == REWARD_FORMULA_LEAF) == (node->spec != NULL));
    FUZZ_CHECK(node->deviations >= 0.0);
    int64_t members = 0;
    for (int64_t m = index + 1; m < node->end; m = f->nodes[m].end) {
        FUZZ_CHECK(f->nodes[m].end <= node->end);
        members++;
    }
    FUZZ_CHECK(members == node->member_count);
    FUZZ_CHECK((members == 0) == (node->kind == REWARD_FORMULA_LEAF));
}

static void check_values(const struct reward_formula *f) {
    double values[REWARD_FORMULA_NODES_MAX];
    for (int64_t l = 0; l < f->leaf_count; l++) {
        values[l] = 1.0;
    }
    (void)reward_formula_value(f, values);
    for (int64_t l = 0; l < f->leaf_count; l++) {
        values[l] = (double)NAN;
        FUZZ_CHECK(isnan(reward_formula_value(f, values)));
        values[l] = 1.0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    /* Copied, so that a sanitizer sees every byte read beyond. */
    SCOPED(mem) char *text = mem_strndup((const char *)bytes, count);
    FUZZ_CHECK(text != NULL);
    SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
    struct error err = ERROR_INIT;
    enum err_code code = reward_formula_parse(text, &formula, &err);
    if (code != ERR_OK) {
        FUZZ_CHECK(code == ERR_CONFIG || code == ERR_LIMIT);
        FUZZ_CHECK(code != ERR_CONFIG || strstr(err.msg, "at byte ") != NULL);
        return 0;
    }
    int64_t leaves = 0;
    for (int64_t n = 0; n < formula.node_count; n++) {
        check_node(&formula, n);
        leaves += formula.nodes[n].kind == REWARD_FORMULA_LEAF;
    }
    FUZZ_CHECK(leaves == formula.leaf_count && formula.nodes[0].end == formula.node_count);
    check_values(&formula);
    return 0;
}
