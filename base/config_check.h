/* config_check.h - is a config table itself right? For the test of each table.
 *
 * Use:      assert_ok(config_table_check(&dpo_table, &err), &err);
 * Threads:  no state.
 */
#ifndef BASE_CONFIG_CHECK_H
#define BASE_CONFIG_CHECK_H

#include "base/config.h"

/* Everything that the FIELD macros cannot check at compile time:
 *   fails    ERR_INTERNAL if a key is repeated, reserved or not in snake_case; if help or a default
 *            is missing; if a range is empty or has no ends; if fields overlap; if there are too
 *            many or too deep ones
 *            ERR_CONFIG if the defaults are refused, each by itself or together
 *            ERR_OOM */
ERR_NODISCARD enum err_code config_table_check(const struct config_table *table, struct error *err);

#endif
