/* kernel_decode_attention.c - see kernel_decode_attention.h. */
#include "tensor/kernels/kernel_decode_attention.h"

#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_exp_internal.h"
#include "tensor/kernels/kernel_tile_internal.h"

#include <math.h>

#define POSITIONS    KERNEL_PAGE_POSITIONS
#define PAGE_VECTORS (POSITIONS / KERNEL_TILE_LANES)
#define BLOCK        KERNEL_TILE_ROWS_OF_4 /* queries at a time */
#define LINE_BYTES   64

/* In a query's state: the largest score, the sum of weights; the weighted values follow, on a
 * vector's boundary. */
#define STATE_MAX    0
#define STATE_SUM    1
#define STATE_VALUES KERNEL_TILE_LANES

struct attention_plan {
    const struct kernel_attention_args *args;
    kernel_tile_function tile;
    float scale; /* 1 / sqrt(d) */
    const struct kernel_team *team;
};

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t state_values(const struct kernel_kv_page *page) {
    return STATE_VALUES + kernel_kv_page_dim(page);
}

/* The state of query `index` (of those of a kv head: row by row, in each row head by head). */
static KERNEL_INLINE float *state_of(const struct kernel_attention_args *a, int64_t chunk,
                                     int64_t kv_head, int64_t index) {
    int64_t queries = a->rows * (a->heads / a->page->kv_heads);
    int64_t place = (chunk * a->page->kv_heads + kv_head) * queries + index;
    return a->partial + place * state_values(a->page);
}

/* Asks for piece `part` of `parts` of memory that the next block will read. Pages are short streams
 * at unrelated addresses, which the processor does not foresee; asked for all at once they would
 * hold up the loads behind them. docs/BENCHMARKS.md has what it gains. */
static KERNEL_INLINE void ask_for(const char *block, size_t bytes, int64_t part, int64_t parts) {
    size_t lines = bytes / LINE_BYTES;
    size_t end = lines * (size_t)(part + 1) / (size_t)parts;
    for (size_t line = lines * (size_t)part / (size_t)parts; line < end; line++) {
        __builtin_prefetch(block + line * LINE_BYTES, 0, 2);
    }
}

/* A block of queries against one page. */
struct page_block {
    int64_t kv_head;
    int64_t chunk;
    int64_t page_index; /* in the rows' tables */
    int64_t first;      /* query */
    int64_t count;      /* 1 to BLOCK */
    const char *next;   /* keys and values of the block after this one, or any that are here */
};

/* What a page adds to a query's sum of weights, and what older sums shrink by. */
struct page_sum {
    float sum;
    float decay;
};

/* Weights of one query over the page, exp(score - maximum) of the positions it may see and 0 for
 * the others, as operand of the product with the values; their sum is of what is multiplied. The
 * maximum is updated. A NaN among the scores makes the sum a NaN. */
static KERNEL_INLINE struct page_sum weigh(float scores[POSITIONS], float scale, int64_t visible,
                                           enum kernel_operand operand, float *state_max,
                                           void *out_weights) {
    for (int64_t p = visible; p < POSITIONS; p++) {
        scores[p] = -INFINITY;
    }
    float highest = -INFINITY;
#pragma omp simd reduction(max : highest)
    for (int64_t p = 0; p < POSITIONS; p++) {
        highest = scores[p] > highest ? scores[p] : highest;
    }
    float maximum = highest * scale > *state_max ? highest * scale : *state_max;
    struct page_sum result = {.decay = kernel_exp(*state_max - maximum)};
    *state_max = maximum;
    float sum = 0.0F;
    if (operand == KERNEL_OPERAND_BF16) {
        uint16_t *weights = out_weights;
#pragma omp simd reduction(+ : sum)
        for (int64_t p = 0; p < POSITIONS; p++) {
            weights[p] = kernel_bf16_of_f32(kernel_exp(scores[p] * scale - maximum));
            sum += kernel_f32_of_bf16(weights[p]);
        }
        result.sum = sum;
        return result;
    }
    float *weights = out_weights;
#pragma omp simd reduction(+ : sum)
    for (int64_t p = 0; p < POSITIONS; p++) {
        weights[p] = kernel_exp(scores[p] * scale - maximum);
        sum += weights[p];
    }
    result.sum = sum;
    return result;
}

