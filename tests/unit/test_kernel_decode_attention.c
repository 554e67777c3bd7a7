#include "tensor/kernels/kernel_decode_attention.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_decode_rows.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/near.h"

/* Legend: H query heads, H_kv key-value heads, d head_dim. Sequences are written position by
 * position through kernel_decode_rotate (without rotation), as the decoder does. */

#define ROWS_MAX  24
#define PAGES_MAX 128
#define TABLE_MAX 24 /* pages of a row: more than one chunk of 16 */

struct attention {
    struct kernel_kv_page page;
    int64_t heads;
    char *cache;
    size_t page_bytes;
    int32_t tables[ROWS_MAX][TABLE_MAX];
    struct kernel_kv_row rows[ROWS_MAX];
    struct kernel_attention_run runs[ROWS_MAX];
    int64_t row_count, run_count;
    float *qkv; /* [rows, (H + 2 H_kv) d] of the last position */
    void *queries;
    float *out; /* [rows, H d] */
};

static void *zeros(int64_t count, size_t bytes) {
    void *block = mem_array_zero((size_t)count, bytes);
    assert_non_null(block);
    return block;
}

static int64_t width_of(const struct attention *a) {
    return (a->heads + 2 * a->page.kv_heads) * a->page.head_dim;
}

static void attention_init(struct attention *a, enum kernel_operand operand, int64_t heads,
                           int64_t kv_heads, int64_t head_dim) {
    *a = (struct attention){.heads = heads};
    a->page = (struct kernel_kv_page){operand, kv_heads, head_dim};
    a->page_bytes = kernel_kv_page_layer_bytes(&a->page);
    a->cache = zeros(PAGES_MAX, a->page_bytes);
    a->qkv = zeros(ROWS_MAX * width_of(a), sizeof(float));
    a->queries = zeros(ROWS_MAX * heads * kernel_kv_page_dim(&a->page), sizeof(float));
    a->out = zeros(ROWS_MAX * heads * head_dim, sizeof(float));
}

static void attention_free(struct attention *a) {
    mem_free(a->cache);
    mem_free(a->qkv);
    mem_free(a->queries);
    mem_free(a->out);
}

/* What position `p` of sequence `s` projects to; the prompt's positions are the same for all. */
static void project(const struct attention *a, int64_t s, int64_t p, int64_t prompt, float *qkv) {
    struct rng rng = rng_stream(3, RNG_TEST, p, p < prompt ? 0 : s + 1);
    rng_fill_normal_f32(&rng, qkv, width_of(a));
}

static void rotate_share(void *context, const struct kernel_team *team) {
    kernel_decode_rotate(context, team);
}

static void write_position(struct attention *a, int64_t first_row, int64_t rows,
                           struct kernel_cpu cpu) {
    struct kernel_decode_rotate_args args = {.qkv = a->qkv + first_row * width_of(a),
                                             .rows = rows,
                                             .heads = a->heads,
                                             .page = &a->page,
                                             .row = a->rows + first_row,
                                             .cache = a->cache,
                                             .page_stride = a->page_bytes,
                                             .queries = a->queries};
    kernel_team_run(cpu, rotate_share, &args);
}

/* Sequence s with positions 0 to `last` in the pages of its table. */
static void write_sequence(struct attention *a, int64_t s, int64_t last, int64_t prompt,
                           struct kernel_cpu cpu) {
    for (int64_t p = 0; p <= last; p++) {
        a->rows[s] = (struct kernel_kv_row){p, a->tables[s]};
        project(a, s, p, prompt, a->qkv + s * width_of(a));
        write_position(a, s, 1, cpu);
    }
}

static void attend_share(void *context, const struct kernel_team *team) {
    kernel_attention_partial(context, team);
    kernel_team_wait(team);
    kernel_attention_merge(context, team);
}

