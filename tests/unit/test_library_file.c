/* Libraries that would end the process, or keep it waiting, if they were loaded. */
#include "trainer/library_file.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#define FILE_BYTES 1000

/* A library of one segment, written with `bytes` of its 1000. */
static const char *write_library(struct scratch *scratch, const Elf64_Phdr *segment, size_t bytes) {
    unsigned char content[FILE_BYTES] = {0};
    Elf64_Ehdr header = {.e_phoff = sizeof header, .e_phnum = 1, .e_phentsize = sizeof *segment};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    memcpy(content, &header, sizeof header);
    memcpy(content + sizeof header, segment, sizeof *segment);
    const char *path = scratch_path(scratch, "lib.so");
    struct error err = ERROR_INIT;
    SCOPED(file_fd) int fd = -1;
    assert_ok(file_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd, &err), &err);
    assert_ok(file_write(fd, path, content, bytes, &err), &err);
    return path;
}

static void test_library_file_check__finds_a_file_cut_short(void **state) {
    struct scratch *scratch = *state;
    const Elf64_Phdr segment = {.p_type = PT_LOAD, .p_offset = 200, .p_filesz = FILE_BYTES - 200};
    struct error err = ERROR_INIT;
    const char *path = write_library(scratch, &segment, FILE_BYTES);
    assert_ok(library_file_check(path, "fetch it", &err), &err);
    path = write_library(scratch, &segment, FILE_BYTES - 1);
    assert_fails(library_file_check(path, "fetch it", &err), ERR_UNAVAILABLE,
                 "/lib.so: cut short, 999 bytes of at least 1000: fetch it", &err);
    /* within the table of segments: a header of 64 bytes and one segment of 56 */
    path = write_library(scratch, &segment, 119);
    assert_fails(library_file_check(path, "fetch it", &err), ERR_UNAVAILABLE,
                 "cut short, 119 bytes of at least 120", &err);
}

static void test_library_file_check__is_not_fooled_by_huge_offsets(void **state) {
    const Elf64_Phdr segment = {.p_type = PT_LOAD, .p_offset = UINT64_MAX - 5, .p_filesz = 10};
    struct error err = ERROR_INIT;
    const char *path = write_library(*state, &segment, FILE_BYTES);
    assert_fails(library_file_check(path, "fetch it", &err), ERR_UNAVAILABLE,
                 "cut short, 1000 bytes of at least 18446744073709551615", &err);
}

static void test_library_file_check__leaves_the_rest_to_the_linker(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    assert_ok(library_file_check(scratch_path(scratch, "none.so"), "", &err), &err);
    scratch_write(scratch, "empty.so", "");
    assert_ok(library_file_check(scratch_path(scratch, "empty.so"), "", &err), &err);
    scratch_write(scratch, "text.so",
                  "no library, and longer than the header of an ELF file is: 64");
    assert_ok(library_file_check(scratch_path(scratch, "text.so"), "", &err), &err);
}

static void test_library_file_check__refuses_a_pipe(void **state) {
    struct error err = ERROR_INIT;
    const char *path = scratch_path(*state, "pipe.so");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(library_file_check(path, "fetch it", &err), ERR_UNAVAILABLE,
                 "/pipe.so' is not a regular file: fetch it", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_library_file_check__finds_a_file_cut_short),
        SCRATCH_TEST(test_library_file_check__is_not_fooled_by_huge_offsets),
        SCRATCH_TEST(test_library_file_check__leaves_the_rest_to_the_linker),
        SCRATCH_TEST(test_library_file_check__refuses_a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
