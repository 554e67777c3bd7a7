/* lora_peft.c - reading PEFT's files; see lora_adapter.h. */
#include "policy/lora_adapter_internal.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/invariant.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/safetensors.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool lora_adapter_is_in(const char *folder) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    struct error err = ERROR_INIT;
    return folder_path(folder, LORA_CONFIG_NAME, &path, &err) == ERR_OK &&
           file_exists(strbuf_text(&path));
}

enum err_code lora_adapter_base(const char *folder, struct strbuf *out, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    SCOPED(json) struct json *doc = NULL;
    const char *base = NULL;
    TRY(folder_path(folder, LORA_CONFIG_NAME, &path, err));
    TRY(json_parse_file(strbuf_text(&path), NULL, &doc, err));
    TRY(json_get_string(doc, json_root(doc), "base_model_name_or_path", &base, err));
    strbuf_add(out, base);
    return strbuf_check(out, "the model that an adapter was trained on", err);
}

/* --- modules ---------------------------------------------------------------------------------- */

void lora_module_name(const struct model_config *config, enum model_role role, int64_t layer,
                      char out[MODEL_PUBLISHED_BYTES]) {
    const struct model_family_table *table = model_family_table(config->family, MODEL_NAMES_HF);
    model_family_spell(table, model_family_entry(table, role), layer, false, out);
    out[strlen(out) - strlen(".weight")] = '\0';
}

void lora_key(const struct model_config *config, enum model_role role, int64_t layer, char half,
              char out[LORA_KEY_BYTES]) {
    char module[MODEL_PUBLISHED_BYTES];
    lora_module_name(config, role, layer, module);
    (void)snprintf(out, LORA_KEY_BYTES, LORA_KEY_PREFIX "%s.lora_%c.weight", module, half);
}

int64_t lora_part(const struct model_config *config, enum model_role role) {
    const struct model_family_table *table = model_family_table(config->family, MODEL_NAMES_HF);
    const struct model_family_entry *entry = model_family_entry(table, role);
    const bool joined =
        entry && (entry->transform == MODEL_JOINED || entry->transform == MODEL_JOINED_TRANSPOSED);
    return joined ? entry->part : -1;
}

/* --- reading: the configuration --------------------------------------------------------------- */

struct peft {
    const struct json *doc;
    const struct json_node *root;
    const struct json_node *rank_pattern, *alpha_pattern; /* NULL: none */
    int64_t rank;
    double alpha;
    bool rank_scaled;
    enum model_head_kind head;
};

/* A key that, where it is there, must be null, false, empty or one of `allowed`. */
static enum err_code refuse_key(const struct peft *peft, const char *key, const char *allowed,
                                struct error *err) {
    const struct json_node *node = json_find(peft->doc, peft->root, key);
    if (!node || json_kind_of(node) == JSON_KIND_NULL) {
        return ERR_OK;
    }
    const char *text = "";
    bool flag = true;
    switch (json_kind_of(node)) {
    case JSON_KIND_BOOL:
        TRY(json_as_bool(peft->doc, node, &flag, err));
        if (!flag) {
            return ERR_OK;
        }
        break;
    case JSON_KIND_STRING:
        TRY(json_as_string(peft->doc, node, &text, err));
        if (allowed && strcmp(text, allowed) == 0) {
            return ERR_OK;
        }
        break;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        if (json_count(peft->doc, node) == 0) {
            return ERR_OK;
        }
        break;
    case JSON_KIND_NULL:
    case JSON_KIND_NUMBER:
        break;
    }
    return json_refuse(peft->doc, node, err, "adapters with '%s' set are not supported", key);
}

/* Starting values that PISSA, OLoRA, LoftQ, CorDA and the like choose change the base model. */
static enum err_code check_initialisation(const struct peft *peft, struct error *err) {
    const struct json_node *node = json_find(peft->doc, peft->root, "init_lora_weights");
    if (!node || json_kind_of(node) != JSON_KIND_STRING) {
        return ERR_OK;
    }
    return refuse_key(peft, "init_lora_weights", "gaussian", err);
}

