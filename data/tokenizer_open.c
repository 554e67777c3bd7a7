/* tokenizer_open.c - see tokenizer.h. The files of a tokenizer, found and read. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/tokenizer_internal.h"
#include "data/tokenizer_json.h"

#include <inttypes.h>

#define FILE_BYTES_MAX (64 * MIB)

/* tokenizer.json of Gemma 3 holds 1.8 million values. */
static const struct json_limits json_limits = {
    .bytes_max = FILE_BYTES_MAX, .depth_max = 64, .values_max = 8 * 1000 * 1000};

/* Files as read, and as JSON; the parts borrow from the documents. */
struct reading {
    const char *folder; /* with a '/' at its end */
    char *bytes[TOKENIZER_FILE_COUNT];
    size_t counts[TOKENIZER_FILE_COUNT];
    struct json *docs[TOKENIZER_FILE_COUNT];
    struct json *vocab; /* vocab.json */
    char *merges;       /* merges.txt */
    struct tokenizer_parts parts;
};

static void reading_scoped_end(struct reading *reading) {
    for (int64_t i = 0; i < TOKENIZER_FILE_COUNT; i++) {
        mem_free(reading->bytes[i]);
        json_free(reading->docs[i]);
    }
    json_free(reading->vocab);
    mem_free(reading->merges);
    tokenizer_parts_deinit(&reading->parts);
}

const char *tokenizer_file_name(enum tokenizer_file file) {
    static const char *const names[TOKENIZER_FILE_COUNT] = {
        [TOKENIZER_FILE_JSON] = "tokenizer.json",
        [TOKENIZER_FILE_CONFIG] = "tokenizer_config.json",
        [TOKENIZER_FILE_SPECIALS] = "special_tokens_map.json",
        [TOKENIZER_FILE_TEMPLATE] = "chat_template.jinja",
    };
    return names[file];
}

/* "<folder>/" of a path, which may be one. */
static enum err_code folder_of(const char *path, bool is_folder, char **out, struct error *err) {
    const char *slash = strrchr(path, '/');
    *out = is_folder ? mem_strjoin(path, "/")
                     : mem_strndup(path, slash ? (size_t)(slash + 1 - path) : 0);
    return *out ? ERR_OK : err_oom(err, "path");
}

static enum err_code read_file(struct reading *reading, enum tokenizer_file file, const char *path,
                               struct error *err) {
    TRY(file_read_all(path, FILE_BYTES_MAX, &reading->bytes[file], &reading->counts[file], err));
    if (file == TOKENIZER_FILE_TEMPLATE) {
        size_t invalid = utf8_find_invalid(reading->bytes[file], reading->counts[file]);
        return invalid == reading->counts[file]
                   ? ERR_OK
                   : err_set(err, ERR_DATA, "'%s' is not UTF-8 at byte %zu", path, invalid);
    }
    return json_parse(reading->bytes[file], reading->counts[file], path, &json_limits,
                      &reading->docs[file], err);
}

/* Reads a file of the folder if it is there. */
static enum err_code read_beside(struct reading *reading, enum tokenizer_file file,
                                 struct error *err) {
    SCOPED(mem) char *path = mem_strjoin(reading->folder, tokenizer_file_name(file));
    if (!path) {
        return err_oom(err, "path");
    }
    return file_exists(path) ? read_file(reading, file, path, err) : ERR_OK;
}

/* ---- vocab.json and merges.txt ---- */

static enum err_code read_merge_line(struct tokenizer_parts *parts, const char *line, size_t count,
                                     struct token_merge *out, struct error *err) {
    const char *blank = memchr(line, ' ', count);
    size_t left = blank ? (size_t)(blank - line) : count;
    if (!blank || memchr(blank + 1, ' ', count - left - 1)) {
        return err_set(err, ERR_DATA, "expected two tokens with a blank between");
    }
    return tokenizer_parts_merge(parts, (struct text_span){.bytes = line, .count = left},
                                 (struct text_span){.bytes = blank + 1, .count = count - left - 1},
                                 out, err);
}

