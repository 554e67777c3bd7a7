#include "policy/model_config.h"

#include "base/json_writer.h"
#include "base/scoped.h"
#include "policy/model_layout.h"
#include "tensor/safetensors.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <stdio.h>

/* Models written by transformers (tests/golden/make_models.py). */
#define MODELS GOLDEN_FOLDER "/models/"

static const char *const models[] = {
    "gpt2",   "gpt2_untied",  "opt",     "opt_bare", "llama", "llama_tied_bias",
    "llama3", "llama_linear", "mistral", "qwen2",    "qwen3",
};

#define MODEL_COUNT (sizeof models / sizeof *models)

static const char *const scored[] = {"gpt2_score",    "opt_score",   "llama_score",
                                     "mistral_score", "qwen2_score", "qwen3_score"};

#define SCORED_COUNT (sizeof scored / sizeof *scored)

static enum err_code read_text(const char *text, struct model_config *out, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(text, strlen(text), "config.json", NULL, &doc, err));
    return model_config_from_json(doc, out, err);
}

static struct model_config config_of(const char *text) {
    struct error err = ERROR_INIT;
    struct model_config config;
    assert_ok(read_text(text, &config, &err), &err);
    return config;
}

static struct model_config golden_config(const char *model) {
    struct error err = ERROR_INIT;
    char path[512];
    (void)snprintf(path, sizeof path, MODELS "%s/config.json", model);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse_file(path, NULL, &doc, &err), &err);
    struct model_config config;
    assert_ok(model_config_from_json(doc, &config, &err), &err);
    return config;
}

static void assert_refused(const char *text, const char *part) {
    struct error err = ERROR_INIT;
    struct model_config config;
    assert_fails(read_text(text, &config, &err), ERR_DATA, part, &err);
}

/* ---- reading ---- */

static void test_from_json__llama3_of_transformers(void **state) {
    (void)state;
    struct model_config c = golden_config("llama3");
    assert_int_equal(c.family, MODEL_FAMILY_LLAMA);
    assert_int_equal(c.vocab, 32);
    assert_int_equal(c.hidden, 16);
    assert_int_equal(c.heads, 2);
    assert_int_equal(c.kv_heads, 1);
    assert_int_equal(c.head_dim, 16);
    assert_int_equal(c.mlp_hidden, 12);
    assert_int_equal(c.context, 128);
    assert_int_equal(c.rope.kind, MODEL_ROPE_LLAMA3);
    assert_near(c.rope.theta, 500.0, 0.0);
    assert_near(c.rope.factor, 8.0, 0.0);
    assert_int_equal(c.rope.original_context, 32);
    assert_int_equal(c.norm, MODEL_NORM_RMS);
    assert_int_equal(c.mlp, MODEL_MLP_SWIGLU);
    assert_false(c.qkv_bias);
    assert_false(c.tied_head);
}

static void test_from_json__kinds_of_each_family(void **state) {
    (void)state;
    struct model_config gpt2 = golden_config("gpt2");
    assert_int_equal(gpt2.mlp_hidden, 48); /* n_inner null: 4 D */
    assert_int_equal(gpt2.mlp, MODEL_MLP_GELU_TANH);
    assert_true(gpt2.tied_head && gpt2.qkv_bias && gpt2.mlp_bias);
    struct model_config untied = golden_config("gpt2_untied");
    assert_int_equal(untied.mlp_hidden, 20);
    assert_int_equal(untied.mlp, MODEL_MLP_RELU);
    assert_int_equal(untied.bos, -1);
    assert_int_equal(untied.eos_count, 0);
    assert_false(untied.tied_head);
    struct model_config opt = golden_config("opt");
    assert_int_equal(opt.position_offset, 2);
    assert_int_equal(opt.pad, 1);
    assert_int_equal(opt.bos, 2);
    struct model_config bare = golden_config("opt_bare");
    assert_false(bare.qkv_bias || bare.attn_out_bias || bare.mlp_bias);
    assert_int_equal(bare.mlp, MODEL_MLP_GELU);
    struct model_config biased = golden_config("llama_tied_bias");
    assert_true(biased.qkv_bias && biased.attn_out_bias && biased.tied_head);
    assert_int_equal(biased.eos_count, 2);
    assert_int_equal(biased.eos[0], 2);
    assert_int_equal(biased.eos[1], 7);
    assert_int_equal(golden_config("llama_linear").rope.kind, MODEL_ROPE_LINEAR);
    struct model_config qwen2 = golden_config("qwen2");
    assert_true(qwen2.qkv_bias && !qwen2.attn_out_bias && qwen2.tied_head && !qwen2.qk_norm);
    struct model_config qwen3 = golden_config("qwen3");
    assert_true(qwen3.qk_norm && !qwen3.qkv_bias);
    assert_int_equal(qwen3.head_dim, 10);
    assert_int_equal(qwen3.pad, 0);
    assert_near(golden_config("mistral").rope.theta, 1e6, 0.0);
}

