/* import_recognise.h - of which format a file is, and by what one sees it.
 *
 * Use:      struct import_recognition found;
 *           TRY(import_recognise(in, &settings, &found, err));
 *           say("recognised as %s: %s", found.format->name, found.why);
 * How:      a text that begins with '{' or '[' is JSON, everything else a table or lines. The
 *           formats are asked in the order of IMPORT_FORMATS, the narrow ones first, about each of
 *           the first rows, until one recognises it; of a table they see the header.
 * Errors:   ERR_DATA when no format does, saying what was seen and what can be done; or what is
 *           wrong with the first row, if no row can be read.
 * Stream:   stands at its beginning again afterwards.
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_RECOGNISE_H
#define DATA_IMPORT_RECOGNISE_H

#include "base/error.h"
#include "data/import_format.h"
#include "data/input_stream.h"

struct import_recognition {
    const struct import_format *format;
    char why[IMPORT_WHY_BYTES]; /* "the keys 'chosen' and 'rejected' hold transcripts" */
};

ERR_NODISCARD enum err_code import_recognise(struct input_stream *in,
                                             const struct import_settings *settings,
                                             struct import_recognition *out_found,
                                             struct error *err);

/* The member of the family of `given` that reads such a file: "works" stands for "works-table" if
 * the text is no JSON. `given` itself if there is none. */
ERR_NODISCARD enum err_code import_recognise_member(struct input_stream *in,
                                                    const struct import_format *given,
                                                    const struct import_format **out_format,
                                                    struct error *err);

/* The same for a folder. `given`, which may be NULL, stands for its "<name>-folder" too.
 *   fails    ERR_USAGE if `given` reads no folders */
ERR_NODISCARD enum err_code import_recognise_folder(const char *path,
                                                    const struct import_format *given,
                                                    struct import_recognition *out_found,
                                                    struct error *err);

#endif
