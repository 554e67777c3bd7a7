#include "policy/weight_source.h"

#include "base/file.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "policy/gguf.h"
#include "tensor/safetensors.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/gguf_image.h"
#include "tests/support/io_loop.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>

static const char *gguf_path(const char *model) {
    static char path[512];
    (void)snprintf(path, sizeof path, GOLDEN_FOLDER "/gguf/%s.gguf", model);
    return path;
}

static struct weight_source *open_source(const char *path) {
    struct error err = ERROR_INIT;
    struct weight_source *source = NULL;
    assert_ok(weight_source_open(path, &source, &err), &err);
    return source;
}

/* The tensor of this role, in the first layer. */
static enum err_code read_role(const struct weight_source *source, enum model_role role,
                               enum weight_dtype dtype, void *values, struct error *err) {
    struct model_tensor tensor = model_layout_of(weight_source_config(source), role, 0);
    return weight_source_read(source, &tensor, dtype, 2, values, err);
}

static void assert_open_fails(const char *path, const char *part) {
    struct error err = ERROR_INIT;
    struct weight_source *source = NULL;
    assert_fails(weight_source_open(path, &source, &err), ERR_DATA, part, &err);
    assert_null(source);
}

/* ---- what transformers writes ---- */

static void test_folders__every_tensor_of_every_family(void **state) {
    (void)state;
    static const char *const models[] = {
        "gpt2",      "gpt2_untied", "gpt2_old",        "opt",         "opt_bare",
        "opt_head",  "llama",       "llama_tied_bias", "llama3",      "llama_linear",
        "mistral",   "qwen2",       "qwen3",           "sharded",     "gpt2_score",
        "opt_score", "llama_score", "mistral_score",   "qwen2_score", "qwen3_score",
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        SCOPED(weight_source)
        struct weight_source *source = open_source(model_case_path(models[i]));
        assert_weights_of(source, models[i]);
        assert_null(weight_source_gguf(source));
    }
}

static void test_describe__counts_what_is_stored(void **state) {
    (void)state;
    SCOPED(weight_source) struct weight_source *source = open_source(model_case_path("sharded"));
    struct weight_source_facts facts = weight_source_describe(source);
    assert_string_equal(facts.format, "safetensors");
    assert_string_equal(facts.stored_as, "BF16 x 14");
    assert_int_equal(facts.files, 2);
    assert_int_equal(facts.parameters, 3200); /* the index's total_parameters */
}

/* ---- what llama.cpp's package writes ---- */

static void test_gguf__every_tensor_and_the_same_config(void **state) {
    (void)state;
    static const char *const models[] = {"gpt2", "llama_tied_bias", "llama3", "qwen2", "qwen3"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        SCOPED(weight_source)
        struct weight_source *folder = open_source(model_case_path(models[i]));
        SCOPED(weight_source) struct weight_source *source = open_source(gguf_path(models[i]));
        assert_weights_of(source, models[i]);
        assert_non_null(weight_source_gguf(source));
        struct model_config expected = *weight_source_config(folder);
        struct model_config found = *weight_source_config(source);
        /* Ids are the tokenizer's in GGUF; epsilons are stored in f32 there. */
        expected.bos = found.bos;
        expected.pad = found.pad;
        expected.eos_count = found.eos_count;
        memcpy(expected.eos, found.eos, sizeof found.eos);
        assert_near(found.norm_eps, expected.norm_eps, 1e-12);
        expected.norm_eps = found.norm_eps;
        assert_same_config(&found, &expected);
    }
}

/* The architecture of a Mistral in GGUF is llama. */
static void test_gguf__mistral_is_a_llama(void **state) {
    (void)state;
    SCOPED(weight_source) struct weight_source *source = open_source(gguf_path("mistral"));
    assert_int_equal(weight_source_config(source)->family, MODEL_FAMILY_LLAMA);
    assert_int_equal(weight_source_config(source)->head_dim, 6);
    assert_weights_of(source, "mistral");
}

static void test_gguf__ids_of_the_tokenizer(void **state) {
    (void)state;
    SCOPED(weight_source) struct weight_source *source = open_source(gguf_path("llama3"));
    const struct model_config *config = weight_source_config(source);
    assert_int_equal(config->bos, 1);
    assert_int_equal(config->eos_count, 1);
    assert_int_equal(config->eos[0], 0);
    assert_int_equal(config->pad, -1);
    assert_int_equal(config->rope.original_context, 32); /* from rope_freqs.weight alone */
}