/* The classes' own defaults: `Qwen3Config()` has 32 key-value heads and head_dim 128, ... */
static void test_from_json__defaults_differ_by_family(void **state) {
    (void)state;
    struct model_config llama = config_of("{\"model_type\": \"llama\"}");
    assert_int_equal(llama.kv_heads, 32);
    assert_int_equal(llama.head_dim, 128);
    assert_int_equal(llama.mlp_hidden, 11008);
    assert_int_equal(llama.bos, 1);
    assert_int_equal(config_of("{\"model_type\": \"mistral\", \"sliding_window\": null}").kv_heads,
                     8);
    struct model_config qwen3 =
        config_of("{\"model_type\": \"qwen3\", \"hidden_size\": 1024, "
                  "\"num_attention_heads\": 16, \"num_key_value_heads\": 8}");
    assert_int_equal(qwen3.head_dim, 128);
    assert_int_equal(
        config_of("{\"model_type\": \"qwen2\", \"num_key_value_heads\": null}").kv_heads, 32);
    assert_true(config_of("{\"model_type\": \"opt\"}").tied_head);
    assert_true(config_of("{\"model_type\": \"gpt2\"}").tied_head);
    assert_false(llama.tied_head);
    /* 50256, the class's default, is not in this vocabulary, and nobody stated it. */
    struct model_config small = config_of("{\"model_type\": \"gpt2\", \"vocab_size\": 100}");
    assert_int_equal(small.bos, -1);
    assert_int_equal(small.eos_count, 0);
}

static void test_from_json__rope_of_both_spellings(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"model_type\": \"llama\", \"rope_theta\": 5e5, \"rope_scaling\": {\"factor\": 32.0, "
        "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"rope_type\": \"llama3\", "
        "\"original_max_position_embeddings\": 8192}}",
        "{\"model_type\": \"llama\", \"rope_parameters\": {\"factor\": 32.0, \"rope_theta\": 5e5, "
        "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"rope_type\": \"llama3\", "
        "\"original_max_position_embeddings\": 8192}}",
        /* rope_scaling, and theta inside, go before what stands beside */
        "{\"model_type\": \"llama\", \"rope_theta\": 7, \"rope_scaling\": {\"factor\": 32.0, "
        "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"type\": \"llama3\", "
        "\"rope_theta\": 5e5, \"original_max_position_embeddings\": 8192}, "
        "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 3}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct model_config c = config_of(texts[i]);
        assert_int_equal(c.rope.kind, MODEL_ROPE_LLAMA3);
        assert_near(c.rope.theta, 5e5, 0.0);
        assert_near(c.rope.factor, 32.0, 0.0);
        assert_int_equal(c.rope.original_context, 8192);
    }
    struct model_config linear = config_of(
        "{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}");
    assert_int_equal(linear.rope.kind, MODEL_ROPE_LINEAR);
    assert_near(linear.rope.factor, 2.0, 0.0);
    assert_near(linear.rope.theta, 10000.0, 0.0);
}

