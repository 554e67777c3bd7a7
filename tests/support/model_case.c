/* model_case.c - see model_case.h. */
#include "tests/support/model_case.h"

#include "base/hash.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>

const char *model_case_path(const char *model) {
    static char path[512];
    (void)snprintf(path, sizeof path, GOLDEN_FOLDER "/models/%s", model);
    return path;
}

/* The layout's tensor of this name. */
static struct model_tensor find_tensor(const struct model_config *config, const char *name) {
    for (int64_t i = 0; i < model_layout_count(config); i++) {
        struct model_tensor tensor = model_layout_at(config, i);
        if (strcmp(tensor.name, name) == 0) {
            return tensor;
        }
    }
    fail_msg("no tensor '%s' in the layout", name);
    return model_layout_at(config, 0);
}

static void assert_tensor(const struct weight_source *source, const char *name, int64_t rows,
                          int64_t columns, const char *expected) {
    struct error err = ERROR_INIT;
    struct model_tensor tensor = find_tensor(weight_source_config(source), name);
    const int64_t count = model_tensor_elements(&tensor);
    assert_int_equal(tensor.shape[0], rows);
    assert_int_equal(tensor.shape[1], columns);
    SCOPED(mem) float *values = mem_array((size_t)count, sizeof *values);
    assert_ok(weight_source_read(source, &tensor, WEIGHT_F32, 1, values, &err), &err);
    struct hash_digest digest;
    char hex[HASH_HEX_BYTES];
    assert_ok(hash_bytes(values, (size_t)count * sizeof *values, &digest, &err), &err);
    hash_to_hex(&digest, hex);
    if (strcmp(hex, expected) != 0) {
        fail_msg("'%s' has other values than the golden model", name);
    }
}

void assert_weights_of(const struct weight_source *source, const char *model) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/weights.txt", model_case_path(model));
    FILE *list = fopen(path, "r");
    assert_non_null(list);
    char name[64];
    char digest[HASH_HEX_BYTES];
    int64_t rows = 0;
    int64_t columns = 0;
    int64_t count = 0;
    while (fscanf(list, "%63s %" SCNd64 " %" SCNd64 " %64s", name, &rows, &columns, digest) == 4) {
        assert_tensor(source, name, rows, columns, digest);
        count++;
    }
    (void)fclose(list);
    assert_int_equal(count, model_layout_count(weight_source_config(source)));
}

void assert_same_config(const struct model_config *a, const struct model_config *b) {
    assert_int_equal(a->family, b->family);
    assert_int_equal(a->head, b->head);
    assert_int_equal(model_parameters(a), model_parameters(b));
    assert_int_equal(a->heads, b->heads);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->context, b->context);
    assert_near(a->norm_eps, b->norm_eps, 0.0);
    assert_int_equal(a->rope.kind, b->rope.kind);
    assert_near(a->rope.theta, b->rope.theta, 0.0);
    assert_near(a->rope.factor, b->rope.factor, 0.0);
    assert_near(a->rope.low_freq_factor, b->rope.low_freq_factor, 0.0);
    assert_near(a->rope.high_freq_factor, b->rope.high_freq_factor, 0.0);
    assert_int_equal(a->rope.original_context, b->rope.original_context);
    assert_int_equal(a->mlp, b->mlp);
    assert_true(a->qkv_bias == b->qkv_bias && a->tied_head == b->tied_head);
    assert_int_equal(a->bos, b->bos);
    assert_int_equal(a->pad, b->pad);
    assert_int_equal(a->eos_count, b->eos_count);
    assert_memory_equal(a->eos, b->eos, (size_t)a->eos_count * sizeof a->eos[0]);
}
