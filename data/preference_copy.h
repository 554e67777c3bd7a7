/* preference_copy.h - prompts and answers kept beyond the row that they came in.
 *
 * Use:      SCOPED(arena) struct arena arena = ARENA_INIT(1 * GIB);
 *           TRY(preference_prompt_copy(&record.row.prompt, &arena, &prompt, err));
 * Owns:     nothing: copies live in the arena.
 * Threads:  no state.
 */
#ifndef DATA_PREFERENCE_COPY_H
#define DATA_PREFERENCE_COPY_H

#include "base/arena.h"
#include "base/error.h"
#include "data/preference.h"

/* `*out` with all texts and messages in the arena.
 *   fails    ERR_OOM, also where the arena is full */
ERR_NODISCARD enum err_code preference_prompt_copy(const struct preference_prompt *prompt,
                                                   struct arena *arena,
                                                   struct preference_prompt *out,
                                                   struct error *err);
ERR_NODISCARD enum err_code preference_response_copy(const struct preference_response *response,
                                                     struct arena *arena,
                                                     struct preference_response *out,
                                                     struct error *err);

#endif
