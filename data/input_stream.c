/* input_stream.c - see input_stream.h. The only caller of zlib. */
#include "data/input_stream.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include <zlib.h>

/* Fits the second-level cache, where the hash, the decoder and the parser meet each byte again. */
#define READ_BYTES       (256 * KIB)
#define PACKED_BYTES     (64 * KIB)
#define WINDOW_BYTES_MAX (INPUT_ROW_BYTES_MAX + 2 * READ_BYTES)

/* Enough of a file to tell what it is. */
#define SNIFF_BYTES 32

/* What is read decompressed, and where decompressing stands. */
enum packing {
    PACKING_NONE,
    PACKING_GZIP_MEMBER, /* inside one */
    PACKING_GZIP_GAP,    /* behind one: another, zeros that pad, or the end */
};

struct input_stream {
    char *name;
    int fd; /* -1: from memory */
    bool fd_is_ours;
    const unsigned char *memory; /* borrowed */
    size_t memory_left;

    struct hash_state hash;
    int64_t bytes_read;
    bool disk_ended; /* nothing more to read from there */

    enum packing packing;
    z_stream inflater;
    bool inflater_open;
    unsigned char *packed; /* PACKED_BYTES; NULL unless gzip */

    char *window;
    size_t read_bytes; /* read at a time */
    size_t capacity;
    size_t kept, start, end; /* ready is [start, end); [kept, start) is for rewinding */
    bool marked;
};

/* Nothing is left, neither on the disk nor packed. */
static bool is_at_end(const struct input_stream *in) {
    bool all_unpacked = in->packing == PACKING_NONE ||
                        (in->packing == PACKING_GZIP_GAP && in->inflater.avail_in == 0);
    return in->disk_ended && all_unpacked;
}

/* ---- bytes from the disk ---- */

/* At every read, so that a file without an end or a line end can be left. */
static enum err_code check_interrupt(const struct input_stream *in, struct error *err) {
    return interrupt_requested()
               ? err_set(err, ERR_INTERRUPTED, "stopped while reading '%s'", in->name)
               : ERR_OK;
}

static enum err_code read_disk(struct input_stream *in, void *bytes, size_t count,
                               size_t *out_count, struct error *err) {
    size_t got = 0;
    TRY(check_interrupt(in, err));
    if (in->fd >= 0) {
        TRY(file_read(in->fd, in->name, bytes, count, &got, err));
    } else {
        got = in->memory_left < count ? in->memory_left : count;
        if (got > 0) {
            memcpy(bytes, in->memory, got);
            in->memory += got;
            in->memory_left -= got;
        }
    }
    hash_update(&in->hash, bytes, got);
    in->bytes_read += (int64_t)got;
    in->disk_ended = got == 0;
    *out_count = got;
    return ERR_OK;
}

/* ---- the window ---- */

static enum err_code grow_window(struct input_stream *in, struct error *err) {
    size_t capacity = mem_grown_capacity(in->capacity, in->end + in->read_bytes);
    capacity = capacity < WINDOW_BYTES_MAX ? capacity : WINDOW_BYTES_MAX;
    if (capacity < in->end + in->read_bytes) {
        return err_set(err, ERR_DATA, "%s: a row of more than %zu MiB", in->name,
                       INPUT_ROW_BYTES_MAX / MIB);
    }
    char *window = mem_array_resize(in->window, capacity, 1);
    if (!window) {
        return err_oom(err, "a row of the input");
    }
    in->window = window;
    in->capacity = capacity;
    return ERR_OK;
}

/* Room for a read behind what is ready: what was skipped goes first, then the window grows. */
static enum err_code make_room(struct input_stream *in, struct error *err) {
    size_t keep = in->marked ? in->kept : in->start;
    if (keep > 0 && in->capacity - in->end < in->read_bytes) {
        memmove(in->window, in->window + keep, in->end - keep);
        in->kept = 0;
        in->start -= keep;
        in->end -= keep;
    }
    return in->capacity - in->end < in->read_bytes ? grow_window(in, err) : ERR_OK;
}

/* ---- gzip ---- */

