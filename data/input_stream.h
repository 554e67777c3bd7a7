/* input_stream.h - a file from outside, read from front to back: plain or gzip, hashed as it lies
 * on the disk.
 *
 * Use:      SCOPED(input_stream) struct input_stream *in = NULL;
 *           TRY(input_stream_open("pairs.jsonl.gz", &in, err));
 *           bool has_more = true;
 *           while (has_more) {
 *               struct text_span ready = input_stream_ready(in);
 *               ... look at it, take what is whole ...
 *               input_stream_skip(in, taken);
 *               TRY(input_stream_more(in, &has_more, err));
 *           }
 *           TRY(input_stream_finish(in, &digest, &bytes, err));
 *
 *           Rows are read by json_rows.h, table_rows.h and line_rows.h, which stand on this.
 * Accepts:  "-" for standard input, pipes, plain text, gzip of one or several members (recognised
 *           by its first bytes, not by the name), a UTF-8 byte order mark, which is dropped.
 * Errors:   ERR_IO for the disk. ERR_DATA for what is no text (UTF-16, other compressions,
 *           archives, Parquet) with the remedy, for a gzip file that is cut or damaged, and for a
 *           row beyond the limit. ERR_INTERRUPTED after a signal (base/interrupt.h). ERR_OOM.
 * Owns:     the descriptor (not that of standard input) and one window of bytes, which grows to
 *           the longest row. zlib is called here only, and allocates through base/mem.h.
 * Threads:  one.
 */
#ifndef DATA_INPUT_STREAM_H
#define DATA_INPUT_STREAM_H

#include "base/error.h"
#include "base/hash.h"
#include "data/text_span.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest row of any format: a line of JSON, an object of an array, a record of a table. The window
 * may hold as much and one more read. */
#define INPUT_ROW_BYTES_MAX ((size_t)64 * 1024 * 1024)

#define INPUT_STREAM_STDIN "-"

struct input_stream;

/* `path` is copied; `*out_stream` is owned. */
ERR_NODISCARD enum err_code input_stream_open(const char *path, struct input_stream **out_stream,
                                              struct error *err);

/* A file that is in memory already, for tests; `bytes` is borrowed until closed, `name` copied. */
ERR_NODISCARD enum err_code input_stream_open_bytes(const char *bytes, size_t count,
                                                    const char *name,
                                                    struct input_stream **out_stream,
                                                    struct error *err);
void input_stream_close(struct input_stream *in);

/* The path as given, or "standard input": what stands in front of ":17:23". */
const char *input_stream_name(const struct input_stream *in);

/* Text that has been read and not been skipped. Borrowed until the next more, skip or rewind. */
struct text_span input_stream_ready(const struct input_stream *in);

/* Reads some more behind what is ready. `*out_has_more` is false at the end of the file, and then
 * nothing has been added.
 *   fails    ERR_DATA when a gzip file is cut or damaged, and when more than INPUT_ROW_BYTES_MAX
 *            are ready: readers skip an overlong row piece by piece instead; ERR_INTERRUPTED */
ERR_NODISCARD enum err_code input_stream_more(struct input_stream *in, bool *out_has_more,
                                              struct error *err);

/* Drops the first `count` bytes of what is ready. */
void input_stream_skip(struct input_stream *in, size_t count);

/* From here on what is skipped is kept, so that the stream can go back here once: a look at the
 * first rows, before it is known how to read them. */
void input_stream_mark(struct input_stream *in);
void input_stream_rewind(struct input_stream *in);

/* Bytes read from the disk so far: for progress. */
int64_t input_stream_bytes_read(const struct input_stream *in);

/* Reads and drops the rest. The digest and the size are of the file as it lies on the disk. */
ERR_NODISCARD enum err_code input_stream_finish(struct input_stream *in,
                                                struct hash_digest *out_digest, int64_t *out_bytes,
                                                struct error *err);

/* Version of the linked zlib library, such as "1.2.13". Static. */
const char *input_stream_library_version(void);

static inline void input_stream_scoped_end(struct input_stream **in) {
    input_stream_close(*in);
}

#endif
