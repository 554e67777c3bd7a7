/* run_config.c - see run_config.h. */
#include "trainer/run_config.h"

#include "base/thread_count.h"

#include <string.h>

static const char *const dtypes[] = {"auto", "f32", "bf16"};

static const char *const log_levels[] = {
#define LOG_LEVEL_NAME(name, text) text,
    LOG_LEVELS(LOG_LEVEL_NAME)
#undef LOG_LEVEL_NAME
};

static bool is_device(const char *text) {
    if (strcmp(text, "cpu") == 0 || strcmp(text, "cuda") == 0) {
        return true;
    }
    const char *digits = strncmp(text, "cuda:", 5) == 0 ? text + 5 : "";
    size_t count = strspn(digits, "0123456789");
    return count >= 1 && count <= 2 && digits[count] == '\0';
}

/* Whether the device is there is another question, which the tensor half answers. */
static enum err_code validate(const void *config, struct error *err) {
    const struct run_config *run = config;
    if (!is_device(run->device)) {
        return err_set(err, ERR_CONFIG, "device = '%s' is not one of cpu, cuda, cuda:N",
                       run->device);
    }
    return ERR_OK;
}

static const struct config_field run_fields[] = {
    FIELD_U64(run_config, seed, "0", "every random number follows from it; see base/rng.h"),
    FIELD_I64(run_config, threads, "0", 0, THREAD_COUNT_MAX,
              "threads that compute; 0 takes the cores that this process may use"),
    FIELD_STRING(run_config, device, "cpu", "where tensors live: cpu, cuda or cuda:N"),
    FIELD_ENUM(run_config, dtype, "auto", dtypes,
               "type of weights in matrix products; auto takes the faster one on the device"),
    FIELD_ENUM(run_config, log_level, "info", log_levels,
               "least urgent lines that the log shows; --quiet and --verbose win over it"),
};

const struct config_table run_config_table =
    CONFIG_TABLE("run", run_config, run_fields, validate, "keys that every command has");

static const struct config_field plain_fields[] = {
    FIELD_SECTION(plain_config, run, run_config, &run_config_table, "keys that every command has"),
};

const struct config_table plain_config_table =
    CONFIG_TABLE("accord", plain_config, plain_fields, NULL, "keys of every command");
