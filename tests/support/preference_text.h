/* preference_text.h - preferences and works as short lines, for tests that compare them whole.
 *
 * Use:      SCOPED(strbuf) struct strbuf text = STRBUF_INIT(64 * 1024);
 *           preference_text_add_batch(&text, batch);
 *           assert_string_equal(strbuf_text(&text),
 *                               "3 comparison 'Tea?' | 1 'Yes.' | 2 'No.' by ann\n");
 * Form:     one line each: line of the source, kind, prompt, then one "| rank response" each.
 *             prompt    'text', [user 'Hi'; assistant 'Yo'] for chat, {football} for items,
 *                       and #topic behind it
 *             response  1@2 'text' ~gpt: rank 1, shown second, origin gpt; a rank of 0, a position
 *                       of 0 and an absent origin are left out; messages as in a prompt
 *             ends      value 3 of [0, 4]; good; bad; unordered; by ann (experts); aspect safer;
 *                       weight 2; margin 0.5; at 1700000000000: in this order, where they are set
 *           Line ends, tabs and quotes within text are written \n, \t and \'.
 */
#ifndef TESTS_SUPPORT_PREFERENCE_TEXT_H
#define TESTS_SUPPORT_PREFERENCE_TEXT_H

#include "base/strbuf.h"
#include "data/import_batch.h"
#include "data/preference.h"

/* Without a line end. */
void preference_text_add(struct strbuf *out, const struct preference *row);
void preference_text_add_work(struct strbuf *out, const struct preference_work *work);

/* All rows, then all works, each with a line end. */
void preference_text_add_batch(struct strbuf *out, const struct import_batch *batch);

#endif
