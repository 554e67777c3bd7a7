/* tokenizer_save.c - see tokenizer.h. A tokenizer as files that transformers reads. */
#include "base/file.h"
#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/tokenizer_internal.h"

#define FILE_BYTES_MAX (256 * MIB)

static void write_pattern(struct json_writer *w, bool is_regex, const char *pattern) {
    json_put_object_begin(w, "pattern");
    json_put_string(w, is_regex ? "Regex" : "String", pattern);
    json_write_object_end(w);
}

static const char *behavior_name(enum token_split_behavior behavior) {
    switch (behavior) {
    case TOKEN_SPLIT_REMOVED:
        return "Removed";
    case TOKEN_SPLIT_ISOLATED:
        return "Isolated";
    case TOKEN_SPLIT_MERGED_WITH_PREVIOUS:
        return "MergedWithPrevious";
    case TOKEN_SPLIT_MERGED_WITH_NEXT:
        return "MergedWithNext";
    case TOKEN_SPLIT_CONTIGUOUS:
        return "Contiguous";
    }
    return "";
}

static const char *prepend_name(enum token_prepend prepend) {
    switch (prepend) {
    case TOKEN_PREPEND_ALWAYS:
        return "always";
    case TOKEN_PREPEND_NEVER:
        return "never";
    case TOKEN_PREPEND_FIRST:
        return "first";
    }
    return "";
}

static void write_metaspace(struct json_writer *w, const char *mark, enum token_prepend prepend,
                            bool split) {
    json_put_string(w, "type", "Metaspace");
    json_put_string(w, "replacement", mark);
    json_put_string(w, "prepend_scheme", prepend_name(prepend));
    json_put_bool(w, "split", split);
}

static void write_byte_level(struct json_writer *w, bool prefix_space, bool pattern) {
    json_put_string(w, "type", "ByteLevel");
    json_put_bool(w, "add_prefix_space", prefix_space);
    json_put_bool(w, "trim_offsets", false);
    json_put_bool(w, "use_regex", pattern);
}

static void write_normalizer(struct json_writer *w, const struct token_normalizer *step) {
    switch (step->kind) {
    case TOKEN_NORMALIZER_NFC:
        json_put_string(w, "type", "NFC");
        return;
    case TOKEN_NORMALIZER_PREPEND:
        json_put_string(w, "type", "Prepend");
        json_put_string(w, "prepend", step->text);
        return;
    case TOKEN_NORMALIZER_REPLACE:
        json_put_string(w, "type", "Replace");
        write_pattern(w, false, step->pattern);
        json_put_string(w, "content", step->text);
        return;
    }
}

static void write_splitter(struct json_writer *w, const struct token_splitter *step) {
    switch (step->kind) {
    case TOKEN_SPLITTER_REGEX:
    case TOKEN_SPLITTER_TEXT:
        json_put_string(w, "type", "Split");
        write_pattern(w, step->kind == TOKEN_SPLITTER_REGEX, step->pattern);
        json_put_string(w, "behavior", behavior_name(step->behavior));
        json_put_bool(w, "invert", step->invert);
        return;
    case TOKEN_SPLITTER_DIGITS:
        json_put_string(w, "type", "Digits");
        json_put_bool(w, "individual_digits", step->individual);
        return;
    case TOKEN_SPLITTER_BYTE_LEVEL:
        write_byte_level(w, step->prefix_space, step->gpt2_pattern);
        return;
    case TOKEN_SPLITTER_METASPACE:
        write_metaspace(w, step->pattern, step->prepend, step->split);
        return;
    case TOKEN_SPLITTER_WHITESPACE:
        json_put_string(w, "type", "Whitespace");
        return;
    case TOKEN_SPLITTER_WHITESPACE_ONLY:
        json_put_string(w, "type", "WhitespaceSplit");
        return;
    case TOKEN_SPLITTER_PUNCTUATION:
        json_put_string(w, "type", "Punctuation");
        json_put_string(w, "behavior", behavior_name(step->behavior));
        return;
    }
}