static KERNEL_INLINE void score_block(const struct attention_plan *plan, const struct page_block *b,
                                      const char *keys, float scores[BLOCK * POSITIONS]) {
    const struct kernel_attention_args *a = plan->args;
    int64_t dim = kernel_kv_page_dim(a->page);
    int64_t per_head = a->rows * (a->heads / a->page->kv_heads);
    size_t query_at = (size_t)((b->kv_head * per_head + b->first) * dim);
    int64_t steps = kernel_tile_steps(a->page->operand, dim);
    plan->tile(&(struct kernel_tile){
        .x = (const char *)a->queries + query_at * kernel_operand_bytes(a->page->operand),
        .x_stride = dim,
        .w = keys,
        .w_stride = POSITIONS * kernel_tile_pair(a->page->operand),
        .steps = steps,
        .y = scores,
        .y_stride = POSITIONS,
        .rows = b->count,
        .vectors = PAGE_VECTORS,
        .prefetch = b->next,
        .prefetch_gap = steps * LINE_BYTES,
        .prefetch_stride = LINE_BYTES,
    });
}

/* Adds the page's values, weighted, to the states: at most four vectors of columns at a time. */
static KERNEL_INLINE void add_values(const struct attention_plan *plan, const struct page_block *b,
                                     const char *values, const void *weights,
                                     const float decay[BLOCK]) {
    const struct kernel_attention_args *a = plan->args;
    enum kernel_operand operand = a->page->operand;
    int64_t dim = kernel_kv_page_dim(a->page);
    int64_t pair = kernel_tile_pair(operand);
    for (int64_t column = 0; column < dim; column += POSITIONS) {
        float sums[BLOCK * POSITIONS];
        int64_t columns = smaller(POSITIONS, dim - column);
        plan->tile(&(struct kernel_tile){
            .x = weights,
            .x_stride = POSITIONS,
            .w = values + (size_t)(column * pair) * kernel_operand_bytes(operand),
            .w_stride = dim * pair,
            .steps = kernel_tile_steps(operand, POSITIONS),
            .y = sums,
            .y_stride = POSITIONS,
            .rows = b->count,
            .vectors = columns / KERNEL_TILE_LANES,
            .prefetch = b->next + 64 * LINE_BYTES,
            .prefetch_gap = 32 * LINE_BYTES,
            .prefetch_stride = LINE_BYTES,
        });
        for (int64_t q = 0; q < b->count; q++) {
            float *state = state_of(a, b->chunk, b->kv_head, b->first + q) + STATE_VALUES + column;
            KERNEL_SIMD
            for (int64_t c = 0; c < columns; c++) {
                state[c] = state[c] * decay[q] + sums[q * POSITIONS + c];
            }
        }
    }
}

static KERNEL_INLINE void start_state(float *state, int64_t values) {
    for (int64_t i = 0; i < values; i++) {
        state[i] = 0.0F;
    }
    state[STATE_MAX] = -INFINITY;
}

static KERNEL_INLINE int64_t last_page(const struct kernel_attention_args *a, int64_t row) {
    return a->row[row].position / POSITIONS;
}

static KERNEL_INLINE size_t block_bytes_of(const struct kernel_kv_page *page) {
    return (size_t)kernel_kv_page_block(page) * kernel_operand_bytes(page->operand);
}

/* Keys of a head in page `index` of a row; the values are behind them. */
static KERNEL_INLINE const char *keys_of(const struct kernel_attention_args *a, int64_t row,
                                         int64_t index, int64_t kv_head) {
    size_t page = (size_t)a->row[row].pages[index];
    return a->cache + page * a->page_stride + (size_t)(2 * kv_head) * block_bytes_of(a->page);
}

