/* kernel_random.cu - see kernel_random.h. */
#include "tensor/kernels/kernel_random.h"

#include "tensor/kernels/kernel_cuda_internal.cuh"
#include "tensor/kernels/kernel_random_internal.h"

namespace {

/* One generator block of four words a thread. Number 0 starts at word `first_word`, perhaps inside
 * a block, so a block's words are first_word-based numbers [word - first_word, ...). */
__global__ void uniform_kernel(const struct kernel_random_args a, int64_t first_word) {
    const int64_t first_block = first_word / RNG_BLOCK_WORDS;
    const int64_t blocks = (first_word + a.n - 1) / RNG_BLOCK_WORDS - first_block + 1;
    for (int64_t b = cuda_first_item(); b < blocks; b += cuda_item_stride()) {
        uint32_t words[RNG_BLOCK_WORDS];
        kernel_random_block(&a.rng, first_block + b, words);
        const int64_t number = (first_block + b) * RNG_BLOCK_WORDS - first_word;
        for (int w = 0; w < RNG_BLOCK_WORDS; w++) {
            if (number + w >= 0 && number + w < a.n) {
                a.out[number + w] = philox_uniform_f32(words[w]);
            }
        }
    }
}

/* One number a thread: its two words lie in one block or, after an odd number of draws, in two. */
__global__ void normal_kernel(const struct kernel_random_args a, int64_t first_word) {
    for (int64_t i = cuda_first_item(); i < a.n; i += cuda_item_stride()) {
        const int64_t word = first_word + i * RANDOM_WORDS_NORMAL;
        const int position = static_cast<int>(word % RNG_BLOCK_WORDS);
        uint32_t words[2 * RNG_BLOCK_WORDS];
        kernel_random_block(&a.rng, word / RNG_BLOCK_WORDS, words);
        if (position == RNG_BLOCK_WORDS - 1) {
            kernel_random_block(&a.rng, word / RNG_BLOCK_WORDS + 1, words + RNG_BLOCK_WORDS);
        }
        a.out[i] = kernel_random_normal(words[position], words[position + 1]);
    }
}

} // namespace

enum err_code kernel_random_uniform_cuda(const struct kernel_random_args *a, void *stream,
                                         struct error *err) {
    if (a->n == 0) {
        return ERR_OK;
    }
    const int64_t first_word = kernel_random_first_word(&a->rng, a->n, RANDOM_WORDS_UNIFORM);
    uniform_kernel<<<cuda_blocks(a->n / RNG_BLOCK_WORDS + 2), CUDA_THREADS, 0,
                     static_cast<cudaStream_t>(stream)>>>(*a, first_word);
    return cuda_check(cudaGetLastError(), "random_uniform", err);
}

enum err_code kernel_random_normal_cuda(const struct kernel_random_args *a, void *stream,
                                        struct error *err) {
    if (a->n == 0) {
        return ERR_OK;
    }
    const int64_t first_word = kernel_random_first_word(&a->rng, a->n, RANDOM_WORDS_NORMAL);
    normal_kernel<<<cuda_blocks(a->n), CUDA_THREADS, 0, static_cast<cudaStream_t>(stream)>>>(
        *a, first_word);
    return cuda_check(cudaGetLastError(), "random_normal", err);
}