static void write_decoder(struct json_writer *w, const struct token_decoder *step) {
    switch (step->kind) {
    case TOKEN_DECODER_BYTE_LEVEL:
        write_byte_level(w, false, false);
        return;
    case TOKEN_DECODER_METASPACE:
        write_metaspace(w, step->pattern, step->prepend, true);
        return;
    case TOKEN_DECODER_REPLACE:
        json_put_string(w, "type", "Replace");
        write_pattern(w, false, step->pattern);
        json_put_string(w, "content", step->text);
        return;
    case TOKEN_DECODER_BYTE_FALLBACK:
        json_put_string(w, "type", "ByteFallback");
        return;
    case TOKEN_DECODER_FUSE:
        json_put_string(w, "type", "Fuse");
        return;
    case TOKEN_DECODER_STRIP:
        json_put_string(w, "type", "Strip");
        json_put_string(w, "content", step->pattern);
        json_put_i64(w, "start", step->start);
        json_put_i64(w, "stop", step->stop);
        return;
    }
}

/* Begins a list of steps, always as a Sequence. */
static void begin_steps(struct json_writer *w, const char *key, const char *list_key) {
    json_put_object_begin(w, key);
    json_put_string(w, "type", "Sequence");
    json_put_array_begin(w, list_key);
}

