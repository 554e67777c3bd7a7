/* lm_run.h - libtorch as a run wants it: threads, tracing, device. In the tensor half.
 *
 * Use:      struct tt_device device;
 *           TRY(lm_run_open(run, &device, err));     // first thing in every tensor command
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_LM_RUN_H
#define TRAINER_LM_RUN_H

#include "tensor/tt.h"
#include "trainer/run.h"

/* Sets libtorch's process state (threads, deterministic algorithms, --trace tensor) and makes the
 * configured device usable. `run` must outlive all tensor work.
 *   fails  ERR_UNAVAILABLE when the device is not there, with the reason; ERR_CONFIG; ERR_BACKEND
 */
ERR_NODISCARD enum err_code lm_run_open(struct run *run, struct tt_device *out_device,
                                        struct error *err);

#endif