static enum err_code find_pattern(const struct peft *peft, const char *key,
                                  const struct json_node **out, struct error *err) {
    const struct json_node *node = json_find(peft->doc, peft->root, key);
    *out = NULL;
    if (!node || json_kind_of(node) == JSON_KIND_NULL) {
        return ERR_OK;
    }
    return json_as_object(peft->doc, node, out, err);
}

/* Keys that this file reads, or that change nothing in what the stored pairs compute. Whatever else
 * PEFT has or will have is refused where it is switched on. */
static enum err_code refuse_strangers(const struct peft *peft, struct error *err) {
    static const char *const known[] = {"alpha_pattern",
                                        "auto_mapping",
                                        "base_model_name_or_path",
                                        "bias",
                                        "ensure_weight_tying",
                                        "exclude_modules",
                                        "fan_in_fan_out",
                                        "inference_mode",
                                        "init_lora_weights",
                                        "layers_pattern",
                                        "layers_to_transform",
                                        "lora_alpha",
                                        "lora_dropout",
                                        "megatron_core",
                                        "modules_to_save",
                                        "peft_type",
                                        "peft_version",
                                        "qalora_group_size",
                                        "r",
                                        "rank_pattern",
                                        "revision",
                                        "runtime_config",
                                        "target_modules",
                                        "task_type",
                                        "use_rslora"};
    for (const struct json_node *m = json_first(peft->root); m; m = json_next(m)) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            is_known = is_known || strcmp(json_key(m), known[i]) == 0;
        }
        if (!is_known) {
            TRY(refuse_key(peft, json_key(m), NULL, err));
        }
    }
    return ERR_OK;
}

/* Modules that PEFT saves whole: of SEQ_CLS the two names that it knows heads by. */
static enum err_code check_saved(const struct peft *peft, struct error *err) {
    const struct json_node *saved = json_find(peft->doc, peft->root, "modules_to_save");
    if (peft->head == MODEL_HEAD_LM || !saved || json_kind_of(saved) != JSON_KIND_ARRAY) {
        return refuse_key(peft, "modules_to_save", NULL, err);
    }
    for (const struct json_node *m = json_first(saved); m; m = json_next(m)) {
        const char *name = NULL;
        TRY(json_as_string(peft->doc, m, &name, err));
        if (strcmp(name, "score") != 0 && strcmp(name, "classifier") != 0) {
            return json_refuse(peft->doc, m, err, "a module '%s' saved whole is not supported",
                               name);
        }
    }
    return ERR_OK;
}

static enum err_code read_head(struct peft *peft, struct error *err) {
    const struct json_node *task = json_find(peft->doc, peft->root, "task_type");
    const char *type = "";
    if (task && json_kind_of(task) != JSON_KIND_NULL) {
        TRY(json_as_string(peft->doc, task, &type, err));
    }
    peft->head = strcmp(type, "SEQ_CLS") == 0 ? MODEL_HEAD_SCORE : MODEL_HEAD_LM;
    return check_saved(peft, err);
}

static enum err_code read_config(const struct json *doc, struct peft *out, struct error *err) {
    struct peft peft = {.doc = doc, .root = json_root(doc)};
    const char *type = NULL;
    TRY(json_get_string(doc, peft.root, "peft_type", &type, err));
    if (strcmp(type, "LORA") != 0) {
        return json_refuse(doc, json_find(doc, peft.root, "peft_type"), err,
                           "adapter of type '%s'; LORA is what is read", type);
    }
    TRY(refuse_strangers(&peft, err));
    TRY(refuse_key(&peft, "bias", "none", err));
    TRY(read_head(&peft, err));
    TRY(check_initialisation(&peft, err));
    TRY(json_get_i64(doc, peft.root, "r", &peft.rank, err));
    TRY(json_get_f64(doc, peft.root, "lora_alpha", &peft.alpha, err));
    const struct json_node *scaled = json_find(doc, peft.root, "use_rslora");
    if (scaled) {
        TRY(json_as_bool(doc, scaled, &peft.rank_scaled, err));
    }
    TRY(find_pattern(&peft, "rank_pattern", &peft.rank_pattern, err));
    TRY(find_pattern(&peft, "alpha_pattern", &peft.alpha_pattern, err));
    *out = peft;
    return ERR_OK;
}

/* Whether a pattern of PEFT names the module: as a whole, or behind a dot. PEFT takes patterns as
 * regular expressions; what is more than a name is refused rather than guessed. */
