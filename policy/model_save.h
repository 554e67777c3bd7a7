/* model_save.h - a trained model as files that transformers and PEFT load, checked before success
 * is declared.
 *
 * Use:      TRY(model_save(model, &(struct model_save_options){.folder = "runs/7/final",
 *                          .dtype = WEIGHT_BF16, .tokenizer = tok}, err));
 * Writes:   with adapters, adapter_model.safetensors and adapter_config.json (PEFT); else a Hugging
 *           Face folder (policy/weight_writer.h). The tokenizer's files beside either.
 * Checked:  the folder is opened again. Of a whole model logits of a probe, or the scores of its
 * beginnings, are computed from what was read: the same bits where both sides are f32, else within
 * MODEL_SAVE_TOLERANCE of the largest, which is what rounding does. Of an adapter what it adds to
 * each weight is compared, and score.weight.
 * Scores:   transformers scores the last token that is not pad_token_id, so a whole model of scores
 * needs one that ends no text (model_set_pad). Files of adapters say nothing of it: whoever loads
 * one on its base by PEFT must set it.
 * Atomic:   the folder gets its name when it is whole and has been compared; a failure leaves
 *           nothing, a kill "<folder>.tmp", which the next save replaces (base/folder.h).
 * Threads:  as the model.
 */
#ifndef POLICY_MODEL_SAVE_H
#define POLICY_MODEL_SAVE_H

#include "base/error.h"
#include "policy/model.h"
#include "policy/weight_source.h"

/* Eight bits of mantissa round by 2^-9 relative; through some thirty layers errors of that size add
 * up at random to a few percent of a logit. A misplaced tensor changes logits by their whole size.
 */
#define MODEL_SAVE_TOLERANCE 0.1

struct tokenizer;

struct model_save_options {
    const char *folder;                /* not there yet, or empty */
    enum weight_dtype dtype;           /* of a whole model; adapters are f32 */
    const struct tokenizer *tokenizer; /* NULL: none */
    const char *base;                  /* of an adapter: what it was trained on */
    /* Files of the caller's own, before the folder gets its name; NULL: none. */
    enum err_code (*add_files)(void *context, const char *folder, struct error *err);
    void *context;
};

/* fails    ERR_USAGE when something stands at `folder`; ERR_VERIFY when what was read back differs;
 *          ERR_IO; ERR_OOM; ERR_DATA for a value that is not finite, and as
 *          model_config_check_pad for a whole model of scores */
ERR_NODISCARD enum err_code model_save(struct model *model,
                                       const struct model_save_options *options, struct error *err);

#endif
