/* io_loop.h - drives every failing file operation of one writer or reader.
 *
 * Use:      static enum err_code save(void *context, struct error *err) { ...write, then close... }
 *           static void check_after(void *context) { ...old or new contents, no other file... }
 *           io_loop_check(save, check_after, &scratch);
 *
 * The operation runs again and again with the first, the second, ... call of base/file.h failing
 * (each n once with ENOSPC and once with EIO), until it gets through without reaching the failing
 * one. Each failing run must return ERR_IO with the system's reason in its message, leak neither
 * memory nor descriptors, and pass `check_after`.
 */
#ifndef TESTS_SUPPORT_IO_LOOP_H
#define TESTS_SUPPORT_IO_LOOP_H

#include "base/error.h"

typedef enum err_code (*io_loop_operation)(void *context, struct error *err);

/* Called after every run, also the last; may be NULL. */
typedef void (*io_loop_after)(void *context);

void io_loop_check(io_loop_operation operation, io_loop_after after, void *context);

/* Descriptors open in this process. */
int io_loop_open_descriptors(void);

#endif
