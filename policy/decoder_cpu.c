/* decoder_cpu.c - see decoder_cpu.h.
 *
 * Legend: D hidden, H query heads, H_kv key-value heads, d head_dim, F mlp_hidden, V vocab.
 */
#include "policy/decoder_cpu.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tensor/kernels/kernel_decode_rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct layer {
    float *attn_norm, *attn_norm_bias; /* [D] */
    struct kernel_matrix qkv;          /* [(H + 2 H_kv) d, D] */
    float *qkv_bias;
    float *q_norm, *k_norm;        /* [d] */
    struct kernel_matrix attn_out; /* [D, H d] */
    float *attn_out_bias;
    float *mlp_norm, *mlp_norm_bias; /* [D] */
    struct kernel_matrix gate, up;   /* [F, D] */
    float *up_bias;
    struct kernel_matrix down; /* [D, F] */
    float *down_bias;
};

struct decoder_cpu {
    struct model_config config;
    struct decoder_cpu_options options;
    struct kernel_kv_page page;
    size_t layer_bytes; /* of a page */
    size_t page_bytes;

    void *memory; /* weights and scratch */
    struct kernel_matrix embed;
    struct kernel_matrix head;
    float *position; /* [offset + context, D] */
    float *final_norm, *final_norm_bias;
    struct layer *layers;
    float *cos_sin; /* [context, d] */

    void *cache_memory;
    char *cache;

    float *hidden;   /* [rows_max, D], the residual stream */
    void *normed;    /* [rows_max, D] operand */
    float *qkv;      /* [rows_max, (H + 2 H_kv) d] */
    void *queries;   /* [rows_max, H, padded d] cache operand */
    void *attended;  /* [rows_max, H d] operand */
    float *gate;     /* [rows_max, F] */
    float *up;       /* [rows_max, F] */
    void *activated; /* [rows_max, F] operand */

    float *partial; /* grows with the longest sequence */
    int64_t partial_count;
    struct kernel_attention_task *tasks;
    int64_t task_capacity;

    /* Of the forward pass going on. */
    const struct decoder_batch *batch;
    int64_t task_count;
    int64_t chunks_max;
    float *logits;
    int64_t part_start_ns; /* with a profile */
};

