/* decoder_internal.h - the decoder's state, and how it is divided: decoder.c admits, steps and
 * finishes; decoder_group.c keeps prompts with their samples. */
#ifndef POLICY_DECODER_INTERNAL_H
#define POLICY_DECODER_INTERNAL_H

#include "policy/decoder.h"
#include "policy/kv_cache.h"

/* A request: its prompt, read once, and the samples that still have to enter a slot. */
struct decoder_group {
    struct decoder_group *next;     /* submitted later */
    struct decoder_request request; /* with copies of prompt and stops */
    int32_t *prompt;
    int32_t *stops;
    int64_t order;    /* of submission */
    int64_t entered;  /* samples that have had a slot */
    int64_t finished; /* samples done */
    int64_t read;     /* prompt tokens in the cache */
    bool is_reading;  /* a slot reads the prompt for sample 0 */
    int32_t *pages;   /* [prompt pages]; held by the group until the last sample has entered */
    int64_t page_count;
    float *logits; /* [V] behind the prompt, from the start of reading on */
};

/* A finished or running sample. */
struct decoder_node {
    struct decoder_node *next;
    struct decoder_sample sample;
};

enum slot_state { SLOT_FREE, SLOT_READING, SLOT_DECODING };

struct decoder_slot {
    enum slot_state state;
    struct decoder_group *group; /* borrowed */
    struct decoder_node *node;   /* owned */
    struct rng rng;
    int32_t *pages; /* [pages_max] of this sample; shared ones first */
    int64_t page_count;
    int64_t reserved; /* pages it may still take */
    int64_t position; /* tokens in the cache */
};

/* ERR_USAGE: see decoder_submit. */
enum err_code decoder_request_check(const struct decoder_request *request,
                                    const struct model_config *config, int64_t context,
                                    struct error *err);

enum err_code decoder_group_new(const struct decoder_request *request, struct decoder_group **out,
                                struct error *err);
void decoder_group_free(struct decoder_group *group);

enum err_code decoder_node_new(const struct decoder_group *group, int64_t index, int64_t context,
                               struct decoder_node **out, struct error *err);
void decoder_node_free(struct decoder_node *node);

/* Pages that hold the prompt, those of them that are full and so shared by all samples, and the
 * most that a sample can need beside the full ones. */
int64_t decoder_group_prompt_pages(const struct decoder_group *group);
int64_t decoder_group_full_pages(const struct decoder_group *group);
int64_t decoder_group_own_pages(const struct decoder_group *group, int64_t context);

#endif