static enum err_code read_merges(struct reading *reading, const char *path, struct error *err) {
    size_t bytes = 0;
    TRY(file_read_all(path, FILE_BYTES_MAX, &reading->merges, &bytes, err));
    size_t lines = 1;
    for (size_t i = 0; i < bytes; i++) {
        lines += reading->merges[i] == '\n';
    }
    struct tokenizer_parts *parts = &reading->parts;
    struct token_merge *merges = arena_array(&parts->arena, lines, sizeof *merges);
    if (!merges) {
        return err_oom(err, "merges");
    }
    int64_t number = 0;
    const char *end = reading->merges + bytes;
    for (const char *line = reading->merges; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t count = (size_t)((stop ? stop : end) - line);
        number++;
        size_t shown = count > 0 && line[count - 1] == '\r' ? count - 1 : count;
        bool is_head = shown >= 8 && memcmp(line, "#version", 8) == 0;
        if (!is_head && shown > 0) {
            struct token_merge *merge = &merges[parts->spec.merge_count];
            if (err_wrap(err, read_merge_line(parts, line, shown, merge, err), "%s:%" PRId64, path,
                         number)) {
                return err->code;
            }
            parts->spec.merge_count++;
        }
        line += count + 1;
    }
    parts->spec.merges = merges;
    return ERR_OK;
}

/* Which pattern goes with two files that do not say: that of the class which the configuration
 * names, and GPT-2's where there is no configuration. */
static enum err_code choose_pattern(const struct reading *reading, struct tokenizer_spec *spec,
                                    struct error *err) {
    static const struct {
        const char *name;
        enum token_pattern pattern;
    } classes[] = {{"GPT2Tokenizer", TOKEN_PATTERN_GPT2},
                   {"GPT2TokenizerFast", TOKEN_PATTERN_GPT2},
                   {"Qwen2Tokenizer", TOKEN_PATTERN_QWEN2},
                   {"Qwen2TokenizerFast", TOKEN_PATTERN_QWEN2}};
    const struct json *config = reading->docs[TOKENIZER_FILE_CONFIG];
    const struct json_node *node =
        config ? json_find(config, json_root(config), "tokenizer_class") : NULL;
    const char *name = classes[0].name;
    if (node) {
        TRY(json_as_string(config, node, &name, err));
    }
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(name, classes[i].name) == 0) {
            tokenizer_spec_set_byte_level(spec, classes[i].pattern);
            return ERR_OK;
        }
    }
    return json_refuse(config, node, err,
                       "vocab.json and merges.txt of '%s' are not supported; convert them to a "
                       "tokenizer.json with transformers",
                       name);
}

static enum err_code check_suffixes(const struct tokenizer_spec *spec, const char *path,
                                    struct error *err) {
    static const char suffix[] = "</w>"; /* of GPT-1 and CLIP: another kind of vocabulary */
    size_t count = sizeof suffix - 1;
    for (int64_t id = 0; id < spec->token_count; id++) {
        size_t bytes = spec->tokens[id] ? strlen(spec->tokens[id]) : 0;
        if (bytes > count && strcmp(spec->tokens[id] + bytes - count, suffix) == 0) {
            return err_set(err, ERR_DATA,
                           "'%s': token '%s' ends a word; such vocabularies are not "
                           "supported",
                           path, spec->tokens[id]);
        }
    }
    return ERR_OK;
}