/* ---- dtypes ---- */

/* 1.5 * 2^-14 and its neighbours are exact in every dtype; what is not is rounded to even:
 * 1 + 2^-8 lies half-way between bf16's 1 and 1 + 2^-7. */
static void test_read__rounds_to_16_bits(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(weight_source) struct weight_source *source = open_source(model_case_path("llama3"));
    struct model_tensor q = model_layout_of(weight_source_config(source), MODEL_Q, 0);
    const int64_t count = model_tensor_elements(&q);
    float values[32 * 16];
    uint16_t bf16[32 * 16];
    uint16_t f16[32 * 16];
    assert_int_equal(count, 32 * 16);
    assert_ok(read_role(source, MODEL_Q, WEIGHT_F32, values, &err), &err);
    assert_ok(read_role(source, MODEL_Q, WEIGHT_BF16, bf16, &err), &err);
    assert_ok(read_role(source, MODEL_Q, WEIGHT_F16, f16, &err), &err);
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)bf16[i] << 16;
        float widened;
        memcpy(&widened, &bits, sizeof widened);
        assert_near((double)widened, (double)values[i], fabs((double)values[i]) * 0x1p-8);
        assert_true((f16[i] & 0x8000U) == (bf16[i] & 0x8000U));
    }
}

/* ---- wrong files ---- */