static KERNEL_INLINE void attend_block(const struct attention_plan *plan,
                                       const struct page_block *b) {
    const struct kernel_attention_args *a = plan->args;
    int64_t group = a->heads / a->page->kv_heads;
    int64_t row = b->first / group;
    enum kernel_operand operand = a->page->operand;
    size_t block_bytes = block_bytes_of(a->page);
    const char *keys = keys_of(a, row, b->page_index, b->kv_head);
    float scores[BLOCK * POSITIONS];
    float weights[BLOCK * POSITIONS]; /* room for either operand */
    float decay[BLOCK];
    score_block(plan, b, keys, scores);
    for (int64_t q = 0; q < b->count; q++) {
        ask_for(b->next + block_bytes, block_bytes, q, b->count);
        float *state = state_of(a, b->chunk, b->kv_head, b->first + q);
        if (b->page_index % KERNEL_ATTENTION_CHUNK_PAGES == 0) {
            start_state(state, state_values(a->page));
        }
        int64_t position = a->row[(b->first + q) / group].position;
        int64_t visible = position + 1 - b->page_index * POSITIONS;
        void *to = (char *)weights + (size_t)(q * POSITIONS) * kernel_operand_bytes(operand);
        struct page_sum added =
            weigh(scores + q * POSITIONS, plan->scale, visible, operand, &state[STATE_MAX], to);
        decay[q] = added.decay;
        state[STATE_SUM] = state[STATE_SUM] * decay[q] + added.sum;
    }
    add_values(plan, b, keys + block_bytes, weights, decay);
}

/* Queries [first, end), which share the page, block by block. */
static KERNEL_INLINE void attend_queries(const struct attention_plan *plan, struct page_block b,
                                         int64_t end) {
    for (; b.first < end; b.first += BLOCK) {
        b.count = smaller(BLOCK, end - b.first);
        attend_block(plan, &b);
    }
}

/* `next` is the page that the task's last row reads after this one. */
static KERNEL_INLINE void attend_page(const struct attention_plan *plan,
                                      const struct kernel_attention_task *task, int64_t index,
                                      const char *next) {
    const struct kernel_attention_args *a = plan->args;
    int64_t group = a->heads / a->page->kv_heads;
    int64_t end = task->run.first_row + task->run.rows;
    struct page_block b = {
        .kv_head = task->kv_head, .chunk = task->chunk, .page_index = index, .next = next};
    int64_t row = task->run.first_row;
    while (row < end && last_page(a, row) < index) {
        row++;
    }
    if (index < task->run.shared_pages) {
        b.first = row * group;
        attend_queries(plan, b, end * group);
        return;
    }
    for (; row < end; row++) {
        b.next = row + 1 < end ? keys_of(a, row + 1, index, task->kv_head) : next;
        b.first = row * group;
        attend_queries(plan, b, (row + 1) * group);
    }
}

static KERNEL_INLINE int64_t first_page_of(const struct kernel_attention_task *task) {
    return task->chunk * KERNEL_ATTENTION_CHUNK_PAGES;
}

/* Where a task begins to read. */
static KERNEL_INLINE const char *keys_of_task(const struct kernel_attention_args *a,
                                              const struct kernel_attention_task *task) {
    int64_t index = first_page_of(task);
    int64_t row = task->run.first_row;
    while (last_page(a, row) < index) {
        row++;
    }
    return keys_of(a, row, index, task->kv_head);
}

/* Every count-th task, beginning with this member's: neighbours cost about the same. */
static KERNEL_INLINE void partial_range(const struct attention_plan *plan, int64_t begin,
                                        int64_t end) {
    const struct kernel_attention_args *a = plan->args;
    for (int64_t t = begin; t < end; t += plan->team->count) {
        const struct kernel_attention_task *task = &a->tasks[t];
        int64_t last_row = task->run.first_row + task->run.rows - 1;
        int64_t first = first_page_of(task);
        int64_t stop = smaller(first + KERNEL_ATTENTION_CHUNK_PAGES, last_page(a, last_row) + 1);
        int64_t after = t + plan->team->count < end ? t + plan->team->count : t;
        for (int64_t index = first; index < stop; index++) {
            const char *next = index + 1 < stop ? keys_of(a, last_row, index + 1, task->kv_head)
                                                : keys_of_task(a, &a->tasks[after]);
            attend_page(plan, task, index, next);
        }
    }
}

KERNEL_VARIANTS(partial, struct attention_plan)