static enum err_code read_two_files(struct reading *reading, struct error *err) {
    SCOPED(mem) char *vocab = mem_strjoin(reading->folder, "vocab.json");
    SCOPED(mem) char *merges = mem_strjoin(reading->folder, "merges.txt");
    SCOPED(mem) char *added = mem_strjoin(reading->folder, "added_tokens.json");
    if (!vocab || !merges || !added) {
        return err_oom(err, "path");
    }
    if (file_exists(added)) {
        return err_set(err, ERR_DATA,
                       "'%s' does not say what kind its tokens are; convert the "
                       "folder to a tokenizer.json with transformers",
                       added);
    }
    TRY(json_parse_file(vocab, &json_limits, &reading->vocab, err));
    const struct json_node *root = NULL;
    TRY(json_as_object(reading->vocab, json_root(reading->vocab), &root, err));
    TRY(tokenizer_json_read_vocab(reading->vocab, root, &reading->parts, err));
    TRY(check_suffixes(&reading->parts.spec, vocab, err));
    TRY(choose_pattern(reading, &reading->parts.spec, err));
    return read_merges(reading, merges, err);
}

/* ---- the folder ---- */

static enum err_code read_parts(struct reading *reading, struct error *err) {
    TRY(read_beside(reading, TOKENIZER_FILE_CONFIG, err));
    TRY(read_beside(reading, TOKENIZER_FILE_SPECIALS, err));
    TRY(read_beside(reading, TOKENIZER_FILE_TEMPLATE, err));
    struct tokenizer_parts *parts = &reading->parts;
    if (reading->docs[TOKENIZER_FILE_JSON]) {
        TRY(tokenizer_json_read(reading->docs[TOKENIZER_FILE_JSON], parts, err));
    } else {
        TRY(read_two_files(reading, err));
    }
    parts->spec.chat_template = reading->bytes[TOKENIZER_FILE_TEMPLATE];
    for (enum tokenizer_file f = TOKENIZER_FILE_CONFIG; f <= TOKENIZER_FILE_SPECIALS; f++) {
        if (reading->docs[f]) {
            TRY(tokenizer_config_read(reading->docs[f], parts, err));
        }
    }
    return tokenizer_parts_finish(parts, err);
}

/* A folder; that of a run has its model one further down. */
static enum err_code refuse_folder(const char *path, struct error *err) {
    SCOPED(mem) char *itself = mem_strjoin(path, "/."); /* is there where `path` is a folder */
    SCOPED(mem) char *final = mem_strjoin(path, "/final/tokenizer.json");
    if (!itself || !final) {
        return err_oom(err, "path");
    }
    if (file_exists(final)) {
        return err_set(err, ERR_DATA, "'%s' is the folder of a run: its model is '%s/final'", path,
                       path);
    }
    return file_exists(itself)
               ? err_set(err, ERR_DATA,
                         "'%s' has no tokenizer: put tokenizer.json, or vocab.json and merges.txt, "
                         "of its model into it",
                         path)
               : ERR_OK;
}

static enum err_code open_files(struct reading *reading, const char *path, struct error *err) {
    SCOPED(mem) char *inside = mem_strjoin(path, "/tokenizer.json");
    SCOPED(mem) char *vocab = mem_strjoin(path, "/vocab.json");
    if (!inside || !vocab) {
        return err_oom(err, "path");
    }
    bool has_json = file_exists(inside);
    bool is_folder = has_json || file_exists(vocab);
    TRY(is_folder ? ERR_OK : refuse_folder(path, err));
    SCOPED(mem) char *folder = NULL;
    TRY(folder_of(path, is_folder, &folder, err));
    reading->folder = folder;
    if (has_json || !is_folder) {
        TRY(read_file(reading, TOKENIZER_FILE_JSON, has_json ? inside : path, err));
    }
    return read_parts(reading, err);
}

enum err_code tokenizer_open(const char *path, struct tokenizer **out, struct error *err) {
    SCOPED(reading) struct reading reading = {.parts = TOKENIZER_PARTS_INIT};
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    TRY(open_files(&reading, path, err));
    if (err_wrap(err, tokenizer_new(&reading.parts.spec, &tok, err), "tokenizer '%s'", path)) {
        return err->code;
    }
    for (int64_t i = 0; i < TOKENIZER_FILE_COUNT; i++) {
        tok->files[i] = MOVE(reading.bytes[i]);
        tok->file_bytes[i] = reading.counts[i];
    }
    *out = MOVE(tok);
    return ERR_OK;
}
