/* shell_word.h - words of a command line that somebody may paste into a shell.
 *
 * Use:      strbuf_add_char(&line, ' ');
 *           shell_word_add(&line, "it's");   // 'it'\''s'
 * Threads:  no state.
 */
#ifndef BASE_SHELL_WORD_H
#define BASE_SHELL_WORD_H

#include "base/strbuf.h"

/* Appends the word, in single quotes where a POSIX shell would read more into it. */
void shell_word_add(struct strbuf *out, const char *word);

#endif
