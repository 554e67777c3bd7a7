/* eval_print.h - an evaluation of rewards as text and as JSON.
 *
 * Use:      eval_print(&e, run->output->bold, &text);
 *           TRY(eval_json(&e, &text, err));
 * Threads:  no state.
 */
#ifndef TRAINER_EVAL_PRINT_H
#define TRAINER_EVAL_PRINT_H

#include "base/error.h"
#include "base/strbuf.h"
#include "trainer/reward_evaluation.h"

#include <stdbool.h>

/* For people, about 100 columns wide. */
void eval_print(const struct reward_evaluation *e, bool bold, struct strbuf *out);

/* One object, with all there is. Figures without a value or an interval are null. */
ERR_NODISCARD enum err_code eval_json(const struct reward_evaluation *e, struct strbuf *out,
                                      struct error *err);

#endif