static void attend(struct attention *a, struct kernel_cpu cpu) {
    write_position(a, 0, a->row_count, cpu);
    int64_t kv_heads = a->page.kv_heads;
    int64_t tasks = kernel_attention_plan(a->runs, a->run_count, a->rows, kv_heads, NULL);
    struct kernel_attention_args args = {.page = &a->page,
                                         .cache = a->cache,
                                         .page_stride = a->page_bytes,
                                         .heads = a->heads,
                                         .queries = a->queries,
                                         .row = a->rows,
                                         .rows = a->row_count,
                                         .task_count = tasks,
                                         .chunks_max = 2,
                                         .operand = KERNEL_OPERAND_F32,
                                         .out = a->out};
    struct kernel_attention_task *list = zeros(tasks, sizeof *list);
    (void)kernel_attention_plan(a->runs, a->run_count, a->rows, kv_heads, list);
    args.tasks = list;
    args.partial =
        zeros(kernel_attention_scratch(&a->page, a->heads, a->row_count, 2), sizeof *args.partial);
    kernel_team_run(cpu, attend_share, &args);
    mem_free(args.partial);
    mem_free(list);
}

static double held(const struct attention *a, float value) {
    bool is_bf16 = a->page.operand == KERNEL_OPERAND_BF16;
    return (double)(is_bf16 ? kernel_f32_of_bf16(kernel_bf16_of_f32(value)) : value);
}

/* Head h of a sequence at position `last`, by the formula, out [d]. */
static void expect(const struct attention *a, int64_t s, int64_t last, int64_t prompt, int64_t h,
                   double *out) {
    int64_t d = a->page.head_dim;
    float *qkv = zeros(width_of(a), sizeof *qkv);
    float *query = zeros(d, sizeof *query);
    double *score = zeros(last + 1, sizeof *score);
    int64_t key = (a->heads + h / (a->heads / a->page.kv_heads)) * d;
    project(a, s, last, prompt, qkv);
    memcpy(query, qkv + h * d, (size_t)d * sizeof *query);
    double total = 0.0;
    memset(out, 0, (size_t)d * sizeof *out);
    for (int64_t p = 0; p <= last; p++) {
        project(a, s, p, prompt, qkv);
        for (int64_t i = 0; i < d; i++) {
            score[p] += held(a, query[i]) * held(a, qkv[key + i]) / sqrt((double)d);
        }
        double weight = exp(score[p]); /* scores of normal values are small */
        total += weight;
        for (int64_t i = 0; i < d; i++) {
            out[i] += weight * held(a, qkv[key + a->page.kv_heads * d + i]);
        }
    }
    for (int64_t i = 0; i < d; i++) {
        out[i] /= total;
    }
    mem_free(qkv);
    mem_free(query);
    mem_free(score);
}

static const struct {
    int64_t heads, kv_heads, head_dim;
} shapes[] = {{3, 1, 8}, {4, 4, 10}, {3, 1, 64}, {7, 1, 80}};

/* f32: rounding of sums. bf16: weights rounded to 8 bits, averaged over many positions. */
static const double tolerances[] = {[KERNEL_OPERAND_F32] = 2e-6, [KERNEL_OPERAND_BF16] = 1e-2};

static void check_sequences(struct attention *a, const int64_t *lasts, int64_t prompt) {
    double expected[80];
    int64_t d = a->page.head_dim;
    for (int64_t s = 0; s < a->row_count; s++) {
        for (int64_t h = 0; h < a->heads; h++) {
            expect(a, s, lasts[s], prompt, h, expected);
            for (int64_t i = 0; i < d; i++) {
                assert_near((double)a->out[(s * a->heads + h) * d + i], expected[i],
                            tolerances[a->page.operand]);
            }
        }
    }
}

