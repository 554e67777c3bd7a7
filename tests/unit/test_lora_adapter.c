/* test_lora_adapter.c - adapters in PEFT's files, against updates that PEFT itself computed
 * (tests/golden/make_lora.py), and merging by hand. */
#include "policy/lora_adapter.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tensor/safetensors.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define LLAMA                                                                           \
    "{\"model_type\": \"llama\", \"vocab_size\": 32, \"hidden_size\": 16,"              \
    " \"intermediate_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 4," \
    " \"num_key_value_heads\": 2, \"tie_word_embeddings\": true}"
#define GPT2                                                                         \
    "{\"model_type\": \"gpt2\", \"vocab_size\": 32, \"n_embd\": 16, \"n_layer\": 2," \
    " \"n_head\": 4, \"n_positions\": 32}"

static struct model_config config_of(const char *text) {
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    struct model_config config;
    assert_ok(json_parse(text, strlen(text), "config.json", NULL, &doc, &err), &err);
    assert_ok(model_config_from_json(doc, &config, &err), &err);
    return config;
}

/* --- merging --- */

/* r 2, alpha 3, scale 1.5: B A = [1 2; 0 1] [1 0 2; 3 1 0] = [7 2 2; 3 1 0], added to ones. */
static void test_merge__adds_the_scaled_product(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config =
        config_of("{\"model_type\": \"llama\", \"vocab_size\": 8, \"hidden_size\": 3,"
                  " \"intermediate_size\": 2, \"num_hidden_layers\": 1, \"num_attention_heads\": 1,"
                  " \"head_dim\": 2, \"tie_word_embeddings\": true}");
    const struct lora_config lora = {.rank = 2, .alpha = 3, .target_roles = 1U << MODEL_MLP_UP};
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    assert_ok(lora_adapter_new(&config, &lora, &adapter, &err), &err);
    const struct lora_pair pair = lora_adapter_pair(adapter, MODEL_MLP_UP, 0);
    assert_int_equal(pair.out, 2);
    assert_int_equal(pair.in, 3);
    memcpy(pair.a, (float[]){1, 0, 2, 3, 1, 0}, 6 * sizeof(float));
    memcpy(pair.b, (float[]){1, 2, 0, 1}, 4 * sizeof(float));
    float weight[] = {1, 1, 1, 1, 1, 1};
    const float merged[] = {11.5F, 4, 4, 5.5F, 2.5F, 1};
    lora_adapter_merge(adapter, MODEL_MLP_UP, 0, weight);
    assert_memory_equal(weight, merged, sizeof merged);
    lora_adapter_merge(adapter, MODEL_Q, 0, weight); /* not adapted */
    assert_memory_equal(weight, merged, sizeof merged);
    assert_near(lora_scale_of(&(struct lora_config){.rank = 4, .alpha = 3, .rank_scaled = true}),
                1.5, 0);
}

static void test_config_check__names_what_is_wrong(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_config config = config_of(LLAMA);
    const struct {
        struct lora_config lora;
        const char *message;
    } cases[] = {
        {{.rank = 0, .alpha = 1, .target_roles = 1U << MODEL_Q}, "lora: rank 0 is outside [1, "},
        {{.rank = 1, .alpha = 0, .target_roles = 1U << MODEL_Q}, "alpha 0 is not positive"},
        {{.rank = 1, .alpha = 1}, "lora: no target weights"},
        {{.rank = 1, .alpha = 1, .target_roles = 1U << MODEL_EMBED},
         "lora: a target is no linear weight of a llama model"},
        {{.rank = 1, .alpha = 1, .target_roles = 1U << MODEL_Q_BIAS},
         "lora: a target is no linear weight of a llama model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(lora_config_check(&cases[i].lora, &config, &err), ERR_CONFIG, cases[i].message,
                     &err);
    }
}

/* --- PEFT's files --- */

struct golden {
    const char *name, *config;
    int64_t modules;
};

static const struct golden goldens[] = {{"llama", LLAMA, 6},
                                        {"llama_patterns", LLAMA, 4},
                                        {"gpt2", GPT2, 4},
                                        {"llama_score", LLAMA, 5}};

/* Modules of PEFT, and ours behind each; gpt2's c_attn is three. */
struct weight {
    const char *module; /* with %d for the layer */
    enum model_role roles[3];
    int roles_count;
};