static void test_from_json__other_computations_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\"model_type\": \"gemma2\"}", "'gemma2' is none of gpt2, opt, llama"},
        {"{}", "model_type"},
        {"{\"model_type\": \"opt\", \"do_layer_norm_before\": false}", "opt-350m"},
        {"{\"model_type\": \"opt\", \"word_embed_proj_dim\": 512}",
         "512 differs from hidden_size 768"},
        {"{\"model_type\": \"opt\", \"_remove_final_layer_norm\": true}", "no final norm"},
        {"{\"model_type\": \"opt\", \"layer_norm_elementwise_affine\": false}", "norms without"},
        {"{\"model_type\": \"opt\", \"activation_function\": \"tanh\"}", "activation 'tanh'"},
        {"{\"model_type\": \"gpt2\", \"scale_attn_by_inverse_layer_idx\": true}",
         "scaled by layer"},
        {"{\"model_type\": \"gpt2\", \"scale_attn_weights\": false}", "scale_attn_weights"},
        {"{\"model_type\": \"gpt2\", \"activation_function\": \"silu\"}", "activation 'silu'"},
        {"{\"model_type\": \"gpt2\", \"add_cross_attention\": true}", "attention to an encoder"},
        {"{\"model_type\": \"llama\", \"mlp_bias\": true}", "$.mlp_bias"},
        {"{\"model_type\": \"llama\", \"hidden_act\": \"gelu\"}", "silu is"},
        {"{\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"gptq\"}}",
         "quantised by 'gptq'"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}",
         "rope type 'dynamic'"},
        {"{\"model_type\": \"qwen3\", \"rope_parameters\": {\"rope_type\": \"yarn\"}}", "'yarn'"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"linear\"}}", "factor"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": \"linear\"}", "expected object"},
        {"{\"model_type\": \"llama\", \"partial_rotary_factor\": 0.5}", "partial_rotary_factor"},
        {"{\"model_type\": \"mistral\"}", "4096 tokens (the default of sliding_window)"},
        {"{\"model_type\": \"mistral\", \"sliding_window\": 1024}", "1024 tokens is shorter"},
        {"{\"model_type\": \"qwen2\", \"use_sliding_window\": true}", "4096"},
        {"{\"model_type\": \"llama\", \"num_attention_heads\": 7}", "no multiple of 7"},
        {"{\"model_type\": \"llama\", \"num_key_value_heads\": 5}", "5 key-value heads"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 0}", "$.hidden_size: 0 is not positive"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 1e300}", "hidden_size"},
        {"{\"model_type\": \"llama\", \"eos_token_id\": 32000}", "32000 is outside"},
        {"{\"model_type\": \"llama\", \"eos_token_id\": [1,1,1,1,1,1,1,1,1]}", "9 ids"},
        {"{\"model_type\": \"llama\", \"num_hidden_layers\": 2000000000}",
         "parameters, limit 2^40"},
        {"{\"model_type\": \"llama\", \"head_dim\": 63}", "63 is odd"},
        {"{\"model_type\": \"llama\", \"rms_norm_eps\": 0}", "norm epsilon 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(cases[i].text, cases[i].part);
    }
}

/* ---- heads ---- */

#define SCORED_LLAMA \
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForSequenceClassification\"], "

static void test_from_json__heads_by_class(void **state) {
    (void)state;
    for (size_t i = 0; i < SCORED_COUNT; i++) {
        assert_int_equal(golden_config(scored[i]).head, MODEL_HEAD_SCORE);
    }
    assert_int_equal(golden_config("qwen3").head, MODEL_HEAD_LM);
    assert_int_equal(config_of("{\"model_type\": \"llama\"}").head, MODEL_HEAD_LM);
    assert_int_equal(config_of("{\"model_type\": \"llama\", \"architectures\": null}").head,
                     MODEL_HEAD_LM);
    assert_int_equal(config_of(SCORED_LLAMA "\"num_labels\": 1}").head, MODEL_HEAD_SCORE);
    assert_int_equal(config_of(SCORED_LLAMA "\"id2label\": {\"0\": \"good\"}}").head,
                     MODEL_HEAD_SCORE);
}

static void test_from_json__several_labels_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {SCORED_LLAMA "\"num_labels\": 3}", "$.num_labels: 3 labels: only models of one score"},
        {SCORED_LLAMA "\"id2label\": {\"0\": \"a\", \"1\": \"b\"}}", "$.id2label: 2 labels"},
        {SCORED_LLAMA "\"num_labels\": 1, \"id2label\": {}}", "$.id2label: 0 labels"},
        {SCORED_LLAMA "\"id2label\": 7}", "expected object"},
        {SCORED_LLAMA "\"id2label\": null}", "2 labels (the default without id2label)"},
        {"{\"model_type\": \"qwen2\", \"num_labels\": 1, "
         "\"architectures\": [\"LlamaForSequenceClassification\"]}",
         "is not the Qwen2ForSequenceClassification of a qwen2"},
        {"{\"model_type\": \"llama\", \"architectures\": \"LlamaForCausalLM\"}", "expected array"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(cases[i].text, cases[i].part);
    }
}

static void test_need_head__says_what_the_model_is(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct model_config lm = golden_config("gpt2");
    const struct model_config score = golden_config("gpt2_score");
    assert_ok(model_config_need_head(&lm, MODEL_HEAD_LM, &err), &err);
    assert_ok(model_config_need_head(&score, MODEL_HEAD_SCORE, &err), &err);
    assert_fails(model_config_need_head(&score, MODEL_HEAD_LM, &err), ERR_DATA,
                 "GPT2ForSequenceClassification gives scores of texts, no next tokens", &err);
    assert_fails(model_config_need_head(&lm, MODEL_HEAD_SCORE, &err), ERR_DATA,
                 "GPT2LMHeadModel gives next tokens, no scores", &err);
}

