/* stop_ids.c - see stop_ids.h. */
#include "trainer/stop_ids.h"

#include "data/chat_encode.h"

bool stop_ids_have(const struct stop_ids *stops, int64_t id) {
    for (int64_t i = 0; i < stops->count; i++) {
        if (stops->list[i] == id) {
            return true;
        }
    }
    return false;
}

static void add(struct stop_ids *stops, int64_t id) {
    if (id >= 0 && !stop_ids_have(stops, id)) {
        stops->list[stops->count++] = (int32_t)id;
    }
}

enum err_code stop_ids_find(const struct model_config *config, const struct tokenizer *tokenizer,
                            const struct chat_template *template, struct stop_ids *out,
                            struct error *err) {
    struct stop_ids stops = {.count = 0};
    int32_t end_of_turn = -1;
    for (int64_t i = 0; i < config->eos_count; i++) {
        add(&stops, config->eos[i]);
    }
    add(&stops, tokenizer_eos(tokenizer));
    if (template) {
        const struct chat_format format = {.tok = tokenizer, .template = template};
        TRY(chat_stop_id(&format, &end_of_turn, err));
        add(&stops, end_of_turn);
    }
    *out = stops;
    return ERR_OK;
}
