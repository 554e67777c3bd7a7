/* import_works_internal.h - what import_works.c and import_works_folder.c share.
 *
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_WORKS_INTERNAL_H
#define DATA_IMPORT_WORKS_INTERNAL_H

#include "base/arena.h"
#include "base/error.h"
#include "data/import_batch.h"
#include "data/text_span.h"

#define IMPORT_WORK_BYTES_MAX (64 * MIB)

/* ERR_DATA with the place of the first byte that is no text, for an empty text, and beyond the
 * limit. */
ERR_NODISCARD enum err_code import_work_check_text(const struct text_span *text, struct error *err);

/* A whole file, checked; ERR_DATA also if there is none. `*out_text` lives as long as the batch. */
ERR_NODISCARD enum err_code import_work_read_file(const char *path, struct import_batch *batch,
                                                  struct text_span *out_text, struct error *err);

#endif
