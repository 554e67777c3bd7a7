/* fake_torch.c - libraries with libtorch's names and nothing in them: what accord does when it
 * meets the wrong ones. Compiled once for each file of a fake torch package folder. */
#include <stdint.h>

/* As the real one in torch/csrc/inductor/aoti_torch/c/shim.h; FAKE_TORCH_VERSION is its value, and
 * undefined for a library too old to have it. */
#ifdef FAKE_TORCH_VERSION
__attribute__((visibility("default"))) uint64_t aoti_torch_abi_version(void);

uint64_t aoti_torch_abi_version(void) {
    return FAKE_TORCH_VERSION;
}
#else
extern int fake_torch_is_not_empty;
int fake_torch_is_not_empty = 1;
#endif
