/* stop_ids.h - the tokens that end an answer.
 *
 * Use:      TRY(stop_ids_find(config, tokenizer, template, &stops, err));
 *           if (stop_ids_have(&stops, token)) { ... }
 * Threads:  no state.
 */
#ifndef TRAINER_STOP_IDS_H
#define TRAINER_STOP_IDS_H

#include "base/error.h"
#include "data/chat_template.h"
#include "data/tokenizer.h"
#include "policy/model_config.h"

#include <stdbool.h>
#include <stdint.h>

struct stop_ids {
    int32_t list[MODEL_EOS_MAX + 2]; /* [count], each once */
    int64_t count;
};

/* What ends a text by the files of model and tokenizer, and a turn by the template, if there is
 * one (NULL: none). fails  as chat_stop_id */
ERR_NODISCARD enum err_code stop_ids_find(const struct model_config *config,
                                          const struct tokenizer *tokenizer,
                                          const struct chat_template *template,
                                          struct stop_ids *out, struct error *err);

bool stop_ids_have(const struct stop_ids *stops, int64_t id);

#endif
