/* tensorboard.c - see tensorboard.h. */
#include "base/tensorboard.h"

#include "base/crc32c.h"
#include "base/file.h"
#include "base/file_writer.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVENT_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define BUFFER_BYTES     ((size_t)64 * 1024)
#define PATH_BYTES_MAX   ((size_t)8 * 1024)
#define HOST_BYTES       256
#define FILES_PER_SECOND 1000

struct tensorboard {
    const struct clock *clock;
    struct file_writer writer;
    struct strbuf event; /* scratch: kept for its capacity */
    struct strbuf inner; /* scratch: a message inside the event's */
};

/* --- protocol buffers (protobuf.dev, "Encoding") --- */

/* Field numbers of the messages used here. */
enum {
    EVENT_WALL_TIME = 1,
    EVENT_STEP = 2,
    EVENT_FILE_VERSION = 3,
    EVENT_SUMMARY = 5,
    EVENT_SESSION_LOG = 7,
    SUMMARY_VALUE = 1,
    VALUE_TAG = 1,
    VALUE_SIMPLE_VALUE = 2,
    VALUE_TENSOR = 8,
    VALUE_METADATA = 9,
    METADATA_PLUGIN_DATA = 1,
    PLUGIN_DATA_NAME = 1,
    TENSOR_DTYPE = 1,
    TENSOR_SHAPE = 2,
    TENSOR_STRING_VAL = 8,
    SHAPE_DIM = 2,
    DIM_SIZE = 1,
    SESSION_LOG_STATUS = 1,
};

enum { DTYPE_STRING = 7, SESSION_STATUS_START = 1 };

enum wire_type { WIRE_VARINT = 0, WIRE_64_BIT = 1, WIRE_BYTES = 2, WIRE_32_BIT = 5 };

static void add_varint(struct strbuf *out, uint64_t value) {
    while (value >= 0x80) {
        strbuf_add_char(out, (char)(value | 0x80));
        value >>= 7;
    }
    strbuf_add_char(out, (char)value);
}

static void add_little_endian(struct strbuf *out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        strbuf_add_char(out, (char)(value >> 8 * i & 0xff));
    }
}

static void add_field(struct strbuf *out, int field, enum wire_type type) {
    add_varint(out, (uint64_t)field << 3 | type);
}

static void add_int_field(struct strbuf *out, int field, int64_t value) {
    add_field(out, field, WIRE_VARINT);
    add_varint(out, (uint64_t)value); /* a negative one takes ten bytes, as it should */
}

static void add_double_field(struct strbuf *out, int field, double value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    add_field(out, field, WIRE_64_BIT);
    add_little_endian(out, bits, 8);
}

static void add_float_field(struct strbuf *out, int field, float value) {
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    add_field(out, field, WIRE_32_BIT);
    add_little_endian(out, bits, 4);
}

static void add_bytes_field(struct strbuf *out, int field, const void *bytes, size_t count) {
    add_field(out, field, WIRE_BYTES);
    add_varint(out, count);
    strbuf_add_bytes(out, bytes, count);
}

static void add_text_field(struct strbuf *out, int field, const char *text) {
    add_bytes_field(out, field, text, strlen(text));
}

/* Wraps what `out` has held since `start` as a message field: its length comes first, and is known
 * last. `spare` is overwritten. */
static void wrap_since(struct strbuf *out, size_t start, int field, struct strbuf *spare) {
    strbuf_reset(spare);
    strbuf_add_bytes(spare, strbuf_text(out) + start, out->length - start);
    strbuf_truncate(out, start);
    add_bytes_field(out, field, strbuf_text(spare), spare->length);
    if (out->failure == ERR_OK) {
        out->failure = spare->failure;
    }
}

/* --- records --- */

static void begin_event(struct tensorboard *tb, int64_t step) {
    strbuf_reset(&tb->event);
    add_double_field(&tb->event, EVENT_WALL_TIME, clock_wall_seconds(tb->clock));
    if (step != 0) { /* a default value is left out, as every proto3 writer does */
        add_int_field(&tb->event, EVENT_STEP, step);
    }
}

/* Frames the event as a record and hands it to the system. */
static enum err_code end_event(struct tensorboard *tb, struct error *err) {
    TRY(strbuf_check(&tb->event, "a TensorBoard event", err));
    struct strbuf *record = &tb->inner;
    strbuf_reset(record);
    add_little_endian(record, tb->event.length, 8);
    add_little_endian(record, crc32c_masked(record->bytes, record->length), 4);
    strbuf_add_bytes(record, tb->event.bytes, tb->event.length);
    add_little_endian(record, crc32c_masked(tb->event.bytes, tb->event.length), 4);
    TRY(strbuf_check(record, "a TensorBoard event", err));
    TRY(file_writer_add(&tb->writer, record->bytes, record->length, err));
    return file_writer_flush(&tb->writer, err);
}

static enum err_code add_file_version(struct tensorboard *tb, struct error *err) {
    begin_event(tb, 0);
    add_text_field(&tb->event, EVENT_FILE_VERSION, "brain.Event:2");
    return end_event(tb, err);
}