static void *zlib_alloc(void *unused, uInt count, uInt bytes) {
    (void)unused;
    return mem_array(count, bytes);
}

static void zlib_free(void *unused, void *block) {
    (void)unused;
    mem_free(block);
}

static enum err_code refuse_packed(const struct input_stream *in, struct error *err) {
    return err_set(err, ERR_DATA,
                   "%s: the gzip data is damaged near byte %" PRId64
                   " (%s): 'gzip -t' says the same; copy or download the file again",
                   in->name, in->bytes_read - (int64_t)in->inflater.avail_in,
                   in->inflater.msg ? in->inflater.msg : "no reason given");
}

static enum err_code refuse_cut(const struct input_stream *in, struct error *err) {
    return err_set(err, ERR_DATA,
                   "%s: the gzip data ends in its middle, after %" PRId64
                   " bytes: the file was cut; copy or download it again",
                   in->name, in->bytes_read);
}

static enum err_code refill_packed(struct input_stream *in, struct error *err) {
    size_t count = 0;
    TRY(read_disk(in, in->packed, PACKED_BYTES, &count, err));
    in->inflater.next_in = in->packed;
    in->inflater.avail_in = (uInt)count;
    return ERR_OK;
}

/* Behind a member: zeros, as tapes and some archivers pad with, and then the end or a member. What
 * is no member the inflater refuses by its header. */
static enum err_code cross_gap(struct input_stream *in, struct error *err) {
    while (in->inflater.avail_in > 0 && *in->inflater.next_in == 0) {
        in->inflater.next_in++;
        in->inflater.avail_in--;
    }
    if (in->inflater.avail_in > 0) {
        in->packing = PACKING_GZIP_MEMBER;
        return inflateReset(&in->inflater) == Z_OK ? ERR_OK : refuse_packed(in, err);
    }
    return ERR_OK;
}

static enum err_code inflate_some(struct input_stream *in, struct error *err) {
    in->inflater.next_out = (unsigned char *)in->window + in->end;
    in->inflater.avail_out = (uInt)in->read_bytes;
    int result = inflate(&in->inflater, Z_NO_FLUSH);
    in->end += in->read_bytes - in->inflater.avail_out;
    if (result == Z_STREAM_END) {
        in->packing = PACKING_GZIP_GAP;
        return ERR_OK;
    }
    if (result == Z_MEM_ERROR) {
        return err_oom(err, "zlib");
    }
    return result == Z_OK || result == Z_BUF_ERROR ? ERR_OK : refuse_packed(in, err);
}

/* One turn: some packed bytes in, or some bytes out. */
static enum err_code unpack_step(struct input_stream *in, struct error *err) {
    if (in->inflater.avail_in == 0 && !in->disk_ended) {
        TRY(refill_packed(in, err));
    }
    if (in->disk_ended && in->packing == PACKING_GZIP_MEMBER) {
        size_t end = in->end; /* zlib may still hold some bytes of text */
        TRY(inflate_some(in, err));
        bool goes_on = in->end > end || in->packing == PACKING_GZIP_GAP;
        return goes_on ? ERR_OK : refuse_cut(in, err);
    }
    return in->packing == PACKING_GZIP_GAP ? cross_gap(in, err) : inflate_some(in, err);
}

static enum err_code unpack_more(struct input_stream *in, struct error *err) {
    size_t end = in->end;
    while (in->end == end && !is_at_end(in)) {
        TRY(unpack_step(in, err));
    }
    return ERR_OK;
}

static enum err_code read_more(struct input_stream *in, struct error *err) {
    if (in->packing != PACKING_NONE) {
        return unpack_more(in, err);
    }
    size_t count = 0;
    TRY(read_disk(in, in->window + in->end, in->read_bytes, &count, err));
    in->end += count;
    return ERR_OK;
}