static enum err_code names_module(const struct peft *peft, const struct json_node *member,
                                  const char *module, bool *out, struct error *err) {
    const char *pattern = json_key(member);
    if (pattern[strcspn(pattern, "^$*+?()[]{}|\\")] != '\0') {
        return json_refuse(peft->doc, member, err, "a pattern that is no plain name");
    }
    const size_t length = strlen(module);
    const size_t end = strlen(pattern);
    *out = length >= end && strcmp(module + length - end, pattern) == 0 &&
           (length == end || module[length - end - 1] == '.');
    return ERR_OK;
}

/* The first member of a pattern that names the module; NULL: none. */
static enum err_code find_member(const struct peft *peft, const struct json_node *pattern,
                                 const char *module, const struct json_node **out,
                                 struct error *err) {
    *out = NULL;
    for (const struct json_node *m = pattern ? json_first(pattern) : NULL; m; m = json_next(m)) {
        bool names = false;
        TRY(names_module(peft, m, module, &names, err));
        if (names) {
            *out = m;
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* What the update of this module is scaled by, whose matrices have rank `stored_rank`. */
static enum err_code module_scale(const struct peft *peft, const char *module, int64_t stored_rank,
                                  double *out, struct error *err) {
    struct lora_config lora = {
        .rank = peft->rank, .alpha = peft->alpha, .rank_scaled = peft->rank_scaled};
    const struct json_node *member = NULL;
    TRY(find_member(peft, peft->rank_pattern, module, &member, err));
    if (member) {
        TRY(json_as_i64(peft->doc, member, &lora.rank, err));
    }
    TRY(find_member(peft, peft->alpha_pattern, module, &member, err));
    if (member) {
        TRY(json_as_f64(peft->doc, member, &lora.alpha, err));
    }
    if (lora.rank < 1) {
        return json_refuse(peft->doc, peft->root, err, "rank %" PRId64 " is not positive",
                           lora.rank);
    }
    if (lora.rank != stored_rank) {
        return json_refuse(peft->doc, peft->root, err,
                           "%s has rank %" PRId64 " here, and %" PRId64 " in " LORA_MODEL_NAME,
                           module, lora.rank, stored_rank);
    }
    *out = lora_scale_of(&lora);
    return ERR_OK;
}

/* --- reading: the tensors --------------------------------------------------------------------- */

struct stored_pair {
    const struct safetensors_tensor *a, *b; /* both NULL: not adapted */
};

static struct stored_pair find_pair(const struct safetensors *file,
                                    const struct model_config *config, enum model_role role,
                                    int64_t layer) {
    char a[LORA_KEY_BYTES];
    char b[LORA_KEY_BYTES];
    lora_key(config, role, layer, 'A', a);
    lora_key(config, role, layer, 'B', b);
    return (struct stored_pair){.a = safetensors_find(file, a), .b = safetensors_find(file, b)};
}

static enum err_code check_pair(const struct stored_pair *stored, const struct model_tensor *weight,
                                int64_t parts, struct error *err) {
    if (!stored->a || !stored->b) {
        return err_set(err, ERR_DATA, "'%s' without its other half",
                       stored->a ? stored->a->name : stored->b->name);
    }
    const bool matrices = stored->a->dims == 2 && stored->b->dims == 2;
    if (!matrices || stored->a->shape[1] != weight->shape[1] ||
        stored->b->shape[0] != parts * weight->shape[0] ||
        stored->a->shape[0] != stored->b->shape[1] || stored->a->shape[0] < 1) {
        return err_set(err, ERR_DATA, "'%s' and '%s' do not fit %s [%" PRId64 ", %" PRId64 "]",
                       stored->a->name, stored->b->name, weight->name, weight->shape[0],
                       weight->shape[1]);
    }
    return ERR_OK;
}

/* Looks at every pair: which roles there are, the largest rank, how many tensors are used, the head
 * among them. */
struct survey {
    uint32_t roles;
    int64_t rank;
    int64_t tensors;
};

static enum err_code survey_pairs(const struct safetensors *file, const struct model_config *config,
                                  struct survey *out, struct error *err) {
    *out = (struct survey){.tensors = config->head == MODEL_HEAD_SCORE ? 1 : 0};
    for (int64_t layer = 0; layer < config->layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            if (!lora_can_target(config, role)) {
                continue;
            }
            const struct stored_pair stored = find_pair(file, config, role, layer);
            const int64_t part = lora_part(config, role);
            if (!stored.a && !stored.b) {
                continue;
            }
            const struct model_tensor weight = model_layout_of(config, role, layer);
            TRY(check_pair(&stored, &weight, part < 0 ? 1 : 3, err));
            ASSERT(stored.a); /* check_pair refused the half pair */
            out->roles |= 1U << role;
            out->rank = stored.a->shape[0] > out->rank ? stored.a->shape[0] : out->rank;
            out->tensors += part > 0 ? 0 : 2; /* a joined module is met three times */
        }
    }
    return ERR_OK;
}

/* Whether `name` is the head, or one of the pair of some weight of the model. */
static bool adapts_a_weight(const struct safetensors *file, const struct model_config *config,
                            const char *name) {
    if (config->head == MODEL_HEAD_SCORE && strcmp(name, LORA_SCORE_KEY) == 0) {
        return true;
    }
    for (int64_t layer = 0; layer < config->layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            if (!lora_can_target(config, role)) {
                continue;
            }
            const struct stored_pair stored = find_pair(file, config, role, layer);
            if ((stored.a && strcmp(stored.a->name, name) == 0) ||
                (stored.b && strcmp(stored.b->name, name) == 0)) {
                return true;
            }
        }
    }
    return false;
}

/* The first tensor that belongs to no weight of the model. */
static enum err_code refuse_stranger(const struct safetensors *file,
                                     const struct model_config *config, struct error *err) {
    for (int64_t i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        if (!adapts_a_weight(file, config, name)) {
            return err_set(err, ERR_DATA,
                           "'%s' adapts no weight of a %s model of %" PRId64 " layers", name,
                           model_family_name(config->family), config->layers);
        }
    }
    return ERR_OK;
}

/* Element `index` as f32; NaN for a dtype that is none of the three, which the caller refuses. */
static float element(const struct safetensors_tensor *tensor, int64_t index) {
    const unsigned char *data = tensor->data;
    const size_t place = (size_t)index;
    if (tensor->dtype == SAFETENSORS_F32) {
        float value = 0;
        memcpy(&value, data + place * sizeof value, sizeof value);
        return value;
    }
    uint16_t half = 0;
    memcpy(&half, data + place * sizeof half, sizeof half);
    return tensor->dtype == SAFETENSORS_BF16 ? kernel_f32_of_bf16(half) : kernel_f32_of_f16(half);
}

static enum err_code check_values(const struct safetensors_tensor *tensor, struct error *err) {
    if (tensor->dtype != SAFETENSORS_F32 && tensor->dtype != SAFETENSORS_BF16 &&
        tensor->dtype != SAFETENSORS_F16) {
        return err_set(err, ERR_DATA, "'%s' is %s; F32, BF16 and F16 are read", tensor->name,
                       safetensors_dtype_name(tensor->dtype));
    }
    const int64_t count = tensor->shape[0] * tensor->shape[1];
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(element(tensor, i))) {
            return err_set(err, ERR_DATA, "'%s' is not finite at element %" PRId64, tensor->name,
                           i);
        }
    }
    return ERR_OK;
}

