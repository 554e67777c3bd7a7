/* config_text.h - what a config table says about itself and about a config.
 *
 * Use:      SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
 *           TRY(config_help(&dpo_table, 80, &text, err));
 * Errors:   ERR_OOM, ERR_LIMIT (the buffer's); `out` then holds a part.
 * Threads:  no state.
 */
#ifndef BASE_CONFIG_TEXT_H
#define BASE_CONFIG_TEXT_H

#include "base/config.h"
#include "base/strbuf.h"

/* Appends a line or more for every key, sections as "section.key", wrapped at `width` columns:
 *     "  beta    strength of the reference term; number in [1e-06, 10], default 0.1" */
ERR_NODISCARD enum err_code config_help(const struct config_table *table, int64_t width,
                                        struct strbuf *out, struct error *err);

/* Appends all values as a JSON object that config_apply_text takes back, and a line end. Loading it
 * gives the same values to the last bit. */
ERR_NODISCARD enum err_code config_dump(const struct config_table *table, const void *config,
                                        struct strbuf *out, struct error *err);

/* Appends " --set SECTION.KEY=VALUE" for each key of a section of the table whose value is not its
 * default: what takes the section over to another command that has it. Not for lists of texts with
 * commas. */
ERR_NODISCARD enum err_code config_settings(const struct config_table *table, const char *section,
                                            const void *config, struct strbuf *out,
                                            struct error *err);

/* Appends the table's section of docs/CONFIG.md: a heading, its help, and a row per key. */
ERR_NODISCARD enum err_code config_markdown(const struct config_table *table, struct strbuf *out,
                                            struct error *err);

#endif