const char *decoder_cpu_part_name(enum decoder_cpu_part part) {
    static const char *const names[] = {
#define PART_NAME(name, text) text,
        DECODER_CPU_PARTS(PART_NAME)
#undef PART_NAME
    };
    return names[part];
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Hands out pieces of one block. Without a block it only counts, so the layout is written once. */
struct piecer {
    char *block;
    size_t used;
};

static void *take_bytes(struct piecer *piecer, size_t bytes) {
    size_t at = piecer->used;
    piecer->used += (bytes + KERNEL_MATRIX_ALIGN - 1) / KERNEL_MATRIX_ALIGN * KERNEL_MATRIX_ALIGN;
    return piecer->block ? piecer->block + at : NULL;
}

static float *take_floats(struct piecer *piecer, int64_t count) {
    return take_bytes(piecer, (size_t)count * sizeof(float));
}

static void *take_operands(struct piecer *piecer, enum kernel_operand operand, int64_t rows,
                           int64_t columns) {
    int64_t values = rows * kernel_operand_stride(operand, columns);
    return take_bytes(piecer, (size_t)values * kernel_operand_bytes(operand));
}

static char *align_block(void *block) {
    uintptr_t over = (uintptr_t)block % KERNEL_MATRIX_ALIGN;
    return (char *)block + (over > 0 ? KERNEL_MATRIX_ALIGN - over : 0);
}

/* Zeroed: a fresh matrix is a matrix of zeros, and large zeroed blocks cost nothing until they are
 * touched. */
static enum err_code make_block(size_t bytes, const char *what, void **out_memory,
                                struct error *err) {
    void *memory = mem_array_zero(bytes + KERNEL_MATRIX_ALIGN, 1);
    if (!memory) {
        return err_oom(err, what);
    }
    mem_prefer_huge_pages(memory, bytes);
    *out_memory = memory;
    return ERR_OK;
}

static struct kernel_matrix take_matrix(const struct decoder_cpu *cpu, struct piecer *piecer,
                                        int64_t n, int64_t k) {
    struct kernel_matrix matrix = kernel_matrix_of(n, k, cpu->options.weights);
    matrix.packed = take_bytes(piecer, kernel_matrix_bytes(&matrix));
    return matrix;
}

/* A vector of the layout, or NULL if this model has none. */
static float *take_vector(const struct decoder_cpu *cpu, struct piecer *piecer,
                          enum model_role role) {
    if (!model_has_role(&cpu->config, role)) {
        return NULL;
    }
    struct model_tensor tensor = model_layout_of(&cpu->config, role, 0);
    return take_floats(piecer, model_tensor_elements(&tensor));
}

static int64_t qkv_width(const struct model_config *config) {
    return (config->heads + 2 * config->kv_heads) * config->head_dim;
}

static void place_layer(const struct decoder_cpu *cpu, struct piecer *piecer, struct layer *layer) {
    const struct model_config *config = &cpu->config;
    int64_t hidden = config->hidden;
    layer->attn_norm = take_vector(cpu, piecer, MODEL_ATTN_NORM);
    layer->attn_norm_bias = take_vector(cpu, piecer, MODEL_ATTN_NORM_BIAS);
    layer->qkv = take_matrix(cpu, piecer, qkv_width(config), hidden);
    layer->qkv_bias = config->qkv_bias ? take_floats(piecer, qkv_width(config)) : NULL;
    layer->q_norm = take_vector(cpu, piecer, MODEL_Q_NORM);
    layer->k_norm = take_vector(cpu, piecer, MODEL_K_NORM);
    layer->attn_out = take_matrix(cpu, piecer, hidden, config->heads * config->head_dim);
    layer->attn_out_bias = take_vector(cpu, piecer, MODEL_ATTN_OUT_BIAS);
    layer->mlp_norm = take_vector(cpu, piecer, MODEL_MLP_NORM);
    layer->mlp_norm_bias = take_vector(cpu, piecer, MODEL_MLP_NORM_BIAS);
    if (model_has_role(config, MODEL_MLP_GATE)) {
        layer->gate = take_matrix(cpu, piecer, config->mlp_hidden, hidden);
    }
    layer->up = take_matrix(cpu, piecer, config->mlp_hidden, hidden);
    layer->up_bias = take_vector(cpu, piecer, MODEL_MLP_UP_BIAS);
    layer->down = take_matrix(cpu, piecer, hidden, config->mlp_hidden);
    layer->down_bias = take_vector(cpu, piecer, MODEL_MLP_DOWN_BIAS);
}

static void place_weights(struct decoder_cpu *cpu, struct piecer *piecer) {
    const struct model_config *config = &cpu->config;
    cpu->embed = take_matrix(cpu, piecer, config->vocab, config->hidden);
    cpu->head =
        config->tied_head ? cpu->embed : take_matrix(cpu, piecer, config->vocab, config->hidden);
    cpu->position = take_vector(cpu, piecer, MODEL_POSITION);
    for (int64_t l = 0; l < config->layers; l++) {
        place_layer(cpu, piecer, &cpu->layers[l]);
    }
    cpu->final_norm = take_vector(cpu, piecer, MODEL_FINAL_NORM);
    cpu->final_norm_bias = take_vector(cpu, piecer, MODEL_FINAL_NORM_BIAS);
    if (config->position == MODEL_POSITION_ROPE) {
        cpu->cos_sin = take_floats(piecer, cpu->options.context * config->head_dim);
    }
}

static void place_scratch(struct decoder_cpu *cpu, struct piecer *piecer) {
    const struct model_config *config = &cpu->config;
    enum kernel_operand operand = cpu->options.weights;
    int64_t rows = cpu->options.rows_max;
    cpu->hidden = take_floats(piecer, rows * config->hidden);
    cpu->normed = take_operands(piecer, operand, rows, config->hidden);
    cpu->qkv = take_floats(piecer, rows * qkv_width(config));
    cpu->queries = take_operands(piecer, cpu->options.cache, rows * config->heads,
                                 kernel_kv_page_dim(&cpu->page));
    cpu->attended = take_operands(piecer, operand, rows, config->heads * config->head_dim);
    cpu->gate = take_floats(piecer, rows * config->mlp_hidden);
    cpu->up = take_floats(piecer, rows * config->mlp_hidden);
    cpu->activated = take_operands(piecer, operand, rows, config->mlp_hidden);
}

static enum err_code make_memory(struct decoder_cpu *cpu, struct error *err) {
    struct piecer piecer = {0};
    place_weights(cpu, &piecer);
    place_scratch(cpu, &piecer);
    TRY(make_block(piecer.used, "packed weights", &cpu->memory, err));
    piecer = (struct piecer){.block = align_block(cpu->memory)};
    place_weights(cpu, &piecer);
    place_scratch(cpu, &piecer);
    size_t cache_bytes = 0;
    if (__builtin_mul_overflow((size_t)cpu->options.pages, cpu->page_bytes, &cache_bytes)) {
        return err_oom(err, "key-value cache");
    }
    TRY(make_block(cache_bytes, "key-value cache", &cpu->cache_memory, err));
    cpu->cache = align_block(cpu->cache_memory);
    return ERR_OK;
}

/* --- weights ---------------------------------------------------------------------------------- */

/* Where a tensor of the layout goes: rows of a packed matrix from `first` on, or a vector. */
struct destination {
    struct kernel_matrix *matrix;
    int64_t first;
    float *vector;
};

static struct destination vector_at(float *vector) {
    return (struct destination){.vector = vector};
}

static struct destination matrix_at(struct kernel_matrix *matrix, int64_t first) {
    return (struct destination){.matrix = matrix, .first = first};
}

static struct destination destination_in_layer(const struct decoder_cpu *cpu, struct layer *layer,
                                               enum model_role role) {
    int64_t keys = cpu->config.heads * cpu->config.head_dim;
    int64_t values = keys + cpu->config.kv_heads * cpu->config.head_dim;
    switch ((int64_t)role) {
    case MODEL_ATTN_NORM:
        return vector_at(layer->attn_norm);
    case MODEL_ATTN_NORM_BIAS:
        return vector_at(layer->attn_norm_bias);
    case MODEL_Q:
        return matrix_at(&layer->qkv, 0);
    case MODEL_K:
        return matrix_at(&layer->qkv, keys);
    case MODEL_V:
        return matrix_at(&layer->qkv, values);
    case MODEL_Q_BIAS:
        return vector_at(layer->qkv_bias);
    case MODEL_K_BIAS:
        return vector_at(layer->qkv_bias + keys);
    case MODEL_V_BIAS:
        return vector_at(layer->qkv_bias + values);
    case MODEL_Q_NORM:
        return vector_at(layer->q_norm);
    case MODEL_K_NORM:
        return vector_at(layer->k_norm);
    case MODEL_ATTN_OUT:
        return matrix_at(&layer->attn_out, 0);
    case MODEL_ATTN_OUT_BIAS:
        return vector_at(layer->attn_out_bias);
    case MODEL_MLP_NORM:
        return vector_at(layer->mlp_norm);
    case MODEL_MLP_NORM_BIAS:
        return vector_at(layer->mlp_norm_bias);
    case MODEL_MLP_GATE:
        return matrix_at(&layer->gate, 0);
    case MODEL_MLP_UP:
        return matrix_at(&layer->up, 0);
    case MODEL_MLP_UP_BIAS:
        return vector_at(layer->up_bias);
    case MODEL_MLP_DOWN:
        return matrix_at(&layer->down, 0);
    case MODEL_MLP_DOWN_BIAS:
        return vector_at(layer->down_bias);
    default:
        break;
    }
    invariant_failed(__FILE__, __LINE__, __func__, "a role outside the layers");
}

static struct destination destination_of(struct decoder_cpu *cpu,
                                         const struct model_tensor *tensor) {
    switch ((int64_t)tensor->role) {
    case MODEL_EMBED:
        return matrix_at(&cpu->embed, 0);
    case MODEL_POSITION:
        return vector_at(cpu->position);
    case MODEL_FINAL_NORM:
        return vector_at(cpu->final_norm);
    case MODEL_FINAL_NORM_BIAS:
        return vector_at(cpu->final_norm_bias);
    case MODEL_HEAD:
        return matrix_at(&cpu->head, 0);
    default:
        return destination_in_layer(cpu, &cpu->layers[tensor->layer], tensor->role);
    }
}

/* Vectors are read in place; matrices through `values`, which holds the largest. */
static enum err_code read_tensor(struct decoder_cpu *cpu, const struct decoder_weights *weights,
                                 const struct model_tensor *tensor, float *values,
                                 struct error *err) {
    struct destination to = destination_of(cpu, tensor);
    if (!to.matrix) {
        return weights->read(weights->context, tensor, to.vector, err);
    }
    TRY(weights->read(weights->context, tensor, values, err));
    kernel_matrix_pack(to.matrix, to.first, tensor->shape[0], values, cpu->options.cpu);
    return ERR_OK;
}

static enum err_code read_source(void *context, const struct model_tensor *tensor,
                                 float *out_values, struct error *err) {
    const struct weight_source *source = context;
    return weight_source_read(source, tensor, WEIGHT_F32, 1, out_values, err);
}

struct decoder_weights decoder_weights_of(struct weight_source *source) {
    return (struct decoder_weights){.read = read_source, .context = source};
}

static enum err_code cpu_refresh(void *self, const struct decoder_weights *weights,
                                 struct error *err) {
    struct decoder_cpu *cpu = self;
    int64_t largest = 0;
    int64_t count = model_layout_count(&cpu->config);
    for (int64_t i = 0; i < count; i++) {
        struct model_tensor tensor = model_layout_at(&cpu->config, i);
        int64_t elements = model_tensor_elements(&tensor);
        largest = elements > largest ? elements : largest;
    }
    SCOPED(mem) float *values = mem_array((size_t)largest, sizeof *values);
    if (!values) {
        return err_oom(err, "weights of one tensor");
    }
    for (int64_t i = 0; i < count; i++) {
        struct model_tensor tensor = model_layout_at(&cpu->config, i);
        TRY(read_tensor(cpu, weights, &tensor, values, err));
    }
    return ERR_OK;
}

/* Angles are products in f32, as transformers makes them; their cosines are rounded once. */
static enum err_code fill_cos_sin(struct decoder_cpu *cpu, struct error *err) {
    int64_t half = cpu->config.head_dim / 2;
    SCOPED(mem) float *frequencies = mem_array((size_t)half, sizeof *frequencies);
    if (!frequencies) {
        return err_oom(err, "rope frequencies");
    }
    model_rope_frequencies(&cpu->config, frequencies);
    for (int64_t position = 0; position < cpu->options.context; position++) {
        float *row = cpu->cos_sin + position * 2 * half;
        for (int64_t i = 0; i < half; i++) {
            float angle = (float)position * frequencies[i];
            row[i] = (float)cos((double)angle);
            row[half + i] = (float)sin((double)angle);
        }
    }
    return ERR_OK;
}

/* --- forward ---------------------------------------------------------------------------------- */

/* Every function of this part is run by all members of a team, each doing its share; a function
 * that reads what others wrote begins after a wait. */

/* All members have done their share of `part`. */
static void end_part(struct decoder_cpu *cpu, int64_t layer, enum decoder_cpu_part part,
                     const struct kernel_team *team) {
    kernel_team_wait(team);
    if (cpu->options.profile_ns && team->index == 0) {
        struct clock clock = clock_real();
        int64_t now_ns = clock_monotonic_ns(&clock);
        cpu->options.profile_ns[layer * DECODER_CPU_PART_COUNT + part] +=
            now_ns - cpu->part_start_ns;
        cpu->part_start_ns = now_ns;
    }
}

static void embed_rows(const struct decoder_cpu *cpu, const struct kernel_team *team) {
    const struct model_config *config = &cpu->config;
    struct kernel_span rows = kernel_team_share(team, cpu->batch->rows);
    for (int64_t row = rows.begin; row < rows.end; row++) {
        float *hidden = cpu->hidden + row * config->hidden;
        kernel_matrix_row(&cpu->embed, cpu->batch->tokens[row], hidden);
        if (config->position == MODEL_POSITION_LEARNED) {
            int64_t place = cpu->batch->row[row].position + config->position_offset;
            for (int64_t i = 0; i < config->hidden; i++) {
                hidden[i] += cpu->position[place * config->hidden + i];
            }
        }
    }
}

/* normed = norm(rows of hidden that `pick` lists, or all) */
static void norm_rows(const struct decoder_cpu *cpu, const float *weight, const float *bias,
                      const int64_t *pick, int64_t rows, const struct kernel_team *team) {
    kernel_decode_norm(
        &(struct kernel_decode_norm_args){
            .x = cpu->hidden,
            .pick = pick,
            .rows = rows,
            .n = cpu->config.hidden,
            .weight = weight,
            .bias = bias,
            .is_rms = cpu->config.norm == MODEL_NORM_RMS,
            .eps = (float)cpu->config.norm_eps,
            .operand = cpu->options.weights,
            .out = cpu->normed,
        },
        team);
}

static void attend(const struct decoder_cpu *cpu, const char *cache,
                   const struct kernel_team *team) {
    struct kernel_attention_args args = {
        .page = &cpu->page,
        .cache = cache,
        .page_stride = cpu->page_bytes,
        .heads = cpu->config.heads,
        .queries = cpu->queries,
        .row = cpu->batch->row,
        .rows = cpu->batch->rows,
        .tasks = cpu->tasks,
        .task_count = cpu->task_count,
        .chunks_max = cpu->chunks_max,
        .partial = cpu->partial,
        .operand = cpu->options.weights,
        .out = cpu->attended,
    };
    kernel_attention_partial(&args, team);
    kernel_team_wait(team);
    kernel_attention_merge(&args, team);
}

/* hidden += attention(norm(hidden)) */
static void run_attention(struct decoder_cpu *cpu, int64_t l, const struct kernel_team *team) {
    const struct model_config *config = &cpu->config;
    const struct layer *layer = &cpu->layers[l];
    int64_t rows = cpu->batch->rows;
    char *cache = cpu->cache + (size_t)l * cpu->layer_bytes;
    norm_rows(cpu, layer->attn_norm, layer->attn_norm_bias, NULL, rows, team);
    end_part(cpu, l, DECODER_CPU_NORM, team);
    kernel_matmul(&(struct kernel_matmul_args){.w = &layer->qkv,
                                               .x = cpu->normed,
                                               .rows = rows,
                                               .bias = layer->qkv_bias,
                                               .y = cpu->qkv,
                                               .y_stride = layer->qkv.n,
                                               .next = &layer->attn_out},
                  team);
    end_part(cpu, l, DECODER_CPU_QKV, team);
    kernel_decode_rotate(
        &(struct kernel_decode_rotate_args){
            .qkv = cpu->qkv,
            .rows = rows,
            .heads = config->heads,
            .page = &cpu->page,
            .row = cpu->batch->row,
            .cache = cache,
            .page_stride = cpu->page_bytes,
            .cos_sin = config->position == MODEL_POSITION_ROPE ? cpu->cos_sin : NULL,
            .q_norm = layer->q_norm,
            .k_norm = layer->k_norm,
            .eps = (float)config->norm_eps,
            .queries = cpu->queries,
        },
        team);
    end_part(cpu, l, DECODER_CPU_ROTATE, team);
    attend(cpu, cache, team);
    end_part(cpu, l, DECODER_CPU_ATTEND, team);
    kernel_matmul(&(struct kernel_matmul_args){.w = &layer->attn_out,
                                               .x = cpu->attended,
                                               .rows = rows,
                                               .bias = layer->attn_out_bias,
                                               .y = cpu->hidden,
                                               .y_stride = config->hidden,
                                               .accumulate = true,
                                               .next = &layer->up},
                  team);
    end_part(cpu, l, DECODER_CPU_ATTN_OUT, team);
}

static enum kernel_activation activation_of(enum model_mlp_kind kind) {
    static const enum kernel_activation activations[] = {
        [MODEL_MLP_RELU] = KERNEL_ACTIVATION_RELU,
        [MODEL_MLP_GELU] = KERNEL_ACTIVATION_GELU,
        [MODEL_MLP_GELU_TANH] = KERNEL_ACTIVATION_GELU_TANH,
        [MODEL_MLP_SWIGLU] = KERNEL_ACTIVATION_SILU,
    };
    return activations[kind];
}

/* up = x W_up^T (+ bias), gate likewise, activated = act(gate) up: each member on its columns. */
static void run_mlp_inside(const struct decoder_cpu *cpu, const struct layer *layer,
                           const struct kernel_team *team) {
    int64_t width = cpu->config.mlp_hidden;
    bool is_gated = cpu->config.mlp == MODEL_MLP_SWIGLU;
    struct kernel_matmul_args product = {.w = &layer->up,
                                         .x = cpu->normed,
                                         .rows = cpu->batch->rows,
                                         .bias = layer->up_bias,
                                         .y = cpu->up,
                                         .y_stride = width,
                                         .next = is_gated ? &layer->gate : &layer->down};
    kernel_matmul(&product, team);
    if (is_gated) {
        product.w = &layer->gate;
        product.bias = NULL;
        product.y = cpu->gate;
        product.next = &layer->down;
        kernel_matmul(&product, team);
    }
    kernel_decode_activate(
        &(struct kernel_decode_activate_args){
            .activation = activation_of(cpu->config.mlp),
            .gate = is_gated ? cpu->gate : cpu->up,
            .up = is_gated ? cpu->up : NULL,
            .rows = cpu->batch->rows,
            .n = width,
            .operand = cpu->options.weights,
            .out = cpu->activated,
        },
        kernel_matmul_columns(&layer->up, team), team);
}

/* hidden += mlp(norm(hidden)) */
static void run_mlp(struct decoder_cpu *cpu, int64_t l, const struct kernel_team *team) {
    const struct layer *layer = &cpu->layers[l];
    bool is_last = l == cpu->config.layers - 1;
    int64_t rows = cpu->batch->rows;
    norm_rows(cpu, layer->mlp_norm, layer->mlp_norm_bias, NULL, rows, team);
    end_part(cpu, l, DECODER_CPU_NORM, team);
    run_mlp_inside(cpu, layer, team);
    end_part(cpu, l, DECODER_CPU_MLP_UP, team);
    kernel_matmul(&(struct kernel_matmul_args){.w = &layer->down,
                                               .x = cpu->activated,
                                               .rows = rows,
                                               .bias = layer->down_bias,
                                               .y = cpu->hidden,
                                               .y_stride = cpu->config.hidden,
                                               .accumulate = true,
                                               .next = is_last ? &cpu->head : &layer[1].qkv},
                  team);
    end_part(cpu, l, DECODER_CPU_MLP_DOWN, team);
}

static void run_member(void *context, const struct kernel_team *team) {
    struct decoder_cpu *cpu = context;
    embed_rows(cpu, team);
    end_part(cpu, cpu->config.layers, DECODER_CPU_EMBED, team);
    for (int64_t l = 0; l < cpu->config.layers; l++) {
        run_attention(cpu, l, team);
        run_mlp(cpu, l, team);
    }
    const struct decoder_batch *batch = cpu->batch;
    norm_rows(cpu, cpu->final_norm, cpu->final_norm_bias, batch->wanted, batch->wanted_count, team);
    end_part(cpu, cpu->config.layers, DECODER_CPU_NORM, team);
    kernel_matmul(&(struct kernel_matmul_args){.w = &cpu->head,
                                               .x = cpu->normed,
                                               .rows = batch->wanted_count,
                                               .y = cpu->logits,
                                               .y_stride = cpu->config.vocab},
                  team);
    end_part(cpu, cpu->config.layers, DECODER_CPU_HEAD, team);
}

/* Room for the attention's tasks and partial results of this batch. */
static enum err_code plan_attention(struct decoder_cpu *cpu, struct error *err) {
    const struct decoder_batch *batch = cpu->batch;
    cpu->chunks_max = 1;
    for (int64_t row = 0; row < batch->rows; row++) {
        int64_t chunks = kernel_attention_chunks(batch->row[row].position);
        cpu->chunks_max = chunks > cpu->chunks_max ? chunks : cpu->chunks_max;
    }
    int64_t tasks = kernel_attention_plan(batch->runs, batch->run_count, batch->row,
                                          cpu->config.kv_heads, NULL);
    if (tasks > cpu->task_capacity) {
        void *grown = mem_array_resize(cpu->tasks, (size_t)tasks, sizeof *cpu->tasks);
        if (!grown) {
            return err_oom(err, "attention tasks");
        }
        cpu->tasks = grown;
        cpu->task_capacity = tasks;
    }
    int64_t floats =
        kernel_attention_scratch(&cpu->page, cpu->config.heads, batch->rows, cpu->chunks_max);
    if (floats > cpu->partial_count) {
        void *grown = mem_array_resize(cpu->partial, (size_t)floats, sizeof *cpu->partial);
        if (!grown) {
            return err_oom(err, "attention's partial results");
        }
        cpu->partial = grown;
        cpu->partial_count = floats;
    }
    cpu->task_count = kernel_attention_plan(batch->runs, batch->run_count, batch->row,
                                            cpu->config.kv_heads, cpu->tasks);
    return ERR_OK;
}

static enum err_code cpu_forward(void *self, const struct decoder_batch *batch, float *out_logits,
                                 struct error *err) {
    struct decoder_cpu *cpu = self;
    ASSERT_LE(batch->rows, cpu->options.rows_max);
    ASSERT_LE(batch->wanted_count, cpu->options.wanted_max);
    cpu->batch = batch;
    cpu->logits = out_logits;
    TRY(plan_attention(cpu, err));
    struct clock clock = clock_real();
    cpu->part_start_ns = clock_monotonic_ns(&clock);
    kernel_team_run(cpu->options.cpu, run_member, cpu);
    return ERR_OK;
}

/* --- pages and lifecycle ---------------------------------------------------------------------- */

static void cpu_page_clear(void *self, int32_t page) {
    struct decoder_cpu *cpu = self;
    memset(cpu->cache + (size_t)page * cpu->page_bytes, 0, cpu->page_bytes);
}

static void cpu_page_copy(void *self, int32_t from, int32_t to) {
    struct decoder_cpu *cpu = self;
    memcpy(cpu->cache + (size_t)to * cpu->page_bytes, cpu->cache + (size_t)from * cpu->page_bytes,
           cpu->page_bytes);
}

static void cpu_close(void *self) {
    struct decoder_cpu *cpu = self;
    if (!cpu) {
        return;
    }
    mem_free(cpu->memory);
    mem_free(cpu->cache_memory);
    mem_free(cpu->partial);
    mem_free(cpu->tasks);
    mem_free(cpu->layers);
    mem_free(cpu);
}

static const struct decoder_backend_functions cpu_functions = {
    .refresh = cpu_refresh,
    .page_clear = cpu_page_clear,
    .page_copy = cpu_page_copy,
    .forward = cpu_forward,
    .close = cpu_close,
};

static enum err_code build(struct decoder_cpu *cpu, const struct decoder_weights *weights,
                           struct error *err) {
    cpu->layers = mem_array_zero((size_t)cpu->config.layers, sizeof *cpu->layers);
    if (!cpu->layers) {
        return err_oom(err, "layers");
    }
    TRY(make_memory(cpu, err));
    if (cpu->config.position == MODEL_POSITION_ROPE) {
        TRY(fill_cos_sin(cpu, err));
    }
    return cpu_refresh(cpu, weights, err);
}

enum err_code decoder_cpu_open(const struct model_config *config,
                               const struct decoder_weights *weights,
                               const struct decoder_cpu_options *options,
                               struct decoder_backend *out, struct error *err) {
    if (config->head_dim > KERNEL_HEAD_DIM_MAX) {
        return err_set(err, ERR_LIMIT, "head_dim %" PRId64 " passes %d, the decoder's limit",
                       config->head_dim, KERNEL_HEAD_DIM_MAX);
    }
    struct decoder_cpu *cpu = mem_array_zero(1, sizeof *cpu);
    if (!cpu) {
        return err_oom(err, "decoder");
    }
    cpu->config = *config;
    cpu->options = *options;
    cpu->page = (struct kernel_kv_page){
        .operand = options->cache, .kv_heads = config->kv_heads, .head_dim = config->head_dim};
    cpu->layer_bytes = kernel_kv_page_layer_bytes(&cpu->page);
    cpu->page_bytes = cpu->layer_bytes * (size_t)config->layers;
    enum err_code code = build(cpu, weights, err);
    if (code != ERR_OK) {
        cpu_close(cpu);
        return code;
    }
    *out = (struct decoder_backend){
        .functions = &cpu_functions,
        .self = cpu,
        .pages = options->pages,
        .rows_max = options->rows_max,
        .wanted_max = options->wanted_max,
    };
    return ERR_OK;
}