/* Copies a stored pair; B times `factor`, ranks beyond the stored one stay zero. */
static void copy_pair(const struct stored_pair *stored, int64_t part, int64_t rank, double factor,
                      const struct lora_pair *out) {
    const int64_t stored_rank = stored->a->shape[0];
    for (int64_t r = 0; r < stored_rank; r++) {
        for (int64_t j = 0; j < out->in; j++) {
            out->a[r * out->in + j] = element(stored->a, r * out->in + j);
        }
    }
    const int64_t first_row = part > 0 ? part * out->out : 0;
    for (int64_t i = 0; i < out->out; i++) {
        for (int64_t r = 0; r < stored_rank; r++) {
            const float value = element(stored->b, (first_row + i) * stored_rank + r);
            out->b[i * rank + r] = (float)((double)value * factor);
        }
    }
}

static enum err_code read_pairs(const struct peft *peft, const struct safetensors *file,
                                struct lora_adapter *adapter, struct error *err) {
    const double scale = lora_scale_of(&adapter->lora);
    for (int64_t layer = 0; layer < adapter->model.layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            if (!lora_targets(&adapter->lora, role)) {
                continue;
            }
            const struct stored_pair stored = find_pair(file, &adapter->model, role, layer);
            if (!stored.a) {
                continue; /* adapted in other layers only */
            }
            char module[MODEL_PUBLISHED_BYTES];
            double own_scale = 0.0;
            lora_module_name(&adapter->model, role, layer, module);
            TRY(module_scale(peft, module, stored.a->shape[0], &own_scale, err));
            TRY(check_values(stored.a, err));
            TRY(check_values(stored.b, err));
            const struct lora_pair pair = lora_adapter_pair(adapter, role, layer);
            copy_pair(&stored, lora_part(&adapter->model, role), adapter->lora.rank,
                      own_scale / scale, &pair);
        }
    }
    return ERR_OK;
}

