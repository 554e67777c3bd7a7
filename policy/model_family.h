/* model_family.h - published names of tensors, and how what they hold becomes ours: one table for
 * each family and format, used for reading and for writing.
 *
 * Use:      const struct model_family_table *table = model_family_table(family, MODEL_NAMES_HF);
 *           const struct model_family_entry *entry = model_family_entry(table, MODEL_Q);
 *           char name[MODEL_PUBLISHED_BYTES];
 *           model_family_spell(table, entry, layer, name);       //
 * model.layers.3.self_attn.q_proj...
 *
 *           Values go one way or the other by model_family_row: from the stored tensor to ours, or
 *           from ours into it.
 * Source:   transformers 5.23 (modeling_gpt2.py, modeling_opt.py, modeling_llama.py ...) and
 *           llama.cpp's gguf-py (tensor_mapping.py) and convert_hf_to_gguf.py; llama2.c's run.c.
 * Threads:  no state.
 */
#ifndef POLICY_MODEL_FAMILY_H
#define POLICY_MODEL_FAMILY_H

#include "policy/model_config.h"
#include "policy/model_layout.h"

#include <stdbool.h>
#include <stdint.h>

enum model_names { MODEL_NAMES_HF, MODEL_NAMES_GGUF, MODEL_NAMES_LLAMA2C };

/* What the stored tensor is, seen from ours.
 *   PLAIN      the same
 *   TRANSPOSED [in, out] (gpt2's Conv1D)
 *   JOINED     q, k and v in one, [3 rows, columns]: ours is the part-th third of its rows
 *   JOINED_TRANSPOSED  the same as [columns, 3 rows]: ours is a third of its columns, transposed
 *   PAIRS      rows of a head in the order of rope on neighbours, (0, 1), (2, 3) ...; ours turns
 *              (i, i + d/2): our row i is their row 2 i, our row i + d/2 their row 2 i + 1 */
enum model_transform {
    MODEL_PLAIN,
    MODEL_TRANSPOSED,
    MODEL_JOINED,
    MODEL_JOINED_TRANSPOSED,
    MODEL_PAIRS,
};

struct model_family_entry {
    enum model_role role;
    const char *name; /* behind the prefix of the layer, or of the body */
    enum model_transform transform;
    int64_t part; /* JOINED: 0 q, 1 k, 2 v */
    bool outside; /* before the body's prefix: "lm_head.weight" */
};

struct model_family_table {
    const char *body;  /* prefix of all but the head: "model.decoder." */
    const char *layer; /* behind the body: "layers." */
    const struct model_family_entry *entries;
    int64_t count;
};

/* NULL when the format does not have the family (opt in GGUF). */
const struct model_family_table *model_family_table(enum model_family_kind family,
                                                    enum model_names names);

/* The entry of a role, or NULL. */
const struct model_family_entry *model_family_entry(const struct model_family_table *table,
                                                    enum model_role role);

#define MODEL_PUBLISHED_BYTES 96

/* The name in the file; `bare` as files of the class without a head have it, without the first word
 * of the body's prefix ("decoder.layers.0.fc1.weight"). */
void model_family_spell(const struct model_family_table *table,
                        const struct model_family_entry *entry, int64_t layer, bool bare,
                        char out_name[MODEL_PUBLISHED_BYTES]);

/* Whether a tensor of this published name changes nothing: causal masks, rope tables. */
bool model_family_ignores(enum model_names names, const char *name);

/* Shape of the stored tensor that holds ours. */
void model_family_stored_shape(const struct model_family_entry *entry,
                               const struct model_tensor *tensor, int64_t out_shape[2]);

/* Where the `row`-th row of ours lies in the stored tensor of that shape: element j of our row is
 * element begin + j * step there. `head_dim` matters to PAIRS. */
struct model_row_place {
    int64_t begin, step;
};
struct model_row_place model_family_row(const struct model_family_entry *entry,
                                        const struct model_tensor *tensor, int64_t head_dim,
                                        int64_t row);

#endif
