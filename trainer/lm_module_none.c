/* lm_module_none.c - lm_module.h for a program that is built without libtorch. */
#include "trainer/lm_module.h"

static enum err_code fail_without_torch(struct error *err) {
    return err_set(err, ERR_UNAVAILABLE,
                   "this accord is built without libtorch: build it with -DACCORD_WITH_TORCH=ON");
}

enum err_code lm_module_find(const char *name, command_function *out_function, struct error *err) {
    (void)out_function;
    return err_wrap(err, fail_without_torch(err), "%s", name);
}

enum err_code lm_module_open_reward(void *run, const char *folder, struct reward **out_reward,
                                    struct error *err) {
    (void)run;
    (void)out_reward;
    return err_wrap(err, fail_without_torch(err), "%s", folder);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature of lm_module.h */
enum err_code lm_module_torch_folder(char out_path[PATH_MAX], struct error *err) {
    (void)out_path;
    return fail_without_torch(err);
}