/* What is ready so far becomes the first packed bytes. */
static enum err_code start_unpacking(struct input_stream *in, struct error *err) {
    in->packed = mem_array(PACKED_BYTES, 1);
    if (!in->packed) {
        return err_oom(err, "zlib");
    }
    in->inflater = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
    if (inflateInit2(&in->inflater, MAX_WBITS + 16) != Z_OK) { /* 16: gzip, and nothing else */
        return err_oom(err, "zlib");
    }
    in->inflater_open = true;
    in->packing = PACKING_GZIP_MEMBER;
    ASSERT_LE(in->end, PACKED_BYTES);
    memcpy(in->packed, in->window, in->end);
    in->inflater.next_in = in->packed;
    in->inflater.avail_in = (uInt)in->end;
    in->end = 0;
    return ERR_OK;
}

/* ---- what kind of file it is ---- */

struct file_kind {
    const char *magic; /* how it begins; '?' is any byte */
    const char *name, *remedy;
    bool may_begin_text; /* then only bytes that no text has settle it */
};

static const struct file_kind unreadable_kinds[] = {
    {"\x28\xB5\x2F\xFD", "compressed with zstd", "decompress it with 'zstd -d'", false},
    {"\xFD\x37zXZ", "compressed with xz", "decompress it with 'unxz'", false},
    {"BZh?1AY&SY", "compressed with bzip2", "decompress it with 'bunzip2'", false},
    {"PK\x03\x04", "a zip archive or a spreadsheet",
     "unpack it, or save the spreadsheet as CSV in UTF-8", false},
    {"PAR1", "a Parquet file", "convert it to JSON lines, as pandas' to_json(lines=True) does",
     true},
    {"ARROW1", "an Arrow file", "convert it to JSON lines, as pandas' to_json(lines=True) does",
     true},
    {"SQLite format 3", "a SQLite database", "give the file that it was made from", true},
    {"\xFF\xFE", "text in UTF-16", "save it as UTF-8", false},
    {"\xFE\xFF", "text in UTF-16", "save it as UTF-8", false},
};

/* No text holds such bytes, so a table whose first column is named PAR1 stays a table. */
static bool is_binary(const struct text_span *text) {
    for (size_t i = 0; i < text->count && i < SNIFF_BYTES; i++) {
        unsigned char byte = (unsigned char)text->bytes[i];
        if ((byte < 0x20 && !strchr("\t\n\f\r", byte)) || byte == 0 || byte >= 0xF5) {
            return true;
        }
    }
    return false;
}

static bool is_kind(const struct text_span *text, const struct file_kind *kind) {
    size_t length = strlen(kind->magic);
    for (size_t i = 0; i < length; i++) {
        if (i >= text->count || (kind->magic[i] != '?' && kind->magic[i] != text->bytes[i])) {
            return false;
        }
    }
    return true;
}

static enum err_code check_kind(const struct input_stream *in, struct error *err) {
    struct text_span text = input_stream_ready(in);
    for (size_t i = 0; i < sizeof unreadable_kinds / sizeof *unreadable_kinds; i++) {
        const struct file_kind *kind = &unreadable_kinds[i];
        if (is_kind(&text, kind) && (!kind->may_begin_text || is_binary(&text))) {
            return err_set(err, ERR_DATA, "%s: this is %s: %s", in->name, kind->name, kind->remedy);
        }
    }
    return ERR_OK;
}

/* At least SNIFF_BYTES, or all there is: pipes give little at a time. */
static enum err_code read_start(struct input_stream *in, struct error *err) {
    bool has_more = true;
    while (has_more && in->end - in->start < SNIFF_BYTES) {
        TRY(input_stream_more(in, &has_more, err));
    }
    return ERR_OK;
}

static enum err_code start_reading(struct input_stream *in, struct error *err) {
    TRY(hash_init(&in->hash, err));
    TRY(make_room(in, err));
    while (in->end < SNIFF_BYTES && !in->disk_ended) {
        size_t room = in->capacity - in->end, count = 0;
        room = room < PACKED_BYTES - in->end ? room : PACKED_BYTES - in->end;
        TRY(read_disk(in, in->window + in->end, room, &count, err));
        in->end += count;
    }
    if (in->end >= 2 && memcmp(in->window, "\x1F\x8B", 2) == 0) {
        TRY(start_unpacking(in, err));
        TRY(read_start(in, err));
    }
    TRY(check_kind(in, err));
    if (in->end - in->start >= 3 && memcmp(in->window + in->start, "\xEF\xBB\xBF", 3) == 0) {
        input_stream_skip(in, 3);
    }
    return ERR_OK;
}

