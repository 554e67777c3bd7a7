/* kernel_decode_attention.h - attention of new positions over a paged key-value cache.
 *
 * Use:      tasks made by kernel_attention_plan once a step, the same for all layers; then for each
 *           layer, by all members of a team:
 *           kernel_attention_partial(&args, team);
 *           kernel_team_wait(team);
 *           kernel_attention_merge(&args, team);
 * Source:   online softmax over blocks of keys, Dao et al. 2022 (FlashAttention, arXiv 2205.14135);
 *           long caches in chunks that are merged by their log-sum-exp, Dao et al. 2023
 *           (Flash-Decoding); pages, Kwon et al. 2023 (PagedAttention, arXiv 2309.06180).
 *           Deviations: the queries of a group of heads, and of all rows that share a page, are one
 *           block of rows against it, so a prompt's page is read once for all its samples.
 * Repeats:  a row's result depends on its queries and its pages' contents only: each query goes
 *           through the pages in order, in chunks that begin at fixed positions, and block
 *           neighbours do not change a tile's sums. So sharing pages, batch and thread count change
 *           no bit; the instruction set does (kernel_matmul.h).
 * Numbers:  scores, softmax and sums in f32. With bf16 pages the weights are rounded to bf16 and
 *           normalised by the sum of the rounded ones.
 * Oracle:   softmax and sums in double (the test)
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_DECODE_ATTENTION_H
#define TENSOR_KERNELS_KERNEL_DECODE_ATTENTION_H

#include "tensor/kernels/kernel_kv_page.h"
#include "tensor/kernels/kernel_matmul.h"

#include <stdint.h>

#define KERNEL_ATTENTION_CHUNK_PAGES 16 /* 1,024 positions */

/* Consecutive rows with rising positions whose first `shared_pages` pages are the same ones: the
 * samples of one prompt, or consecutive positions of one sequence. */
struct kernel_attention_run {
    int64_t first_row;
    int64_t rows;
    int64_t shared_pages;
};

struct kernel_attention_task {
    struct kernel_attention_run run;
    int64_t kv_head;
    int64_t chunk;
};

struct kernel_attention_args {
    const struct kernel_kv_page *page;
    const char *cache;  /* this layer's part of page 0 */
    size_t page_stride; /* bytes from page to page */
    int64_t heads;
    const void *queries; /* [kv_heads, rows, heads / kv_heads, padded d], of the page's operand */
    const struct kernel_kv_row *row; /* [rows]: each attends to its own position and those before */
    int64_t rows;
    const struct kernel_attention_task *tasks;
    int64_t task_count;
    int64_t chunks_max;
    float *partial; /* [kernel_attention_scratch], contents undefined before and after */
    enum kernel_operand operand;
    void *out; /* [rows, kernel_operand_stride(operand, heads d)] */
};

/* Chunks of a row at `position`. */
int64_t kernel_attention_chunks(int64_t position);

/* How many tasks the runs give, and the tasks themselves. `out_tasks` may be NULL. */
int64_t kernel_attention_plan(const struct kernel_attention_run *runs, int64_t run_count,
                              const struct kernel_kv_row *row, int64_t kv_heads,
                              struct kernel_attention_task *out_tasks);

/* Floats of scratch memory for so many rows and chunks. */
int64_t kernel_attention_scratch(const struct kernel_kv_page *page, int64_t heads, int64_t rows,
                                 int64_t chunks_max);

void kernel_attention_partial(const struct kernel_attention_args *a,
                              const struct kernel_team *team);
void kernel_attention_merge(const struct kernel_attention_args *a, const struct kernel_team *team);

#endif
