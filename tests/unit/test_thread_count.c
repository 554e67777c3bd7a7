#include "base/thread_count.h"

#include "base/file.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

static struct thread_count_inputs inputs_of(struct scratch *scratch) {
    return (struct thread_count_inputs){
        .wanted = THREAD_COUNT_CHOOSE,
        .cores_online = 64,
        .cores_allowed = 64,
        .root_folder = scratch->folder,
    };
}

/* Writes `text` to `<scratch>/<folder>/<name>`. */
static void put(struct scratch *scratch, const char *folder, const char *name, const char *text) {
    struct error err = ERROR_INIT;
    char path[256];
    assert_ok(file_make_folders(scratch_path(scratch, folder), &err), &err);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    scratch_write(scratch, path, text);
}

static void assert_chooses(const struct thread_count_inputs *inputs, int64_t threads,
                           const char *reason) {
    struct error err = ERROR_INIT;
    struct thread_count count = {0};
    assert_ok(thread_count_choose(inputs, &count, &err), &err);
    assert_string_equal(count.reason, reason);
    assert_int_equal(count.threads, threads);
}

static void test_thread_count__all_cores_without_limits(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    assert_chooses(&inputs, 64, "64 of 64 cores");
    inputs.cores_online = inputs.cores_allowed = 5000;
    assert_chooses(&inputs, 1024, "1024 of 5000 cores: the most this program uses");
}

static void test_thread_count__affinity_mask(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    inputs.cores_allowed = 6;
    assert_chooses(&inputs, 6, "6 of 64 cores: affinity mask");
}

static void test_thread_count__cgroup_v2_quota_rounds_down(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    put(*state, "proc/self", "cgroup", "0::/job/step\n");
    put(*state, "sys/fs/cgroup/job/step", "cpu.max", "250000 100000\n");
    assert_chooses(&inputs, 2, "2 of 64 cores: cgroup quota");
    put(*state, "sys/fs/cgroup/job/step", "cpu.max", "50000 100000\n");
    assert_chooses(&inputs, 1, "1 of 64 cores: cgroup quota");
    put(*state, "sys/fs/cgroup/job/step", "cpu.max", "max 100000\n");
    assert_chooses(&inputs, 64, "64 of 64 cores");
    inputs.cores_allowed = 2; /* a quota above the mask does not matter */
    put(*state, "sys/fs/cgroup/job/step", "cpu.max", "300000 100000\n");
    assert_chooses(&inputs, 2, "2 of 64 cores: affinity mask");
}

static void test_thread_count__cgroup_v2_quota_of_a_parent_binds(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    put(*state, "proc/self", "cgroup", "0::/job/step\n");
    put(*state, "sys/fs/cgroup/job/step", "cpu.max", "800000 100000\n");
    put(*state, "sys/fs/cgroup/job", "cpu.max", "400000 100000\n");
    assert_chooses(&inputs, 4, "4 of 64 cores: cgroup quota");
    put(*state, "sys/fs/cgroup", "cpu.max", "300000 100000\n");
    assert_chooses(&inputs, 3, "3 of 64 cores: cgroup quota");
}

/* As seen inside a container: the path is the host's, the files are at the mount's root. */
static void test_thread_count__cgroup_v2_path_from_outside(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    put(*state, "proc/self", "cgroup", "0::/docker/0123456789abcdef\n");
    put(*state, "sys/fs/cgroup", "cpu.max", "200000 100000\n");
    assert_chooses(&inputs, 2, "2 of 64 cores: cgroup quota");
}

static void test_thread_count__cgroup_v1_quota(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    put(*state, "proc/self", "cgroup",
        "9:name=systemd:/\n5:cpuset:/other\n4:cpu,cpuacct:/job\n0::/\n");
    put(*state, "sys/fs/cgroup/cpu,cpuacct/job", "cpu.cfs_quota_us", "350000\n");
    put(*state, "sys/fs/cgroup/cpu,cpuacct/job", "cpu.cfs_period_us", "50000\n");
    put(*state, "sys/fs/cgroup/cpuset/other", "cpu.cfs_quota_us", "100000\n"); /* not ours */
    put(*state, "sys/fs/cgroup/cpuset/other", "cpu.cfs_period_us", "100000\n");
    assert_chooses(&inputs, 7, "7 of 64 cores: cgroup quota");
    put(*state, "sys/fs/cgroup/cpu,cpuacct/job", "cpu.cfs_quota_us", "-1\n");
    assert_chooses(&inputs, 64, "64 of 64 cores");
}

