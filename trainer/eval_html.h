/* eval_html.h - an evaluation of rewards as a page: one file, no scripts, nothing from elsewhere.
 *
 * Use:      TRY(eval_html(&e, &text, err));
 * Page:     light or dark as the reader's system is; readable without colour, on narrow screens and
 *           on paper; well-formed XML, too. The same bytes for the same input.
 * Threads:  no state.
 */
#ifndef TRAINER_EVAL_HTML_H
#define TRAINER_EVAL_HTML_H

#include "base/error.h"
#include "base/strbuf.h"
#include "trainer/reward_evaluation.h"

/* Appends to `out`. */
ERR_NODISCARD enum err_code eval_html(const struct reward_evaluation *e, struct strbuf *out,
                                      struct error *err);

#endif