static enum err_code read_score(const struct safetensors *file, struct lora_adapter *adapter,
                                struct error *err) {
    const int64_t hidden = adapter->model.hidden;
    const struct safetensors_tensor *stored = safetensors_find(file, LORA_SCORE_KEY);
    if (!stored) {
        return err_set(err, ERR_DATA,
                       "task_type is SEQ_CLS, but " LORA_MODEL_NAME " has no '" LORA_SCORE_KEY
                       "': the head was not saved (modules_to_save); train it again");
    }
    if (stored->dims != 2 || stored->shape[0] != 1 || stored->shape[1] != hidden) {
        return err_set(err, ERR_DATA,
                       "'" LORA_SCORE_KEY "' (%" PRId64 " dimensions, [%" PRId64 ", %" PRId64
                       "]) should be [1, %" PRId64 "]: one score",
                       stored->dims, stored->shape[0], stored->shape[1], hidden);
    }
    TRY(check_values(stored, err));
    for (int64_t i = 0; i < hidden; i++) {
        adapter->score[i] = element(stored, i);
    }
    return ERR_OK;
}

/* An adapter may bring a head, but takes none away. */
static enum err_code check_head(const struct peft *peft, const struct model_config *base,
                                struct error *err) {
    if (peft->head == MODEL_HEAD_SCORE || base->head == MODEL_HEAD_LM) {
        return ERR_OK;
    }
    return json_refuse(peft->doc, peft->root, err,
                       "task_type is not SEQ_CLS: this is an adapter of a language model, and the "
                       "model gives scores");
}

static enum err_code read_folder(const char *folder, const struct model_config *base,
                                 struct lora_adapter **out, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    SCOPED(json) struct json *doc = NULL;
    SCOPED(safetensors) struct safetensors *file = NULL;
    struct peft peft = {.doc = NULL};
    struct model_config config = *base; /* of the model that base and adapter make */
    struct survey survey;
    TRY(folder_path(folder, LORA_CONFIG_NAME, &path, err));
    TRY(json_parse_file(strbuf_text(&path), NULL, &doc, err));
    TRY(read_config(doc, &peft, err));
    TRY(check_head(&peft, base, err));
    config.head = peft.head;
    TRY(folder_path(folder, LORA_MODEL_NAME, &path, err));
    TRY(safetensors_open(strbuf_text(&path), &file, err));
    TRY(survey_pairs(file, &config, &survey, err));
    if (survey.tensors != safetensors_count(file)) {
        TRY(refuse_stranger(file, &config, err));
    }
    const struct lora_config lora = {
        .rank = survey.rank,
        .alpha = peft.alpha,
        .rank_scaled = peft.rank_scaled,
        .target_roles = survey.roles,
    };
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    TRY(lora_adapter_new(&config, &lora, &adapter, err));
    TRY(read_pairs(&peft, file, adapter, err));
    if (config.head == MODEL_HEAD_SCORE) {
        TRY(read_score(file, adapter, err));
    }
    *out = MOVE(adapter);
    return ERR_OK;
}

enum err_code lora_adapter_read(const char *folder, const struct model_config *config,
                                struct lora_adapter **out, struct error *err) {
    return err_wrap(err, read_folder(folder, config, out, err), "adapter '%s'", folder);
}