static void test_thread_count__nonsense_in_cgroup_files_sets_no_limit(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    put(*state, "proc/self", "cgroup", "\n:\n::\n0::/job\nno colon\n4:cpu\n");
    put(*state, "sys/fs/cgroup/job", "cpu.max", "what?\n");
    assert_chooses(&inputs, 64, "64 of 64 cores");
    put(*state, "sys/fs/cgroup/job", "cpu.max", "100000 0\n");
    assert_chooses(&inputs, 64, "64 of 64 cores");
    put(*state, "sys/fs/cgroup/job", "cpu.max", "nan nan\n");
    assert_chooses(&inputs, 64, "64 of 64 cores");
}

static void test_thread_count__omp_num_threads_before_the_machine(void **state) {
    struct error err = ERROR_INIT;
    struct thread_count count = {.threads = 77};
    struct thread_count_inputs inputs = inputs_of(*state);
    inputs.omp_num_threads = "3,2";
    assert_chooses(&inputs, 3, "OMP_NUM_THREADS, on 64 cores");
    static const char *const bad[] = {"",     "0",
                                      "-1",   "three",
                                      "1025", "99999999999999999999",
                                      ",2",   "0000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        inputs.omp_num_threads = bad[i];
        assert_fails(thread_count_choose(&inputs, &count, &err), ERR_CONFIG,
                     "' is not a thread count in [1, 1024]", &err);
    }
    assert_int_equal(count.threads, 77);
}

static void test_thread_count__asking_comes_first(void **state) {
    struct error err = ERROR_INIT;
    struct thread_count count = {0};
    struct thread_count_inputs inputs = inputs_of(*state);
    inputs.omp_num_threads = "3";
    inputs.wanted = 100;
    assert_chooses(&inputs, 100, "as asked, on 64 cores");
    inputs.wanted = -1;
    assert_fails(thread_count_choose(&inputs, &count, &err), ERR_USAGE,
                 "thread count -1 is outside [1, 1024]", &err);
    inputs.wanted = 1025;
    assert_fails(thread_count_choose(&inputs, &count, &err), ERR_USAGE, "1025", &err);
}

static void test_thread_count_look__sees_this_machine(void **state) {
    (void)state;
    assert_int_equal(setenv("OMP_NUM_THREADS", "5", 1), 0);
    struct thread_count_inputs inputs = thread_count_look();
    assert_string_equal(inputs.omp_num_threads, "5");
    assert_int_equal(unsetenv("OMP_NUM_THREADS"), 0);
    inputs = thread_count_look();
    assert_null(inputs.omp_num_threads);
    assert_true(inputs.cores_online >= 1);
    assert_true(inputs.cores_allowed >= 1);
    struct error err = ERROR_INIT;
    struct thread_count count = {0};
    assert_ok(thread_count_choose(&inputs, &count, &err), &err);
    assert_true(count.threads >= 1 && count.threads <= inputs.cores_online);
}

static enum err_code choose(void *context, struct error *err) {
    struct thread_count count = {0};
    return thread_count_choose(context, &count, err);
}

static void test_thread_count__survives_every_failed_allocation(void **state) {
    struct thread_count_inputs inputs = inputs_of(*state);
    put(*state, "proc/self", "cgroup", "4:cpu:/job\n0::/job\n");
    put(*state, "sys/fs/cgroup/job", "cpu.max", "250000 100000\n");
    alloc_loop_check(choose, &inputs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_thread_count__all_cores_without_limits),
        SCRATCH_TEST(test_thread_count__affinity_mask),
        SCRATCH_TEST(test_thread_count__cgroup_v2_quota_rounds_down),
        SCRATCH_TEST(test_thread_count__cgroup_v2_quota_of_a_parent_binds),
        SCRATCH_TEST(test_thread_count__cgroup_v2_path_from_outside),
        SCRATCH_TEST(test_thread_count__cgroup_v1_quota),
        SCRATCH_TEST(test_thread_count__nonsense_in_cgroup_files_sets_no_limit),
        SCRATCH_TEST(test_thread_count__omp_num_threads_before_the_machine),
        SCRATCH_TEST(test_thread_count__asking_comes_first),
        SCRATCH_TEST(test_thread_count_look__sees_this_machine),
        SCRATCH_TEST(test_thread_count__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
