#include "tensor/kernels/kernel_team.h"

#include "tests/support/test.h"

#define THREADS 4
#define ROUNDS  2000

/* In each round every member writes its place, and after the wait reads everybody's. */
struct rounds {
    int64_t place[2][THREADS];
    int64_t wrong[THREADS];
    int64_t count;
};

static void go_round(void *context, const struct kernel_team *team) {
    struct rounds *rounds = context;
    if (team->index == 0) {
        rounds->count = team->count;
    }
    for (int64_t round = 0; round < ROUNDS; round++) {
        int64_t *place = rounds->place[round % 2];
        place[team->index] = round;
        kernel_team_wait(team);
        for (int64_t i = 0; i < team->count; i++) {
            rounds->wrong[team->index] += place[i] != round;
        }
    }
}

static void test_kernel_team_wait__makes_writes_visible(void **state) {
    (void)state;
    for (int threads = 1; threads <= THREADS; threads++) {
        struct rounds rounds = {0};
        kernel_team_run((struct kernel_cpu){.threads = threads}, go_round, &rounds);
        assert_true(rounds.count >= 1 && rounds.count <= threads);
        for (int64_t i = 0; i < THREADS; i++) {
            assert_int_equal(rounds.wrong[i], 0);
        }
    }
}

/* 10 items for 4 members: 3, 3, 2, 2. */
static void test_kernel_team_share__covers_all_without_overlap(void **state) {
    (void)state;
    const int64_t begins[] = {0, 3, 6, 8, 10};
    for (int64_t i = 0; i < 4; i++) {
        struct kernel_team team = {.index = i, .count = 4};
        struct kernel_span span = kernel_team_share(&team, 10);
        assert_int_equal(span.begin, begins[i]);
        assert_int_equal(span.end, begins[i + 1]);
        span = kernel_team_share(&team, 2);
        assert_int_equal(span.end - span.begin, i < 2 ? 1 : 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_team_wait__makes_writes_visible),
        cmocka_unit_test(test_kernel_team_share__covers_all_without_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
