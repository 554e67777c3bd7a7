/* text_batches.c - see text_batches.h. */
#include "policy/text_batches.h"

#include "base/mem.h"
#include "policy/micro_batch_plan.h"

#include <stdlib.h>

/* A group's place among those made, and the tokens to compute for it. */
struct ranked_group {
    int64_t group;
    int64_t tokens;
};

/* Longest first. */
static int compare_groups(const void *left, const void *right) {
    const struct ranked_group *a = left;
    const struct ranked_group *b = right;
    if (a->tokens != b->tokens) {
        return a->tokens > b->tokens ? -1 : 1;
    }
    return a->group < b->group ? -1 : 1;
}

static int64_t members_of(const struct prefix_groups *groups, int64_t group) {
    return groups->starts[group + 1] - groups->starts[group];
}

static void rank_groups(struct text_batches *batches) {
    const struct prefix_groups *groups = &batches->groups;
    for (int64_t g = 0; g < groups->count; g++) {
        const struct token_sequence *first = &groups->texts[groups->starts[g]];
        batches->ranked[g] = (struct ranked_group){
            .group = g,
            .tokens = packed_batch_tokens_of(batches->options.want, first, members_of(groups, g))};
    }
    qsort(batches->ranked, (size_t)groups->count, sizeof *batches->ranked, compare_groups);
    int64_t place = 0;
    for (int64_t r = 0; r < groups->count; r++) {
        const int64_t group = batches->ranked[r].group;
        for (int64_t t = groups->starts[group]; t < groups->starts[group + 1]; t++) {
            batches->places[place++] = groups->indices[t];
        }
    }
}

enum err_code text_batches_init(struct text_batches *batches,
                                const struct text_batches_options *options,
                                const struct token_sequence *texts, int64_t count,
                                struct error *err) {
    batches->options = *options;
    TRY(prefix_groups_make(options->want, texts, count, options->tokens_max, &batches->groups,
                           err));
    batches->ranked = mem_array((size_t)batches->groups.count, sizeof *batches->ranked);
    batches->places = mem_array((size_t)count, sizeof *batches->places);
    if (!batches->ranked || !batches->places) {
        return err_oom(err, "groups of texts");
    }
    rank_groups(batches);
    return ERR_OK;
}

static int64_t tokens_of(const void *context, int64_t rank, int64_t first) {
    (void)first;
    const struct text_batches *batches = context;
    return batches->ranked[rank].tokens;
}

enum err_code text_batches_next(struct text_batches *batches, struct packed_batch *batch,
                                struct error *err) {
    const struct prefix_groups *groups = &batches->groups;
    const struct micro_batch_plan plan = {.count = groups->count,
                                          .tokens_max = batches->options.tokens_max,
                                          .tokens_of = tokens_of,
                                          .context = batches};
    const int64_t end = micro_batch_end(&plan, batches->next);
    packed_batch_reset(batch);
    for (int64_t r = batches->next; r < end; r++) {
        const int64_t group = batches->ranked[r].group;
        TRY(packed_batch_add_texts(batch, batches->options.want,
                                   groups->texts + groups->starts[group], members_of(groups, group),
                                   err));
    }
    batches->next = end;
    batches->begin = batches->done;
    batches->done += batch->added;
    return packed_batch_fill(batch, PACKED_BATCH_ROWS, batches->options.context, err);
}

void text_batches_deinit(struct text_batches *batches) {
    prefix_groups_deinit(&batches->groups);
    mem_free(batches->ranked);
    mem_free(batches->places);
    *batches = (struct text_batches)TEXT_BATCHES_INIT;
}
