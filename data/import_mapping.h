/* import_mapping.h - the settings that change what is read from a file, as one text.
 *
 * Use:      SCOPED(strbuf) struct strbuf mapping = STRBUF_INIT(IMPORT_MAPPING_BYTES_MAX);
 *           TRY(import_mapping_write(&settings, &mapping, err));
 * Form:     JSON with sorted keys and only what was given:
 * {"map":{"chosen":"better"},"topic":"tea"},
 *           {} if nothing was. Of the file of texts it holds the SHA-256, since its contents count,
 *           not its name.
 * Why:      the same file with the same mapping is the same import (table source).
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_MAPPING_H
#define DATA_IMPORT_MAPPING_H

#include "base/error.h"
#include "base/strbuf.h"
#include "data/import_format.h"

#define IMPORT_MAPPING_BYTES_MAX ((size_t)1024 * 1024)

/* ERR_IO if the file of texts cannot be read; ERR_USAGE if a role is mapped twice; ERR_DATA for
 * settings that are not UTF-8. */
ERR_NODISCARD enum err_code import_mapping_write(const struct import_settings *settings,
                                                 struct strbuf *out, struct error *err);

#endif