static const struct weight weights[] = {
    {"model.layers.%d.self_attn.q_proj", {MODEL_Q}, 1},
    {"model.layers.%d.self_attn.k_proj", {MODEL_K}, 1},
    {"model.layers.%d.self_attn.v_proj", {MODEL_V}, 1},
    {"model.layers.%d.mlp.up_proj", {MODEL_MLP_UP}, 1},
    {"model.layers.%d.mlp.down_proj", {MODEL_MLP_DOWN}, 1},
    {"transformer.h.%d.attn.c_attn", {MODEL_Q, MODEL_K, MODEL_V}, 3},
    {"transformer.h.%d.mlp.c_proj", {MODEL_MLP_DOWN}, 1},
};

/* The update of our weights against PEFT's, which sums in f32: 1e-6 of numbers around 10. */
static void check_update(const struct lora_adapter *adapter, const struct weight *weight,
                         int64_t layer, const struct safetensors_tensor *expected) {
    const float *next = expected->data;
    for (int r = 0; r < weight->roles_count; r++) {
        const struct lora_pair pair = lora_adapter_pair(adapter, weight->roles[r], layer);
        assert_non_null(pair.a);
        const size_t elements = (size_t)(pair.out * pair.in);
        SCOPED(mem) float *update = mem_array_zero(elements, sizeof *update);
        assert_non_null(update);
        lora_adapter_merge(adapter, weight->roles[r], layer, update);
        for (size_t i = 0; i < elements; i++) {
            float value = 0;
            memcpy(&value, next + i, sizeof value);
            assert_near((double)update[i], (double)value, 1e-5);
        }
        next += elements;
    }
    assert_ptr_equal(next, (const char *)expected->data + expected->bytes);
}

static void check_updates(const struct lora_adapter *adapter, const struct golden *golden) {
    struct error err = ERROR_INIT;
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN_FOLDER "/lora/%s/merged.safetensors", golden->name);
    SCOPED(safetensors) struct safetensors *file = NULL;
    assert_ok(safetensors_open(path, &file, &err), &err);
    int64_t met = 0;
    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++) {
        for (int layer = 0; layer < 2; layer++) {
            char module[128];
            const char *mark = strstr(weights[w].module, "%d");
            (void)snprintf(module, sizeof module, "%.*s%d%s", (int)(mark - weights[w].module),
                           weights[w].module, layer, mark + 2);
            const struct safetensors_tensor *expected = safetensors_find(file, module);
            if (expected) {
                check_update(adapter, &weights[w], layer, expected);
                met++;
            }
        }
    }
    const struct safetensors_tensor *score = safetensors_find(file, "score.weight");
    const enum model_head_kind head = lora_adapter_model(adapter)->head;
    assert_int_equal(head, score ? MODEL_HEAD_SCORE : MODEL_HEAD_LM);
    if (score) {
        assert_memory_equal(lora_adapter_score(adapter), score->data, score->bytes);
        met++;
    }
    assert_int_equal(met, golden->modules);
    assert_int_equal(safetensors_count(file), golden->modules);
}

static struct lora_adapter *read_golden(const struct golden *golden) {
    struct error err = ERROR_INIT;
    struct model_config config = config_of(golden->config);
    struct lora_adapter *adapter = NULL;
    char folder[512];
    (void)snprintf(folder, sizeof folder, GOLDEN_FOLDER "/lora/%s", golden->name);
    assert_true(lora_adapter_is_in(folder));
    assert_ok(lora_adapter_read(folder, &config, &adapter, &err), &err);
    return adapter;
}

static void test_read__gives_the_updates_that_peft_computes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        SCOPED(lora_adapter) struct lora_adapter *adapter = read_golden(&goldens[i]);
        check_updates(adapter, &goldens[i]);
    }
}

static void test_write__reads_back_as_the_same_updates(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        SCOPED(lora_adapter) struct lora_adapter *adapter = read_golden(&goldens[i]);
        SCOPED(lora_adapter) struct lora_adapter *again = NULL;
        struct model_config config = config_of(goldens[i].config);
        char *folder = scratch_path(scratch, goldens[i].name);
        assert_ok(lora_adapter_write(adapter, "base", folder, &err), &err);
        assert_ok(lora_adapter_read(folder, &config, &again, &err), &err);
        check_updates(again, &goldens[i]);
    }
}

