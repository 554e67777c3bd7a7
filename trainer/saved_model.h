/* saved_model.h - a model as trainers save it: whole, or adapters that are merged into the model
 * that they were trained on. In the tensor half.
 *
 * Use:      TRY(saved_model_open("runs/reward/final", &options, &model, err));
 * Threads:  main thread.
 */
#ifndef TRAINER_SAVED_MODEL_H
#define TRAINER_SAVED_MODEL_H

#include "base/hash.h"
#include "policy/model.h"

/* With the head that `options` asks for: none is made new.
 *   fails    ERR_DATA for a model with another head; as weight_source_open, lora_adapter_read and
 *            model_new */
ERR_NODISCARD enum err_code saved_model_open(const char *path, const struct model_options *options,
                                             struct model **out_model, struct error *err);

/* Adds what its weights follow from to a hash: its files' weights, or those of its adapters, which
 * name the model below them. A preset adds nothing: its weights follow from the configuration.
 *   fails    as weight_source_open and hash_file */
ERR_NODISCARD enum err_code saved_model_hash(const char *path, struct hash_state *state,
                                             struct error *err);

#endif
