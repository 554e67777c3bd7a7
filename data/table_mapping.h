/* table_mapping.h - which column of a table plays which role, by the user's word or by its name.
 *
 * Use:      SCOPED(table_mapping) struct table_mapping mapping = TABLE_MAPPING_INIT;
 *           TRY(table_mapping_open(header, &mapping, err));
 *           int64_t column = mapping.columns[TABLE_WINNER];      // below 0: nothing plays it
 *           switch (mapping.layout->reading) { ... }
 * Roles:    TABLE_ROLES (table_layout.h).
 * Names:    match without regard to case, with '.', '-', and spaces as '_', without a '#' in front
 *           and without what stands in parentheses. A name with "_id" behind it says that the cells
 *           hold ids of texts.
 * Layouts:  a table is understood when its columns play all roles that one layout needs. Roles that
 *           the user has given stand, and only layouts that know them are tried.
 * Map:      `role=column` with the column's exact name; `role=` for none; `ranking=rank*` and
 *           `ratings=judge*` for all columns that begin so.
 * Errors:   ERR_USAGE for a role or column that is not there, with the nearest that is; ERR_DATA
 *           for a header that fits no layout, saying what is missing, and for two columns of one
 *           name of which one plays a role.
 * Owns:     `many`. The names in the header are borrowed for the calls only.
 * Threads:  no state.
 */
#ifndef DATA_TABLE_MAPPING_H
#define DATA_TABLE_MAPPING_H

#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "data/import_format.h"
#include "data/table_layout.h"

#include <stdbool.h>
#include <stdint.h>

struct table_mapping {
    const struct table_layout *layout; /* static */
    int64_t columns[TABLE_ROLE_COUNT]; /* index, or below 0 */
    bool by_id;                        /* a subject's column is named as one of ids */
    bool prompt_by_id;
    int64_t *many; /* [many_count] columns of `ranking` or `ratings`, in order; owned */
    int64_t many_count;
};

#define TABLE_MAPPING_INIT \
    { .layout = NULL, .many = NULL }

/* For `--format auto`: whether the header, with the mapping of its settings, is understood.
 * `mapping` gets everything but `many`, of which only the count is set. Allocates nothing. */
bool table_mapping_recognise(const struct import_table_row *header, struct table_mapping *mapping);

ERR_NODISCARD enum err_code table_mapping_open(const struct import_table_row *header,
                                               struct table_mapping *out_mapping,
                                               struct error *err);
void table_mapping_close(struct table_mapping *mapping);

/* "home 'home_team', away 'away_team', ...", for people. */
void table_mapping_describe(const struct table_mapping *mapping,
                            const struct import_table_row *header, struct strbuf *out);

/* "city, country": columns that play no role. */
void table_mapping_describe_unused(const struct table_mapping *mapping,
                                   const struct import_table_row *header, struct strbuf *out);

static inline void table_mapping_scoped_end(struct table_mapping *mapping) {
    table_mapping_close(mapping);
}

#endif