/* transformers pools the last token that is not the pad id. */
static void test_check_pad__of_scores_only(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = golden_config("llama_score"); /* pad 0, eos 2 */
    assert_ok(model_config_check_pad(&config, &err), &err);
    config.pad = 2;
    assert_fails(model_config_check_pad(&config, &err), ERR_DATA,
                 "its pad_token_id 2 is an eos_token_id too", &err);
    config.pad = -1;
    assert_fails(model_config_check_pad(&config, &err), ERR_DATA, "and no pad_token_id", &err);
    config.head = MODEL_HEAD_LM;
    assert_ok(model_config_check_pad(&config, &err), &err);
}

/* The window of a Qwen counts only for layers that look through it. */
static void test_from_json__windows_that_hide_nothing_pass(void **state) {
    (void)state;
    (void)config_of("{\"model_type\": \"qwen2\", \"use_sliding_window\": true, "
                    "\"max_window_layers\": 32}");
    (void)config_of("{\"model_type\": \"qwen2\", \"use_sliding_window\": true, "
                    "\"num_hidden_layers\": 1, \"layer_types\": [\"full_attention\"]}");
    (void)config_of("{\"model_type\": \"mistral\", \"max_position_embeddings\": 4096}");
    (void)config_of("{\"model_type\": \"mistral\", \"sliding_window\": 131072}");
    (void)config_of("{\"model_type\": \"gpt2\", \"reorder_and_upcast_attn\": true}");
    (void)config_of("{\"model_type\": \"llama\", \"pretraining_tp\": 4, \"pad_token_id\": -1}");
}

static void test_read_generation__states_ids_anew(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config c = config_of("{\"model_type\": \"llama\", \"eos_token_id\": 2}");
    const char *text = "{\"eos_token_id\": [5, 6], \"pad_token_id\": 9, \"temperature\": 0.6}";
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(text, strlen(text), "generation_config.json", NULL, &doc, &err), &err);
    assert_ok(model_config_read_generation(doc, &c, &err), &err);
    assert_int_equal(c.eos_count, 2);
    assert_int_equal(c.eos[1], 6);
    assert_int_equal(c.pad, 9);
    assert_int_equal(c.bos, 1);
}

/* ---- writing ---- */

static void test_write_json__reads_back_the_same(void **state) {
    (void)state;
    for (size_t m = 0; m < MODEL_COUNT + SCORED_COUNT; m++) {
        struct error err = ERROR_INIT;
        struct model_config config =
            golden_config(m < MODEL_COUNT ? models[m] : scored[m - MODEL_COUNT]);
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1U << 16);
        struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
        model_config_write_json(&config, "bfloat16", &w);
        assert_ok(json_writer_finish(&w, &err), &err);
        struct model_config again = config_of(strbuf_text(&text));
        assert_same_config(&config, &again);
    }
}

/* ---- presets ---- */

static void test_preset_of__is_the_name_behind_the_prefix(void **state) {
    (void)state;
    assert_string_equal(model_preset_of("preset:tiny"), "tiny");
    assert_string_equal(model_preset_of("preset:"), "");
    assert_null(model_preset_of("models/preset:tiny"));
    assert_null(model_preset_of("preset"));
}

static void test_presets__have_the_sizes_of_the_table(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    static const struct {
        const char *name;
        int64_t parameters;
    } expected[] = {
        {"tiny", 1000576},   {"small", 7999744},  {"15m", 15191712},   {"42m", 41689600},
        {"110m", 109529856}, {"135m", 134515008}, {"360m", 361821120},
    };
    int64_t count = 0;
    const char *const *names = model_preset_names(&count);
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (int64_t i = 0; i < count; i++) {
        struct model_config c;
        assert_string_equal(names[i], expected[i].name);
        assert_ok(model_config_from_preset(names[i], &c, &err), &err);
        assert_int_equal(model_parameters(&c), expected[i].parameters);
    }
    struct model_config untouched;
    assert_fails(model_config_from_preset("tniy", &untouched, &err), ERR_USAGE,
                 "did you mean 'tiny'?", &err);
}

/* ---- rope ---- */