/* ---- opening and closing ---- */

static struct input_stream *stream_new(const char *name) {
    SCOPED(input_stream) struct input_stream *in = mem_array_zero(1, sizeof *in);
    if (!in) {
        return NULL;
    }
    in->fd = -1;
    in->read_bytes = READ_BYTES;
    in->name = mem_strdup(name);
    return in->name ? MOVE(in) : NULL;
}

enum err_code input_stream_open(const char *path, struct input_stream **out_stream,
                                struct error *err) {
    bool is_stdin = strcmp(path, INPUT_STREAM_STDIN) == 0;
    SCOPED(input_stream) struct input_stream *in = stream_new(is_stdin ? "standard input" : path);
    if (!in) {
        return err_oom(err, "an input");
    }
    in->fd = is_stdin ? STDIN_FILENO : -1;
    if (!is_stdin) {
        TRY(file_open(path, O_RDONLY, &in->fd, err));
        in->fd_is_ours = true;
    }
    TRY(start_reading(in, err));
    *out_stream = MOVE(in);
    return ERR_OK;
}

enum err_code input_stream_open_bytes(const char *bytes, size_t count, const char *name,
                                      struct input_stream **out_stream, struct error *err) {
    SCOPED(input_stream) struct input_stream *in = stream_new(name);
    if (!in) {
        return err_oom(err, "an input");
    }
    in->memory = (const unsigned char *)bytes;
    in->memory_left = count;
    /* What is short is read in two: tests and fuzzing meet the ends of reads and of the window. */
    size_t half = count / 2 > SNIFF_BYTES ? count / 2 : SNIFF_BYTES;
    in->read_bytes = half < READ_BYTES ? half : READ_BYTES;
    TRY(start_reading(in, err));
    *out_stream = MOVE(in);
    return ERR_OK;
}

void input_stream_close(struct input_stream *in) {
    if (!in) {
        return;
    }
    if (in->inflater_open) {
        (void)inflateEnd(&in->inflater);
    }
    if (in->fd_is_ours) {
        file_fd_scoped_end(&in->fd);
    }
    mem_free(in->packed);
    mem_free(in->window);
    mem_free(in->name);
    mem_free(in);
}

/* ---- reading ---- */

const char *input_stream_name(const struct input_stream *in) {
    return in->name;
}

struct text_span input_stream_ready(const struct input_stream *in) {
    return (struct text_span){.bytes = in->window + in->start, .count = in->end - in->start};
}

enum err_code input_stream_more(struct input_stream *in, bool *out_has_more, struct error *err) {
    if (is_at_end(in)) {
        *out_has_more = false;
        return ERR_OK;
    }
    TRY(check_interrupt(in, err)); /* a few bytes of gzip may become very many */
    TRY(make_room(in, err));
    size_t end = in->end;
    TRY(read_more(in, err));
    *out_has_more = in->end > end;
    return ERR_OK;
}

void input_stream_skip(struct input_stream *in, size_t count) {
    ASSERT_LE(count, in->end - in->start);
    in->start += count;
}

void input_stream_mark(struct input_stream *in) {
    in->marked = true;
    in->kept = in->start;
}

void input_stream_rewind(struct input_stream *in) {
    ASSERT(in->marked);
    in->marked = false;
    in->start = in->kept;
}

int64_t input_stream_bytes_read(const struct input_stream *in) {
    return in->bytes_read;
}

enum err_code input_stream_finish(struct input_stream *in, struct hash_digest *out_digest,
                                  int64_t *out_bytes, struct error *err) {
    bool has_more = true;
    while (has_more) {
        input_stream_skip(in, in->end - in->start);
        TRY(input_stream_more(in, &has_more, err));
    }
    *out_digest = hash_final(&in->hash);
    *out_bytes = in->bytes_read;
    return ERR_OK;
}

const char *input_stream_library_version(void) {
    return zlibVersion();
}
