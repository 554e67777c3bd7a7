/* safetensors_internal.h - what reading and writing share. */
#ifndef TENSOR_SAFETENSORS_INTERNAL_H
#define TENSOR_SAFETENSORS_INTERNAL_H

#include "tensor/safetensors.h"

#include <assert.h>
#include <stdbool.h>

#define SAFETENSORS_LENGTH_BYTES 8
#define SAFETENSORS_METADATA_KEY "__metadata__"

/* Data are mapped and written as they lie in memory. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little-endian");

/* Bytes that a tensor's dtype and shape take; false when they pass 2^63 - 1 or a dimension is
 * negative. The product of the dimensions must fit even if one of them is zero. */
bool safetensors_bytes_needed(const struct safetensors_tensor *tensor, int64_t *out_bytes);

/* "F32 [2, 3]" */
#define SAFETENSORS_TYPE_BYTES (16 + 22 * SAFETENSORS_DIMS_MAX)
const char *safetensors_format_type(const struct safetensors_tensor *tensor,
                                    char out[SAFETENSORS_TYPE_BYTES]);

#endif