static void end_steps(struct json_writer *w) {
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_steps(struct json_writer *w, const struct tokenizer_spec *spec) {
    begin_steps(w, "normalizer", "normalizers");
    for (int64_t i = 0; i < spec->normalizer_count; i++) {
        json_write_object_begin(w);
        write_normalizer(w, &spec->normalizers[i]);
        json_write_object_end(w);
    }
    end_steps(w);
    begin_steps(w, "pre_tokenizer", "pretokenizers");
    for (int64_t i = 0; i < spec->splitter_count; i++) {
        json_write_object_begin(w);
        write_splitter(w, &spec->splitters[i]);
        json_write_object_end(w);
    }
    end_steps(w);
    if (spec->decoder_count == 0) {
        json_put_null(w,
                      "decoder"); /* which puts blanks between tokens; an empty Sequence does not */
        return;
    }
    begin_steps(w, "decoder", "decoders");
    for (int64_t i = 0; i < spec->decoder_count; i++) {
        json_write_object_begin(w);
        write_decoder(w, &spec->decoders[i]);
        json_write_object_end(w);
    }
    end_steps(w);
}

static void write_token(struct json_writer *w, const struct tokenizer *tok, int32_t id) {
    struct text_span text = token_table_text(&tok->spelled, id);
    json_write_string_bytes(w, text.bytes, text.count);
}

static void write_token_key(struct json_writer *w, const char *key, const struct tokenizer *tok,
                            int32_t id) {
    json_write_key(w, key);
    write_token(w, tok, id);
}

static void write_added(struct json_writer *w, const struct tokenizer *tok) {
    json_put_array_begin(w, "added_tokens");
    for (int64_t i = 0; i < tok->spec.added_count; i++) {
        const struct added_token *token = &tok->spec.added[i];
        json_write_object_begin(w);
        json_put_i64(w, "id", token->id);
        json_put_string(w, "content", token->text);
        json_put_bool(w, "single_word", token->single_word);
        json_put_bool(w, "lstrip", token->lstrip);
        json_put_bool(w, "rstrip", token->rstrip);
        json_put_bool(w, "normalized", token->normalized);
        json_put_bool(w, "special", token->special);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* A part of the template: the text, or a token beside it. */
static void write_template_part(struct json_writer *w, const struct tokenizer *tok, int32_t id,
                                const char *sequence, int64_t type_id) {
    json_write_object_begin(w);
    json_put_object_begin(w, sequence ? "Sequence" : "SpecialToken");
    if (sequence) {
        json_put_string(w, "id", sequence);
    } else {
        write_token_key(w, "id", tok, id);
    }
    json_put_i64(w, "type_id", type_id);
    json_write_object_end(w);
    json_write_object_end(w);
}

static void write_template_side(struct json_writer *w, const struct tokenizer *tok,
                                const char *sequence, int64_t type_id) {
    if (tok->spec.adds_bos) {
        write_template_part(w, tok, tok->spec.bos, NULL, type_id);
    }
    write_template_part(w, tok, -1, sequence, type_id);
    if (tok->spec.adds_eos) {
        write_template_part(w, tok, tok->spec.eos, NULL, type_id);
    }
}

static void write_template_token(struct json_writer *w, const struct tokenizer *tok, int32_t id) {
    struct text_span text = token_table_text(&tok->spelled, id);
    SCOPED(mem) char *key = mem_strndup(text.bytes, text.count);
    if (!key) {
        w->out->failure = w->out->failure ? w->out->failure : ERR_OOM;
        return;
    }
    json_put_object_begin(w, key);
    json_put_string(w, "id", key);
    json_put_array_begin(w, "ids");
    json_write_i64(w, id);
    json_write_array_end(w);
    json_put_array_begin(w, "tokens");
    json_write_string(w, key);
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_processor(struct json_writer *w, const struct tokenizer *tok) {
    const struct tokenizer_spec *spec = &tok->spec;
    if (!spec->adds_bos && !spec->adds_eos) {
        json_put_null(w, "post_processor");
        return;
    }
    json_put_object_begin(w, "post_processor");
    json_put_string(w, "type", "TemplateProcessing");
    json_put_array_begin(w, "single");
    write_template_side(w, tok, "A", 0);
    json_write_array_end(w);
    json_put_array_begin(w, "pair");
    write_template_side(w, tok, "A", 0);
    write_template_side(w, tok, "B", 1);
    json_write_array_end(w);
    json_put_object_begin(w, "special_tokens");
    if (spec->adds_bos) {
        write_template_token(w, tok, spec->bos);
    }
    if (spec->adds_eos && !(spec->adds_bos && spec->bos == spec->eos)) {
        write_template_token(w, tok, spec->eos);
    }
    json_write_object_end(w);
    json_write_object_end(w);
}

static void write_vocab(struct json_writer *w, const struct tokenizer *tok) {
    json_put_object_begin(w, "vocab");
    SCOPED(strbuf) struct strbuf key = STRBUF_INIT(FILE_BYTES_MAX);
    for (int32_t id = 0; id < tok->spelled.count; id++) {
        if (tok->flags[id] & TOKEN_IN_MODEL) {
            struct text_span text = token_table_text(&tok->spelled, id);
            strbuf_reset(&key);
            strbuf_add_bytes(&key, text.bytes, text.count);
            json_put_i64(w, strbuf_text(&key), id);
        }
    }
    json_write_object_end(w);
    strbuf_take_failure(w->out, &key);
}

static void write_model(struct json_writer *w, const struct tokenizer *tok) {
    const struct tokenizer_spec *spec = &tok->spec;
    json_put_object_begin(w, "model");
    json_put_string(w, "type", "BPE");
    json_put_null(w, "dropout");
    if (spec->model_unk >= 0) {
        write_token_key(w, "unk_token", tok, spec->model_unk);
    } else {
        json_put_null(w, "unk_token");
    }
    json_put_null(w, "continuing_subword_prefix");
    json_put_null(w, "end_of_word_suffix");
    json_put_bool(w, "fuse_unk", spec->fuse_unk);
    json_put_bool(w, "byte_fallback", spec->byte_fallback);
    json_put_bool(w, "ignore_merges", spec->ignore_merges);
    write_vocab(w, tok);
    json_put_array_begin(w, "merges");
    for (int64_t i = 0; i < spec->merge_count; i++) {
        json_write_array_begin(w);
        write_token(w, tok, spec->merges[i].left);
        write_token(w, tok, spec->merges[i].right);
        json_write_array_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_json(struct json_writer *w, const struct tokenizer *tok) {
    json_write_object_begin(w);
    json_put_string(w, "version", "1.0");
    json_put_null(w, "truncation");
    json_put_null(w, "padding");
    write_added(w, tok);
    write_steps(w, &tok->spec);
    write_processor(w, tok);
    write_model(w, tok);
    json_write_object_end(w);
}

/* bos_token and so on, where they are known. */
static void write_roles(struct json_writer *w, const struct tokenizer *tok) {
    const struct {
        const char *key;
        int32_t id;
    } roles[] = {{"bos_token", tok->spec.bos},
                 {"eos_token", tok->spec.eos},
                 {"pad_token", tok->spec.pad},
                 {"unk_token", tok->spec.unk}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (roles[i].id >= 0) {
            write_token_key(w, roles[i].key, tok, roles[i].id);
        }
    }
}

static void write_config(struct json_writer *w, const struct tokenizer *tok) {
    json_write_object_begin(w);
    json_put_string(w, "tokenizer_class", "PreTrainedTokenizerFast");
    json_put_bool(w, "clean_up_tokenization_spaces", false);
    write_roles(w, tok);
    json_write_object_end(w);
}

static void write_specials(struct json_writer *w, const struct tokenizer *tok) {
    json_write_object_begin(w);
    write_roles(w, tok);
    json_write_object_end(w);
}

/* The text of a file that was not read; `*out_needed` false: none is due. */
static enum err_code make_file(const struct tokenizer *tok, enum tokenizer_file file,
                               struct strbuf *out, bool *out_needed, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    *out_needed = true;
    switch (file) {
    case TOKENIZER_FILE_JSON:
        write_json(&w, tok);
        break;
    case TOKENIZER_FILE_CONFIG:
        write_config(&w, tok);
        break;
    case TOKENIZER_FILE_SPECIALS:
        write_specials(&w, tok);
        break;
    case TOKENIZER_FILE_TEMPLATE:
        *out_needed = tok->spec.chat_template != NULL;
        strbuf_add(out, *out_needed ? tok->spec.chat_template : "");
        return strbuf_check(out, "chat template", err);
    case TOKENIZER_FILE_COUNT:
        break;
    }
    return json_writer_finish(&w, err);
}

/* What was read from a folder is written back; files that it did not have are not added, but for
 * tokenizer.json itself. */
static bool is_due(const struct tokenizer *tok, enum tokenizer_file file) {
    bool was_read = false;
    for (int64_t i = 0; i < TOKENIZER_FILE_COUNT; i++) {
        was_read = was_read || tok->files[i];
    }
    return tok->files[file] || !was_read || file == TOKENIZER_FILE_JSON;
}

static enum err_code save_file(const struct tokenizer *tok, const char *folder,
                               enum tokenizer_file file, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(64 * KIB);
    TRY(folder_path(folder, tokenizer_file_name(file), &path, err));
    if (tok->files[file]) {
        return file_atomic_write_whole(strbuf_text(&path), tok->files[file], tok->file_bytes[file],
                                       err);
    }
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(FILE_BYTES_MAX);
    bool needed = false;
    TRY(make_file(tok, file, &text, &needed, err));
    return needed
               ? file_atomic_write_whole(strbuf_text(&path), strbuf_text(&text), text.length, err)
               : ERR_OK;
}

enum err_code tokenizer_save(const struct tokenizer *tok, const char *folder, struct error *err) {
    TRY(file_make_folders(folder, err));
    for (enum tokenizer_file file = 0; file < TOKENIZER_FILE_COUNT; file++) {
        if (is_due(tok, file)) {
            TRY(save_file(tok, folder, file, err));
        }
    }
    return ERR_OK;
}