/* --- life --- */

/* Two runs may start in the same second, and a test opens several from one process: the last number
 * is the first that is free. */
static enum err_code open_new_file(struct tensorboard *tb, const char *folder, struct error *err) {
    char host[HOST_BYTES] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    int64_t seconds = clock_wall_ns(tb->clock) / CLOCK_NS_PER_S;
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    for (int n = 0; n < FILES_PER_SECOND; n++) {
        strbuf_reset(&path);
        strbuf_addf(&path, "%s/events.out.tfevents.%010" PRId64 ".%s.%ld.%d", folder, seconds, host,
                    (long)getpid(), n);
        TRY(strbuf_check(&path, "an event file's name", err));
        if (!file_exists(strbuf_text(&path))) {
            break;
        }
    }
    return file_writer_open(strbuf_text(&path), O_WRONLY | O_CREAT | O_EXCL, BUFFER_BYTES,
                            &tb->writer, err);
}

enum err_code tensorboard_open(const char *folder, const struct clock *clock,
                               struct tensorboard **out_tb, struct error *err) {
    TRY(file_make_folders(folder, err));
    SCOPED(tensorboard) struct tensorboard *tb = mem_alloc(sizeof *tb);
    if (!tb) {
        return err_oom(err, "a TensorBoard writer");
    }
    *tb = (struct tensorboard){.clock = clock,
                               .writer = FILE_WRITER_INIT,
                               .event = STRBUF_INIT(EVENT_BYTES_MAX),
                               .inner = STRBUF_INIT(EVENT_BYTES_MAX)};
    TRY(open_new_file(tb, folder, err));
    TRY(file_sync_folder_of(tb->writer.path, err)); /* a synced file needs its name too */
    TRY(add_file_version(tb, err));
    *out_tb = MOVE(tb);
    return ERR_OK;
}

void tensorboard_close(struct tensorboard *tb) {
    if (tb) {
        file_writer_close(&tb->writer);
        strbuf_deinit(&tb->event);
        strbuf_deinit(&tb->inner);
        mem_free(tb);
    }
}

/* --- events --- */

enum err_code tensorboard_restart(struct tensorboard *tb, int64_t step, struct error *err) {
    begin_event(tb, step);
    size_t start = tb->event.length;
    add_int_field(&tb->event, SESSION_LOG_STATUS, SESSION_STATUS_START);
    wrap_since(&tb->event, start, EVENT_SESSION_LOG, &tb->inner);
    return end_event(tb, err);
}

enum err_code tensorboard_add_scalars(struct tensorboard *tb, int64_t step,
                                      const struct metric *metrics, size_t count,
                                      struct error *err) {
    begin_event(tb, step);
    size_t summary = tb->event.length;
    for (size_t i = 0; i < count; i++) {
        size_t value = tb->event.length;
        add_text_field(&tb->event, VALUE_TAG, metrics[i].key);
        add_float_field(&tb->event, VALUE_SIMPLE_VALUE, (float)metrics[i].value);
        wrap_since(&tb->event, value, SUMMARY_VALUE, &tb->inner);
    }
    wrap_since(&tb->event, summary, EVENT_SUMMARY, &tb->inner);
    return end_event(tb, err);
}

/* A tensor of one string, which the "text" plugin claims by the metadata. */
static void add_text_value(struct strbuf *out, const char *tag, const char *text,
                           struct strbuf *spare) {
    add_text_field(out, VALUE_TAG, tag);
    size_t tensor = out->length;
    add_int_field(out, TENSOR_DTYPE, DTYPE_STRING);
    size_t shape = out->length;
    add_int_field(out, DIM_SIZE, 1);
    wrap_since(out, shape, SHAPE_DIM, spare);
    wrap_since(out, shape, TENSOR_SHAPE, spare);
    add_text_field(out, TENSOR_STRING_VAL, text);
    wrap_since(out, tensor, VALUE_TENSOR, spare);
    size_t metadata = out->length;
    add_text_field(out, PLUGIN_DATA_NAME, "text");
    wrap_since(out, metadata, METADATA_PLUGIN_DATA, spare);
    wrap_since(out, metadata, VALUE_METADATA, spare);
}

enum err_code tensorboard_add_text(struct tensorboard *tb, int64_t step, const char *tag,
                                   const char *text, struct error *err) {
    begin_event(tb, step);
    size_t summary = tb->event.length;
    add_text_value(&tb->event, tag, text, &tb->inner);
    wrap_since(&tb->event, summary, SUMMARY_VALUE, &tb->inner);
    wrap_since(&tb->event, summary, EVENT_SUMMARY, &tb->inner);
    return end_event(tb, err);
}

enum err_code tensorboard_sync(struct tensorboard *tb, struct error *err) {
    return file_writer_sync(&tb->writer, err);
}

const char *tensorboard_path(const struct tensorboard *tb) {
    return tb->writer.path;
}
