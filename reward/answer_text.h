/* answer_text.h - the text of an answer, for rewards that look at nothing else.
 *
 * Use:      TRY(answer_text(items[i].response, &scratch, &text, err));
 * Meaning:  of an answer of several turns, what the assistant said, the turns joined by an empty
 *           line: what the user said in between is not the answer.
 * Threads:  no state.
 */
#ifndef REWARD_ANSWER_TEXT_H
#define REWARD_ANSWER_TEXT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "data/preference.h"

#define ANSWER_TEXT_BYTES_MAX (512 * MIB)

/* Borrowed from the answer or from `scratch`.
 *   fails    ERR_DATA for text that is not UTF-8, or where the assistant said nothing at all;
 *            ERR_OOM, ERR_LIMIT */
ERR_NODISCARD enum err_code answer_text(const struct preference_response *response,
                                        struct strbuf *scratch, struct text_span *out,
                                        struct error *err);

/* "answer 3 of 8: " before the message of a failure; passes ERR_OK through. */
enum err_code answer_wrap(struct error *err, enum err_code code, int64_t index, int64_t count);

#endif