static void write_bytes(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static const char tiny_config[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 4, \"hidden_size\": 2, \"num_hidden_layers\": 1, "
    "\"num_attention_heads\": 1, \"intermediate_size\": 3, \"max_position_embeddings\": 8, "
    "\"tie_word_embeddings\": true}";

/* The tensors of tiny_config, all zero; `change` may spoil them. */
#define TINY_TENSORS 13
static float zeros[64];

static int64_t tiny_tensors(struct safetensors_tensor tensors[TINY_TENSORS]) {
    static const struct {
        const char *name;
        int64_t rows, columns; /* 0: one dimension */
    } list[] = {
        {"model.embed_tokens.weight", 4, 2},
        {"model.layers.0.input_layernorm.weight", 2, 0},
        {"model.layers.0.self_attn.q_proj.weight", 2, 2},
        {"model.layers.0.self_attn.k_proj.weight", 2, 2},
        {"model.layers.0.self_attn.v_proj.weight", 2, 2},
        {"model.layers.0.self_attn.o_proj.weight", 2, 2},
        {"model.layers.0.post_attention_layernorm.weight", 2, 0},
        {"model.layers.0.mlp.gate_proj.weight", 3, 2},
        {"model.layers.0.mlp.up_proj.weight", 3, 2},
        {"model.layers.0.mlp.down_proj.weight", 2, 3},
        {"model.norm.weight", 2, 0},
    };
    const int64_t count = sizeof list / sizeof *list;
    for (int64_t i = 0; i < count; i++) {
        const int64_t columns = list[i].columns > 0 ? list[i].columns : 1;
        tensors[i] = (struct safetensors_tensor){
            .name = list[i].name,
            .dtype = SAFETENSORS_F32,
            .dims = list[i].columns > 0 ? 2 : 1,
            .shape = {list[i].rows, list[i].columns},
            .data = zeros,
            .bytes = (size_t)(list[i].rows * columns) * sizeof(float),
        };
    }
    return count;
}

static void write_tiny(struct scratch *scratch, const struct safetensors_tensor *tensors,
                       int64_t count) {
    struct error err = ERROR_INIT;
    scratch_write(scratch, "config.json", tiny_config);
    assert_ok(safetensors_write(scratch_path(scratch, "model.safetensors"), tensors, count, NULL, 0,
                                &err),
              &err);
}

static void test_folders__spoiled_ones_are_refused_by_tensor(void **state) {
    struct scratch *scratch = *state;
    struct safetensors_tensor tensors[TINY_TENSORS];
    const int64_t count = tiny_tensors(tensors);
    write_tiny(scratch, tensors, count);
    weight_source_close(open_source(scratch->folder));
    write_tiny(scratch, tensors, count - 1);
    assert_open_fails(scratch->folder, "'model.norm.weight' is missing");

    struct safetensors_tensor spoiled[TINY_TENSORS];
    memcpy(spoiled, tensors, sizeof tensors);
    spoiled[2].shape[0] = 4;
    spoiled[2].shape[1] = 1;
    write_tiny(scratch, spoiled, count);
    assert_open_fails(scratch->folder, "[4, 1]) should be [2, 2] by the configuration");

    memcpy(spoiled, tensors, sizeof tensors);
    spoiled[2].dtype = SAFETENSORS_I32;
    write_tiny(scratch, spoiled, count);
    assert_open_fails(scratch->folder, "stored as I32");

    memcpy(spoiled, tensors, sizeof tensors);
    spoiled[count] = tensors[count - 1];
    spoiled[count].name = "score.weight";
    write_tiny(scratch, spoiled, count + 1);
    assert_open_fails(scratch->folder, "has no 'score.weight' (1 such tensors): a reward model");

    static const float ones[8] = {1.0F};
    spoiled[count] = tensors[0];
    spoiled[count].name = "lm_head.weight";
    spoiled[count].data = ones;
    write_tiny(scratch, spoiled, count + 1);
    assert_open_fails(scratch->folder, "'lm_head.weight' differs from 'model.embed_tokens.weight'");
}

static void test_read__no_number_is_named(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct safetensors_tensor tensors[TINY_TENSORS];
    const int64_t count = tiny_tensors(tensors);
    const float bad[6] = {0.0F, 1.0F, 2.0F, NAN, 4.0F, 5.0F};
    const float large[6] = {0.0F, 1.0F, 70000.0F};
    tensors[7].data = bad;
    tensors[8].data = large;
    write_tiny(scratch, tensors, count);
    SCOPED(weight_source) struct weight_source *source = open_source(scratch->folder);
    float values[6];
    assert_fails(read_role(source, MODEL_MLP_GATE, WEIGHT_F32, values, &err), ERR_DATA,
                 "our layers.0.mlp.gate.weight[1, 1], is nan", &err);
    assert_ok(read_role(source, MODEL_MLP_UP, WEIGHT_F32, values, &err), &err);
    assert_fails(read_role(source, MODEL_MLP_UP, WEIGHT_F16, values, &err), ERR_DATA,
                 "holds 70000, which f16 cannot", &err);
}

static void test_folders__other_contents_get_a_remedy(void **state) {
    struct scratch *scratch = *state;
    assert_open_fails(scratch->folder, "has no config.json");
    assert_open_fails(scratch_path(scratch, "none"), "there is no '");
    assert_open_fails("preset:tiny", "'preset:tiny' is a shape without weights");
    scratch_write(scratch, "config.json", tiny_config);
    assert_open_fails(scratch->folder, "has neither model.safetensors");
    scratch_write(scratch, "pytorch_model.bin", "x");
    assert_open_fails(scratch->folder, "save_pretrained");
    scratch_write(scratch, "text", "neither of them");
    assert_open_fails(scratch_path(scratch, "text"), "neither GGUF nor llama2.c");
    scratch_write(scratch, "empty", "");
    assert_open_fails(scratch_path(scratch, "empty"), "neither GGUF nor llama2.c");
}

/* ---- shards ---- */

#define SHARD_1 "model-00001-of-00002.safetensors"
#define SHARD_2 "model-00002-of-00002.safetensors"

/* The golden shards, and an index of which `from` has become `to`. */
static void write_sharded(struct scratch *scratch, const char *from, const char *to) {
    static const char *const files[] = {"config.json", SHARD_1, SHARD_2,
                                        "model.safetensors.index.json"};
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[700];
        (void)snprintf(path, sizeof path, "%s/%s", model_case_path("sharded"), files[i]);
        SCOPED(mem) char *text = NULL;
        size_t bytes = 0;
        assert_ok(file_read_all(path, (size_t)1 << 20, &text, &bytes, &err), &err);
        const char *place = i == 3 ? strstr(text, from) : NULL;
        if (!place) {
            assert_true(i < 3);
            write_bytes(scratch_path(scratch, files[i]), text, bytes);
            continue;
        }
        SCOPED(strbuf) struct strbuf changed = STRBUF_INIT(1U << 20);
        strbuf_add_bytes(&changed, text, (size_t)(place - text));
        strbuf_add(&changed, to);
        strbuf_add(&changed, place + strlen(from));
        scratch_write(scratch, files[i], strbuf_text(&changed));
    }
}

static void test_shards__index_and_files_must_agree(void **state) {
    struct scratch *scratch = *state;
    static const struct {
        const char *from, *to, *part;
    } cases[] = {
        {"6400", "6402", "states 6402 bytes of weights, the files hold 6400"},
        {"norm.weight\": \"" SHARD_2, "norm.weight\": \"" SHARD_1, "but the index says"},
        {"\"lm_head.weight\": \"" SHARD_2 "\",", "", "but the index says nothing"},
        {"\"lm_head", "\"lm_hat", "is in " SHARD_2 ", but the index says nothing"},
        {SHARD_1, "../" SHARD_1, "no name of a .safetensors file in the same folder"},
        {SHARD_1, "model.bin", "no name of a .safetensors file"},
        {"\"weight_map\"", "\"map\"", "weight_map"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_sharded(scratch, cases[i].from, cases[i].to);
        assert_open_fails(scratch->folder, cases[i].part);
    }
    write_sharded(scratch, "6400", "6400.0");
    SCOPED(weight_source) struct weight_source *source = open_source(scratch->folder);
    assert_weights_of(source, "sharded");
    struct error err = ERROR_INIT;
    assert_ok(file_remove(scratch_path(scratch, SHARD_1), &err), &err);
    struct weight_source *none = NULL;
    assert_fails(weight_source_open(scratch->folder, &none, &err), ERR_IO, SHARD_1, &err);
}

/* ---- llama2.c ---- */

/* dim 4, hidden 3, 1 layer, 2 heads of 2, 1 key-value head, vocabulary 5, 6 tokens; the floats are
 * 0, 1, 2, ... in the order of the file:
 *   embed 20, att norm 4, wq 16, wk 8, wv 8, wo 16, ffn norm 4, w1 12, w2 12, w3 12, final 4: 116
 *   rope tables 2 * 6 * 1 = 12: 128; head 20: 148 */
static void write_llama2c(struct scratch *scratch, bool tied) {
    int32_t header[7] = {4, 3, 1, 2, 1, tied ? 5 : -5, 6};
    static unsigned char bytes[sizeof header + 148 * sizeof(float)];
    const size_t floats = tied ? 128 : 148;
    memcpy(bytes, header, sizeof header);
    for (size_t i = 0; i < floats; i++) {
        float value = (float)i;
        memcpy(bytes + sizeof header + i * sizeof value, &value, sizeof value);
    }
    write_bytes(scratch_path(scratch, "m.bin"), bytes, sizeof header + floats * sizeof(float));
}

static void test_llama2c__fields_in_the_order_of_the_file(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    for (int tied = 0; tied < 2; tied++) {
        write_llama2c(scratch, tied);
        SCOPED(weight_source)
        struct weight_source *source = open_source(scratch_path(scratch, "m.bin"));
        const struct model_config *config = weight_source_config(source);
        assert_int_equal(config->head_dim, 2);
        assert_int_equal(config->kv_heads, 1);
        assert_int_equal(config->tied_head, tied);
        assert_string_equal(weight_source_describe(source).format, "llama2.c");
        float v[20];
        /* heads of two rows: (0, 1) is its own order */
        assert_ok(read_role(source, MODEL_Q, WEIGHT_F32, v, &err), &err);
        assert_true(v[0] == 24.0F && v[15] == 39.0F);
        assert_ok(read_role(source, MODEL_MLP_DOWN, WEIGHT_F32, v, &err), &err);
        assert_true(v[0] == 88.0F);
        assert_ok(read_role(source, MODEL_MLP_UP, WEIGHT_F32, v, &err), &err);
        assert_true(v[0] == 100.0F);
        assert_ok(read_role(source, MODEL_FINAL_NORM, WEIGHT_F32, v, &err), &err);
        assert_true(v[0] == 112.0F);
        if (!tied) {
            assert_ok(read_role(source, MODEL_HEAD, WEIGHT_F32, v, &err), &err);
            assert_true(v[0] == 128.0F && v[19] == 147.0F);
        }
    }
}

static void test_llama2c__other_sizes_are_not_recognised(void **state) {
    struct scratch *scratch = *state;
    write_llama2c(scratch, true);
    FILE *file = fopen(scratch_path(scratch, "m.bin"), "ab");
    assert_non_null(file);
    assert_int_equal(fputc(0, file), 0);
    assert_int_equal(fclose(file), 0);
    assert_open_fails(scratch_path(scratch, "m.bin"), "neither GGUF nor llama2.c");
}

/* ---- GGUF by hand ---- */

static struct gguf_image image;

static void add_u32(const char *key, uint32_t value) {
    gguf_image_key(&image, key, 4);
    gguf_image_u32(&image, value);
}

/* A llama of one tensor: all that its metadata say is read before the rest is missed. */
static void begin_llama(uint64_t more_keys) {
    gguf_image_header(&image, 3, 1, 6 + more_keys);
    gguf_image_key(&image, "general.architecture", 8);
    gguf_image_text(&image, "llama");
    add_u32("llama.block_count", 1);
    add_u32("llama.context_length", 8);
    add_u32("llama.embedding_length", 8);
    add_u32("llama.feed_forward_length", 8);
    add_u32("llama.attention.head_count", 2);
}

static void end_llama(struct scratch *scratch, const char *part) {
    gguf_image_tensor(&image, "token_embd.weight", 2, (uint64_t[]){8, 4}, 0, 0);
    gguf_image_pad(&image, 32);
    gguf_image_zeros(&image, 128);
    write_bytes(scratch_path(scratch, "m.gguf"), image.bytes, image.count);
    assert_open_fails(scratch_path(scratch, "m.gguf"), part);
}

static void test_gguf__other_computations_are_refused(void **state) {
    struct scratch *scratch = *state;
    begin_llama(0);
    end_llama(scratch, "'blk.0.attn_norm.weight' is missing");
    begin_llama(1);
    add_u32("llama.expert_count", 8);
    end_llama(scratch, "8 experts");
    begin_llama(1);
    add_u32("llama.attention.sliding_window", 4);
    end_llama(scratch, "a sliding window of 4 tokens");
    begin_llama(1);
    add_u32("llama.rope.dimension_count", 2);
    end_llama(scratch, "must be one size");
    begin_llama(1);
    add_u32("tokenizer.ggml.bos_token_id", 4);
    end_llama(scratch, "'tokenizer.ggml.bos_token_id' = 4 is outside the vocabulary of 4");
    begin_llama(1);
    gguf_image_key(&image, "llama.rope.scaling.type", 8);
    gguf_image_text(&image, "yarn");
    end_llama(scratch, "rope scaling 'yarn'");
    gguf_image_header(&image, 3, 1, 1);
    gguf_image_key(&image, "general.architecture", 8);
    gguf_image_text(&image, "mamba");
    end_llama(scratch, "architecture 'mamba' is none of");
}

/* ---- failures ---- */

static enum err_code open_and_read(void *context, struct error *err) {
    SCOPED(weight_source) struct weight_source *source = NULL;
    TRY(weight_source_open(context, &source, err));
    struct model_tensor q = model_layout_of(weight_source_config(source), MODEL_Q, 0);
    const int64_t count = model_tensor_elements(&q);
    SCOPED(mem) uint16_t *values = mem_array((size_t)count, sizeof *values);
    if (!values) {
        return err_oom(err, "values");
    }
    return read_role(source, MODEL_Q, WEIGHT_BF16, values, err);
}

static void test_open__survives_failing_allocations_and_files(void **state) {
    (void)state;
    char path[512];
    (void)snprintf(path, sizeof path, "%s", model_case_path("sharded"));
    alloc_loop_check(open_and_read, path);
    io_loop_check(open_and_read, NULL, path);
    (void)snprintf(path, sizeof path, "%s", gguf_path("llama3"));
    alloc_loop_check(open_and_read, path);
    io_loop_check(open_and_read, NULL, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders__every_tensor_of_every_family),
        cmocka_unit_test(test_describe__counts_what_is_stored),
        cmocka_unit_test(test_gguf__every_tensor_and_the_same_config),
        cmocka_unit_test(test_gguf__mistral_is_a_llama),
        cmocka_unit_test(test_gguf__ids_of_the_tokenizer),
        cmocka_unit_test(test_read__rounds_to_16_bits),
        SCRATCH_TEST(test_folders__spoiled_ones_are_refused_by_tensor),
        SCRATCH_TEST(test_read__no_number_is_named),
        SCRATCH_TEST(test_folders__other_contents_get_a_remedy),
        SCRATCH_TEST(test_shards__index_and_files_must_agree),
        SCRATCH_TEST(test_llama2c__fields_in_the_order_of_the_file),
        SCRATCH_TEST(test_llama2c__other_sizes_are_not_recognised),
        SCRATCH_TEST(test_gguf__other_computations_are_refused),
        cmocka_unit_test(test_open__survives_failing_allocations_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