/* Trained apart, q, k and v have an A each: one c_attn of three times the rank. */
static void test_write__joins_the_parts_of_gpt2(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(lora_adapter) struct lora_adapter *adapter = read_golden(&goldens[2]);
    SCOPED(lora_adapter) struct lora_adapter *again = NULL;
    struct model_config config = config_of(GPT2);
    lora_adapter_pair(adapter, MODEL_K, 1).a[0] += 1.0F;
    float expected[16 * 16] = {0};
    float got[16 * 16] = {0};
    lora_adapter_merge(adapter, MODEL_K, 1, expected);
    char *folder = scratch_path(scratch, "joined");
    assert_ok(lora_adapter_write(adapter, "base", folder, &err), &err);
    const char *text = scratch_read(scratch, "joined/adapter_config.json");
    assert_non_null(strstr(text, "\"transformer.h.1.attn.c_attn\": 12"));
    assert_null(strstr(text, "\"transformer.h.0.attn.c_attn\": 12"));
    assert_ok(lora_adapter_read(folder, &config, &again, &err), &err);
    assert_int_equal(lora_adapter_config(again).rank, 12);
    lora_adapter_merge(again, MODEL_K, 1, got);
    for (int i = 0; i < 16 * 16; i++) {
        assert_near((double)got[i], (double)expected[i], 1e-6);
    }
}