/* The chunks of one query, each with its maximum m and sum s: weights exp(m - largest m). */
static KERNEL_INLINE void merge_query(const struct kernel_attention_args *a, int64_t kv_head,
                                      int64_t index, int64_t chunks, int64_t out_at) {
    int64_t d = a->page->head_dim;
    float *first = state_of(a, 0, kv_head, index);
    for (int64_t chunk = 1; chunk < chunks; chunk++) {
        const float *other = state_of(a, chunk, kv_head, index);
        float maximum = first[STATE_MAX] > other[STATE_MAX] ? first[STATE_MAX] : other[STATE_MAX];
        float own = kernel_exp(first[STATE_MAX] - maximum);
        float its = kernel_exp(other[STATE_MAX] - maximum);
        first[STATE_MAX] = maximum;
        first[STATE_SUM] = first[STATE_SUM] * own + other[STATE_SUM] * its;
        KERNEL_SIMD
        for (int64_t i = STATE_VALUES; i < STATE_VALUES + d; i++) {
            first[i] = first[i] * own + other[i] * its;
        }
    }
    float share = 1.0F / first[STATE_SUM];
    for (int64_t i = 0; i < d; i++) {
        float value = first[STATE_VALUES + i] * share;
        if (a->operand == KERNEL_OPERAND_BF16) {
            ((uint16_t *)a->out)[out_at + i] = kernel_bf16_of_f32(value);
        } else {
            ((float *)a->out)[out_at + i] = value;
        }
    }
}

static KERNEL_INLINE void merge_range(const struct attention_plan *plan, int64_t begin,
                                      int64_t end) {
    const struct kernel_attention_args *a = plan->args;
    int64_t d = a->page->head_dim;
    int64_t group = a->heads / a->page->kv_heads;
    int64_t stride = kernel_operand_stride(a->operand, a->heads * d);
    for (int64_t item = begin; item < end; item++) {
        int64_t row = item / a->heads;
        int64_t head = item % a->heads;
        int64_t chunks = kernel_attention_chunks(a->row[row].position);
        merge_query(a, head / group, row * group + head % group, chunks, row * stride + head * d);
        if (head == a->heads - 1 && a->heads * d < stride) {
            ((uint16_t *)a->out)[row * stride + a->heads * d] = 0;
        }
    }
}

KERNEL_VARIANTS(merge, struct attention_plan)

static struct attention_plan plan_of(const struct kernel_attention_args *a,
                                     const struct kernel_team *team) {
    return (struct attention_plan){
        .args = a,
        .tile = kernel_tile_of(a->page->operand, team->isa),
        .scale = 1.0F / sqrtf((float)a->page->head_dim),
        .team = team,
    };
}

int64_t kernel_attention_chunks(int64_t position) {
    return position / (POSITIONS * KERNEL_ATTENTION_CHUNK_PAGES) + 1;
}

int64_t kernel_attention_plan(const struct kernel_attention_run *runs, int64_t run_count,
                              const struct kernel_kv_row *row, int64_t kv_heads,
                              struct kernel_attention_task *out_tasks) {
    int64_t count = 0;
    for (int64_t r = 0; r < run_count; r++) {
        int64_t last = row[runs[r].first_row + runs[r].rows - 1].position;
        int64_t tasks = kernel_attention_chunks(last) * kv_heads;
        for (int64_t t = 0; out_tasks && t < tasks; t++) {
            out_tasks[count + t] = (struct kernel_attention_task){
                .run = runs[r], .kv_head = t % kv_heads, .chunk = t / kv_heads};
        }
        count += tasks;
    }
    return count;
}

int64_t kernel_attention_scratch(const struct kernel_kv_page *page, int64_t heads, int64_t rows,
                                 int64_t chunks_max) {
    return rows * heads * chunks_max * state_values(page);
}

void kernel_attention_partial(const struct kernel_attention_args *a,
                              const struct kernel_team *team) {
    struct attention_plan plan = plan_of(a, team);
    kernel_variant(&partial_variants, team->isa)(&plan, team->index, a->task_count);
}

void kernel_attention_merge(const struct kernel_attention_args *a, const struct kernel_team *team) {
    struct attention_plan plan = plan_of(a, team);
    struct kernel_span items = kernel_team_share(team, a->rows * a->heads);
    kernel_variant(&merge_variants, team->isa)(&plan, items.begin, items.end);
}
