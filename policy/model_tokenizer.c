/* model_tokenizer.c - see model_tokenizer.h. */
#include "policy/model_tokenizer.h"

#include "base/file.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/model_vocab.h"
#include "policy/weight_source.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* llama2.c's exporter writes the vocabulary beside the weights, under one of these names. */
static const char *const llama2c_names[] = {"tokenizer.bin", "tok512.bin"};

static enum err_code open_beside(const char *path, struct tokenizer **out, struct error *err) {
    const char *slash = strrchr(path, '/');
    const int folder = slash ? (int)(slash + 1 - path) : 0;
    for (size_t i = 0; i < sizeof llama2c_names / sizeof *llama2c_names; i++) {
        SCOPED(strbuf) struct strbuf name = STRBUF_INIT(PATH_MAX);
        strbuf_addf(&name, "%.*s%s", folder, path, llama2c_names[i]);
        TRY(strbuf_check(&name, "path of a vocabulary", err));
        if (file_exists(strbuf_text(&name))) {
            SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
            TRY(llama2c_vocab_open(strbuf_text(&name), &vocab, err));
            return tokenizer_new(&vocab.spec, out, err);
        }
    }
    return err_set(err, ERR_DATA, "'%s' has no vocabulary: put tokenizer.bin beside it", path);
}

static enum err_code open_inside(const char *path, struct tokenizer **out, struct error *err) {
    SCOPED(weight_source) struct weight_source *source = NULL;
    SCOPED(model_vocab) struct model_vocab vocab = MODEL_VOCAB_INIT;
    TRY(weight_source_open(path, &source, err));
    const struct gguf *gguf = weight_source_gguf(source);
    if (!gguf) {
        return open_beside(path, out, err);
    }
    TRY(gguf_vocab_read(gguf, &vocab, err));
    return tokenizer_new(&vocab.spec, out, err);
}

static bool is_json(const char *path) {
    const size_t length = strlen(path);
    return length > 5 && strcmp(path + length - 5, ".json") == 0;
}

enum err_code model_tokenizer_open(const char *path, struct tokenizer **out, struct error *err) {
    int64_t bytes = 0;
    struct error ignored = ERROR_INIT;
    const bool is_file = file_size(path, &bytes, &ignored) == ERR_OK; /* a folder has none */
    return is_file && !is_json(path) ? open_inside(path, out, err) : tokenizer_open(path, out, err);
}

enum err_code model_tokenizer_check(const struct tokenizer *tokenizer,
                                    const struct model_config *config, struct error *err) {
    if (tokenizer_count(tokenizer) > config->vocab) {
        return err_set(err, ERR_DATA,
                       "the tokenizer has %" PRId64 " tokens, the model embeds %" PRId64
                       ": they do not belong together",
                       tokenizer_count(tokenizer), config->vocab);
    }
    return ERR_OK;
}