static void test_read__refuses_what_it_would_get_wrong(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct model_config llama = config_of(LLAMA);
    struct model_config gpt2 = config_of(GPT2);
    struct lora_adapter *adapter = NULL;
    SCOPED(lora_adapter) struct lora_adapter *good = read_golden(&goldens[0]);
    char *folder = scratch_path(scratch, "a");
    assert_ok(lora_adapter_write(good, "base", folder, &err), &err);
    assert_fails(lora_adapter_read(folder, &gpt2, &adapter, &err), ERR_DATA,
                 "adapts no weight of a gpt2 model of 2 layers", &err);
    const struct {
        const char *config, *message;
    } cases[] = {
        {"{\"peft_type\": \"PREFIX_TUNING\"}", "adapter of type 'PREFIX_TUNING'"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"use_dora\": true}",
         "adapters with 'use_dora' set are not supported"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"bias\": \"all\"}",
         "adapters with 'bias' set are not supported"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"modules_to_save\": [\"x\"]}",
         "adapters with 'modules_to_save' set are not supported"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"new_trick\": 3}",
         "adapters with 'new_trick' set are not supported"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8,"
         " \"init_lora_weights\": \"pissa\"}",
         "adapters with 'init_lora_weights' set are not supported"},
        {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"rank_pattern\": {\"q.*\": 2}}",
         "a pattern that is no plain name"},
        {"{\"peft_type\": \"LORA\", \"lora_alpha\": 8}", "missing key 'r'"},
        {"{\"peft_type\": \"LORA\", \"r\": 16, \"lora_alpha\": 8}", "has rank 16 here, and "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_write(scratch, "a/adapter_config.json", cases[i].config);
        folder = scratch_path(scratch, "a");
        assert_fails(lora_adapter_read(folder, &llama, &adapter, &err), ERR_DATA, cases[i].message,
                     &err);
        assert_null(adapter);
    }
}

/* A golden's tensors under another configuration. */
static void assert_read_fails(struct scratch *scratch, const char *config, const char *message) {
    struct error err = ERROR_INIT;
    struct model_config llama = config_of(LLAMA);
    struct lora_adapter *adapter = NULL;
    scratch_write(scratch, "a/adapter_config.json", config);
    assert_fails(lora_adapter_read(scratch_path(scratch, "a"), &llama, &adapter, &err), ERR_DATA,
                 message, &err);
    assert_null(adapter);
}

#define SEQ_CLS "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"task_type\": \"SEQ_CLS\""

static void test_read__heads_of_other_kinds_are_refused(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(lora_adapter) struct lora_adapter *lm = read_golden(&goldens[0]);
    assert_ok(lora_adapter_write(lm, "base", scratch_path(scratch, "a"), &err), &err);
    assert_read_fails(scratch, SEQ_CLS ", \"modules_to_save\": [\"score\", \"embed_tokens\"]}",
                      "a module 'embed_tokens' saved whole is not supported");
    assert_read_fails(scratch,
                      "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8,"
                      " \"task_type\": \"SEQ_CLS\"}",
                      "has no 'base_model.model.score.weight': the head was not saved");
    SCOPED(lora_adapter) struct lora_adapter *score = read_golden(&goldens[3]);
    struct model_config scored = *lora_adapter_model(score);
    struct lora_adapter *none = NULL;
    assert_fails(lora_adapter_read(GOLDEN_FOLDER "/lora/llama", &scored, &none, &err), ERR_DATA,
                 "task_type is not SEQ_CLS: this is an adapter of a language model", &err);
    assert_ok(lora_adapter_write(score, "base", scratch_path(scratch, "a"), &err), &err);
    assert_non_null(strstr(scratch_read(scratch, "a/adapter_config.json"), "\"SEQ_CLS\""));
    assert_ok(lora_adapter_read(scratch_path(scratch, "a"), &scored, &none, &err), &err);
    lora_adapter_free(none);
    assert_read_fails(scratch, "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4}",
                      "'base_model.model.score.weight' adapts no weight");
}

/* A stored head of two labels. */
static void test_read__one_score_only(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    static const float zeros[48];
    SCOPED(lora_adapter) struct lora_adapter *score = read_golden(&goldens[3]);
    assert_ok(lora_adapter_write(score, "base", scratch_path(scratch, "a"), &err), &err);
    const struct safetensors_tensor tensors[] = {
        {.name = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
         .dtype = SAFETENSORS_F32,
         .dims = 2,
         .shape = {2, 16},
         .data = zeros,
         .bytes = 32 * sizeof(float)},
        {.name = "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight",
         .dtype = SAFETENSORS_F32,
         .dims = 2,
         .shape = {24, 2},
         .data = zeros,
         .bytes = sizeof zeros},
        {.name = "base_model.model.score.weight",
         .dtype = SAFETENSORS_F32,
         .dims = 2,
         .shape = {2, 16},
         .data = zeros,
         .bytes = 32 * sizeof(float)},
    };
    assert_ok(safetensors_write(scratch_path(scratch, "a/adapter_model.safetensors"), tensors, 3,
                                NULL, 0, &err),
              &err);
    assert_read_fails(scratch, SEQ_CLS "}", "[2, 16]) should be [1, 16]: one score");
}

static enum err_code read_and_free(void *context, struct error *err) {
    const struct model_config *config = context;
    struct lora_adapter *adapter = NULL;
    enum err_code code = lora_adapter_read(GOLDEN_FOLDER "/lora/gpt2", config, &adapter, err);
    lora_adapter_free(adapter);
    return code;
}

static enum err_code read_scored_and_free(void *context, struct error *err) {
    const struct model_config *config = context;
    struct lora_adapter *adapter = NULL;
    enum err_code code =
        lora_adapter_read(GOLDEN_FOLDER "/lora/llama_score", config, &adapter, err);
    lora_adapter_free(adapter);
    return code;
}

static void test_read__survives_every_failing_allocation(void **state) {
    (void)state;
    struct model_config config = config_of(GPT2);
    alloc_loop_check(read_and_free, &config);
    config = config_of(LLAMA);
    alloc_loop_check(read_scored_and_free, &config);
}

static enum err_code write_one(void *context, struct error *err) {
    const void *const *both = context;
    return lora_adapter_write(both[0], "base", both[1], err);
}

static void test_write__survives_every_failing_allocation(void **state) {
    SCOPED(lora_adapter) struct lora_adapter *adapter = read_golden(&goldens[2]);
    SCOPED(lora_adapter) struct lora_adapter *scored = read_golden(&goldens[3]);
    const void *both[] = {adapter, scratch_path(*state, "b")};
    alloc_loop_check(write_one, both);
    both[0] = scored;
    alloc_loop_check(write_one, both);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge__adds_the_scaled_product),
        cmocka_unit_test(test_config_check__names_what_is_wrong),
        cmocka_unit_test(test_read__gives_the_updates_that_peft_computes),
        SCRATCH_TEST(test_write__reads_back_as_the_same_updates),
        SCRATCH_TEST(test_write__joins_the_parts_of_gpt2),
        SCRATCH_TEST(test_read__refuses_what_it_would_get_wrong),
        SCRATCH_TEST(test_read__heads_of_other_kinds_are_refused),
        SCRATCH_TEST(test_read__one_score_only),
        cmocka_unit_test(test_read__survives_every_failing_allocation),
        SCRATCH_TEST(test_write__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