/* transformers' own tables. Its power is one of at most 1 unit error, ours is rounded correctly. */
static void test_rope_frequencies__those_of_transformers(void **state) {
    (void)state;
    int64_t tables = 0;
    for (size_t m = 0; m < MODEL_COUNT; m++) {
        struct error err = ERROR_INIT;
        struct model_config config = golden_config(models[m]);
        char path[512];
        (void)snprintf(path, sizeof path, MODELS "%s/logits.safetensors", models[m]);
        SCOPED(safetensors) struct safetensors *golden = NULL;
        assert_ok(safetensors_open(path, &golden, &err), &err);
        const struct safetensors_tensor *tensor = safetensors_find(golden, "inv_freq");
        assert_int_equal(tensor != NULL, config.position == MODEL_POSITION_ROPE);
        if (!tensor) {
            continue;
        }
        float expected[64];
        float values[64];
        assert_int_equal(tensor->shape[0], config.head_dim / 2);
        memcpy(expected, tensor->data, tensor->bytes);
        model_rope_frequencies(&config, values);
        for (int64_t i = 0; i < config.head_dim / 2; i++) {
            assert_near((double)values[i], (double)expected[i], (double)expected[i] * 0x1p-22);
        }
        tables++;
    }
    assert_int_equal(tables, 7);
}

/* ---- layout ---- */

static void test_layout__index_and_place_agree(void **state) {
    (void)state;
    for (size_t m = 0; m < MODEL_COUNT + SCORED_COUNT; m++) {
        struct model_config config =
            golden_config(m < MODEL_COUNT ? models[m] : scored[m - MODEL_COUNT]);
        int64_t elements = 0;
        for (int64_t i = 0; i < model_layout_count(&config); i++) {
            struct model_tensor tensor = model_layout_at(&config, i);
            assert_int_equal(model_layout_index(&config, tensor.role, tensor.layer), i);
            elements += model_tensor_elements(&tensor);
        }
        assert_int_equal(elements, model_parameters(&config));
    }
}

/* D 16, H 4, H_kv 2, d 10 (qwen3): q [40, 16], k [20, 16], out [16, 40]. */
static void test_layout__names_and_shapes_of_qwen3(void **state) {
    (void)state;
    struct model_config config = golden_config("qwen3");
    struct model_tensor q = model_layout_of(&config, MODEL_Q, 1);
    assert_string_equal(q.name, "layers.1.attn.q.weight");
    assert_int_equal(q.shape[0], 40);
    assert_int_equal(q.shape[1], 16);
    assert_true(q.decay);
    assert_int_equal(q.block_rows, 10); /* a head, of d rows: D / H would be 4 */
    struct model_tensor out = model_layout_of(&config, MODEL_ATTN_OUT, 0);
    assert_int_equal(out.block_rows, 1);
    assert_int_equal(model_layout_of(&config, MODEL_K, 0).block_rows, 10);
    assert_int_equal(model_layout_of(&config, MODEL_K_NORM, 0).block_rows, 10); /* whole */
    assert_int_equal(model_layout_of(&config, MODEL_ATTN_NORM, 0).block_rows, 16);
    assert_int_equal(out.shape[0], 16);
    assert_int_equal(out.shape[1], 40);
    assert_int_equal(model_layout_of(&config, MODEL_K, 0).shape[0], 20);
    assert_int_equal(model_layout_of(&config, MODEL_K_NORM, 0).shape[0], 10);
    assert_string_equal(model_layout_at(&config, 0).name, "embed.weight");
    int64_t last = model_layout_count(&config) - 1;
    assert_string_equal(model_layout_at(&config, last).name, "head.weight");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_json__llama3_of_transformers),
        cmocka_unit_test(test_from_json__kinds_of_each_family),
        cmocka_unit_test(test_from_json__defaults_differ_by_family),
        cmocka_unit_test(test_from_json__rope_of_both_spellings),
        cmocka_unit_test(test_from_json__other_computations_are_refused_by_name),
        cmocka_unit_test(test_from_json__heads_by_class),
        cmocka_unit_test(test_from_json__several_labels_are_refused),
        cmocka_unit_test(test_need_head__says_what_the_model_is),
        cmocka_unit_test(test_check_pad__of_scores_only),
        cmocka_unit_test(test_from_json__windows_that_hide_nothing_pass),
        cmocka_unit_test(test_read_generation__states_ids_anew),
        cmocka_unit_test(test_write_json__reads_back_the_same),
        cmocka_unit_test(test_preset_of__is_the_name_behind_the_prefix),
        cmocka_unit_test(test_presets__have_the_sizes_of_the_table),
        cmocka_unit_test(test_rope_frequencies__those_of_transformers),
        cmocka_unit_test(test_layout__index_and_place_agree),
        cmocka_unit_test(test_layout__names_and_shapes_of_qwen3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
