/* cmd_doctor.c - accord doctor: what this machine offers. */
#include "trainer/command_table.h"
#include "trainer/doctor.h"
#include "trainer/lm_module.h"

#define LM_FUNCTION "doctor"

/* With libtorch, the tensor half writes the whole report: it alone can ask libtorch. */
static enum err_code doctor_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    struct doctor_report report = {.count = 0};
    if (!command_args_has(args, "no-torch")) {
        struct error reason = ERROR_INIT;
        command_function with_torch = NULL;
        if (lm_module_find(LM_FUNCTION, &with_torch, &reason) == ERR_OK) {
            return with_torch(run, args, err);
        }
        doctor_look_at_machine(&report, run);
        doctor_add(&report, DOCTOR_TENSORS, DOCTOR_MISSING, "libtorch", reason.msg, "none usable");
        return doctor_finish(&report, run, err);
    }
    doctor_look_at_machine(&report, run);
    return doctor_finish(&report, run, err);
}

static const struct command_option options[] = {
    {.name = "no-torch",
     .kind = OPTION_FLAG,
     .help = "look at the machine only, and do not load libtorch"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord doctor", "everything; takes a second, since matrix products are timed"},
    {"accord doctor --no-torch --json", "the machine only, for a program"},
    {NULL, NULL},
};

const struct command cmd_doctor = {
    .name = "doctor",
    .group = COMMAND_GROUP_START,
    .purpose = "say what this machine offers, and what would be slow",
    .description = "Each line is ok, slow (works, but better is possible) or missing (something "
                   "would not work), the last two with the remedy. The exit status is 0 unless "
                   "something is missing.",
    .options = options,
    .examples = examples,
    .function = doctor_run,
};