static void check_shape(int64_t shape, enum kernel_operand operand) {
    const int64_t lasts[] = {0, 1, 63, 64, 130, 1030}; /* the last one has two chunks */
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    struct attention a;
    attention_init(&a, operand, shapes[shape].heads, shapes[shape].kv_heads,
                   shapes[shape].head_dim);
    a.row_count = a.run_count = 6;
    int32_t next_page = 0;
    for (int64_t s = 0; s < 6; s++) {
        for (int64_t i = 0; i <= lasts[s] / KERNEL_PAGE_POSITIONS; i++) {
            a.tables[s][i] = next_page++;
        }
        write_sequence(&a, s, lasts[s], 0, sets[0]);
        a.runs[s] = (struct kernel_attention_run){s, 1, 0};
    }
    for (int64_t i = 0; i < count; i++) {
        attend(&a, sets[i]);
        check_sequences(&a, lasts, 0);
    }
    attention_free(&a);
}

static void test_kernel_attention__equals_softmax_in_double(void **state) {
    (void)state;
    for (int64_t shape = 0; shape < 4; shape++) {
        check_shape(shape, KERNEL_OPERAND_F32);
        check_shape(shape, KERNEL_OPERAND_BF16);
    }
}

/* Four samples of one prompt of 150 tokens, at positions 150, 151, 192 and 260: as one run that
 * shares two pages, and as runs of their own with pages of their own. */
static void test_kernel_attention__shared_pages_change_no_bit(void **state) {
    (void)state;
    enum { PROMPT = 150, SAMPLES = 4 };
    const int64_t lasts[SAMPLES] = {150, 151, 192, 260};
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t i = 0; i < count; i++) {
        struct attention own;
        struct attention shared;
        attention_init(&own, KERNEL_OPERAND_BF16, 6, 2, 24);
        attention_init(&shared, KERNEL_OPERAND_BF16, 6, 2, 24);
        int32_t next_page = 0;
        for (int64_t s = 0; s < SAMPLES; s++) {
            for (int64_t p = 0; p < 5; p++) {
                own.tables[s][p] = next_page++;
                shared.tables[s][p] = p < 2 ? (int32_t)p : own.tables[s][p];
            }
            write_sequence(&own, s, lasts[s], PROMPT, sets[i]);
            write_sequence(&shared, s, lasts[s], PROMPT, sets[i]);
            own.runs[s] = (struct kernel_attention_run){s, 1, 0};
        }
        shared.runs[0] = (struct kernel_attention_run){0, SAMPLES, 2};
        own.row_count = shared.row_count = own.run_count = SAMPLES;
        shared.run_count = 1;
        attend(&own, sets[i]);
        check_sequences(&own, lasts, PROMPT);
        for (int threads = 1; threads <= 3; threads++) {
            attend(&shared, (struct kernel_cpu){.threads = threads, .isa = sets[i].isa});
            assert_memory_equal(shared.out, own.out, SAMPLES * 6 * 24 * sizeof(float));
        }
        attention_free(&own);
        attention_free(&shared);
    }
}

/* Consecutive positions of one sequence in one run, each seeing what stands before it. */
static void test_kernel_attention__a_prompt_in_one_run_is_causal(void **state) {
    (void)state;
    enum { FIRST = 55, ROWS = 16 };
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t i = 0; i < count; i++) {
        struct attention a;
        attention_init(&a, KERNEL_OPERAND_F32, 4, 2, 16);
        int64_t lasts[ROWS];
        for (int64_t r = 0; r < ROWS; r++) {
            a.tables[r][0] = 5;
            a.tables[r][1] = 3;
            write_sequence(&a, r, FIRST + r, 1000, sets[i]);
            lasts[r] = FIRST + r;
        }
        a.row_count = ROWS;
        a.runs[0] = (struct kernel_attention_run){0, ROWS, 2};
        a.run_count = 1;
        attend(&a, sets[i]);
        check_sequences(&a, lasts, 1000);
        attention_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_attention__equals_softmax_in_double),
        cmocka_unit_test(test_kernel_attention__shared_pages_change_no_bit),
        cmocka_unit_test(test_kernel_attention__a_prompt_in_one_run_is_causal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
