/* prefix_groups.c - see prefix_groups.h. */
#include "policy/prefix_groups.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <stdlib.h>

struct placed_text {
    struct token_sequence text;
    int64_t index;
};

/* By tokens; a text before those that it is the beginning of, equal ones in the order given. */
static int compare_texts(const void *left, const void *right) {
    const struct placed_text *a = left;
    const struct placed_text *b = right;
    const int64_t common = packed_batch_common(&a->text, &b->text);
    if (common < a->text.count && common < b->text.count) {
        return a->text.ids[common] < b->text.ids[common] ? -1 : 1;
    }
    if (a->text.count != b->text.count) {
        return a->text.count < b->text.count ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

static enum err_code sort_texts(const struct token_sequence *texts, int64_t count,
                                struct prefix_groups *groups, struct error *err) {
    SCOPED(mem) struct placed_text *placed = mem_array((size_t)count, sizeof *placed);
    if (!placed) {
        return err_oom(err, "groups of texts");
    }
    for (int64_t i = 0; i < count; i++) {
        placed[i] = (struct placed_text){.text = texts[i], .index = i};
    }
    qsort(placed, (size_t)count, sizeof *placed, compare_texts);
    for (int64_t i = 0; i < count; i++) {
        groups->texts[i] = placed[i].text;
        groups->indices[i] = placed[i].index;
    }
    return ERR_OK;
}

/* The cheapest way to group the first texts. */
struct cut {
    int64_t tokens;   /* to compute */
    int64_t last;     /* where the last group begins */
    int64_t common;   /* tokens that the next text has in common with the last of these */
    int64_t sharable; /* of the next text */
};

/* Over the groups that end before text `end`, from one text on. */
static void find_cut(const struct prefix_groups *groups, int64_t end, int64_t tokens_max,
                     struct cut *cuts) {
    int64_t common = cuts[end - 1].sharable;
    int64_t whole = 0;
    for (int64_t first = end - 1; first >= 0 && end - first <= PREFIX_GROUP_TEXTS; first--) {
        const int64_t others = end - first - 1;
        if (others > 0 && cuts[first + 1].common < common) {
            common = cuts[first + 1].common;
        }
        common = cuts[first].sharable < common ? cuts[first].sharable : common;
        whole += groups->texts[first].count;
        const int64_t tokens = whole - others * common;
        if (others > 0 && (tokens > tokens_max || common < PREFIX_GROUP_TOKENS)) {
            break; /* and so would be a larger group */
        }
        if (others == 0 || cuts[first].tokens + tokens < cuts[end].tokens) {
            cuts[end].tokens = cuts[first].tokens + tokens;
            cuts[end].last = first;
        }
    }
}

/* Where the groups begin, out of the last cut and those before it. */
static void follow_cuts(const struct cut *cuts, int64_t count, struct prefix_groups *groups) {
    groups->count = 0;
    for (int64_t end = count; end > 0; end = cuts[end].last) {
        groups->count++;
    }
    groups->starts[groups->count] = count;
    int64_t group = groups->count;
    for (int64_t end = count; end > 0; end = cuts[end].last) {
        groups->starts[--group] = cuts[end].last;
    }
}

enum err_code prefix_groups_make(enum packed_want want, const struct token_sequence *texts,
                                 int64_t count, int64_t tokens_max, struct prefix_groups *groups,
                                 struct error *err) {
    const size_t n = (size_t)count;
    SCOPED(mem) struct cut *cuts = mem_array_zero(n + 1, sizeof *cuts);
    groups->texts = mem_array(n, sizeof *groups->texts);
    groups->indices = mem_array(n, sizeof *groups->indices);
    groups->starts = mem_array(n + 1, sizeof *groups->starts);
    if (!cuts || !groups->texts || !groups->indices || !groups->starts) {
        return err_oom(err, "groups of texts");
    }
    TRY(sort_texts(texts, count, groups, err));
    for (int64_t end = 1; end <= count; end++) {
        cuts[end - 1].sharable = packed_batch_sharable(want, &groups->texts[end - 1]);
        if (end < count) {
            cuts[end].common = packed_batch_common(&groups->texts[end - 1], &groups->texts[end]);
        }
        find_cut(groups, end, tokens_max, cuts);
    }
    follow_cuts(cuts, count, groups);
    return ERR_OK;
}

void prefix_groups_deinit(struct prefix_groups *groups) {
    mem_free(groups->texts);
    mem_free(groups->indices);
    mem_free(groups->starts);
    *groups = (struct prefix_groups)PREFIX_GROUPS_INIT;
}
