/* kernel_kv_page.h - the layout of one page of the key-value cache.
 *
 * A page holds KERNEL_PAGE_POSITIONS consecutive positions of one sequence: for each layer and each
 * key-value head a block of keys and a block of values, laid out so that both of attention's
 * products are tiles (kernel_tile_internal.h): keys [d][positions], values [positions][d], in pairs
 * for bf16, and d filled up to a multiple of 16 with zeros.
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_KV_PAGE_H
#define TENSOR_KERNELS_KERNEL_KV_PAGE_H

#include "tensor/kernels/kernel_matmul.h"

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PAGE_POSITIONS 64
#define KERNEL_HEAD_DIM_MAX   256

struct kernel_kv_page {
    enum kernel_operand operand;
    int64_t kv_heads;
    int64_t head_dim;
};

/* A position of a sequence: where it is, and the pages that hold the sequence up to it. */
struct kernel_kv_row {
    int64_t position;
    const int32_t *pages; /* [position / KERNEL_PAGE_POSITIONS + 1]; borrowed */
};

/* d filled up. */
static inline int64_t kernel_kv_page_dim(const struct kernel_kv_page *page) {
    return (page->head_dim + 15) / 16 * 16;
}

/* Values of the keys, or of the values, of one head. */
static inline int64_t kernel_kv_page_block(const struct kernel_kv_page *page) {
    return kernel_kv_page_dim(page) * KERNEL_PAGE_POSITIONS;
}

/* Bytes of one layer of a page. */
static inline size_t kernel_kv_page_layer_bytes(const struct kernel_kv_page *page) {
    return (size_t)(2 * page->kv_heads * kernel_kv_page_block(page)) *
           kernel_operand_bytes(page->operand);
}

#endif
