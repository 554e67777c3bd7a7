/* 256 greedy tokens of karpathy's stories260K against the text that llama2.c prints. */
#include "policy/decoder.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

#include <stdio.h>

#define BOS        1
#define TOKENS_NEW 256
#define PIECE_MAX  64

/* tok512.bin: int32 of the longest piece, then for each token a score, int32 bytes, the bytes. */
struct pieces {
    char text[512][PIECE_MAX];
};

static void read_pieces(const char *path, struct pieces *out) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    int32_t longest = 0;
    assert_int_equal(fread(&longest, sizeof longest, 1, file), 1);
    for (int64_t i = 0; i < 512; i++) {
        float score = 0.0F;
        int32_t bytes = 0;
        assert_int_equal(fread(&score, sizeof score, 1, file), 1);
        assert_int_equal(fread(&bytes, sizeof bytes, 1, file), 1);
        assert_true(bytes >= 0 && bytes < PIECE_MAX);
        assert_int_equal(fread(out->text[i], 1, (size_t)bytes, file), bytes);
        out->text[i][bytes] = '\0';
    }
    (void)fclose(file);
}

/* The piece of a token, a raw byte for "<0x0A>"; without the space behind bos. */
static void append_piece(const struct pieces *pieces, int32_t before, int32_t token, char *text,
                         size_t *length) {
    const char *piece = pieces->text[token];
    unsigned byte = 0;
    char raw[2] = {0};
    if (strlen(piece) == 6 && memcmp(piece, "<0x", 3) == 0) {
        for (int64_t i = 3; i < 5; i++) {
            unsigned digit = (unsigned)(piece[i] <= '9' ? piece[i] - '0' : piece[i] - 'A' + 10);
            byte = byte * 16 + digit;
        }
        raw[0] = (char)byte;
        piece = raw;
    }
    piece += before == BOS && piece[0] == ' ';
    size_t bytes = strlen(piece);
    memcpy(text + *length, piece, bytes);
    *length += bytes;
}

static void check_story(enum kernel_operand operand) {
    struct error err = ERROR_INIT;
    static struct pieces pieces;
    read_pieces(real_data_or_skip("stories260k/tok512.bin"), &pieces);
    SCOPED(weight_source) struct weight_source *source = NULL;
    assert_ok(weight_source_open(real_data_or_skip("stories260k/stories260K.bin"), &source, &err),
              &err);
    const struct model_config *config = weight_source_config(source);
    struct decoder_options options = decoder_options_of(config);
    options.weights = options.cache = operand;
    options.cpu.threads = 2;
    struct decoder_weights weights = decoder_weights_of(source);
    SCOPED(decoder) struct decoder *decoder = NULL;
    assert_ok(decoder_open(config, &weights, &options, &decoder, &err), &err);
    struct decoder_request request = {.prompt = (const int32_t[]){BOS},
                                      .prompt_count = 1,
                                      .samples = 1,
                                      .sampling = sampler_config_plain(),
                                      .new_tokens_max = TOKENS_NEW};
    request.sampling.is_greedy = true;
    assert_ok(decoder_submit(decoder, &request, &err), &err);
    while (decoder_pending(decoder) > 0) {
        assert_ok(decoder_step(decoder, &err), &err);
    }
    struct decoder_sample sample;
    assert_true(decoder_take(decoder, &sample));
    static char text[TOKENS_NEW * PIECE_MAX];
    size_t length = 0;
    for (int64_t i = 0; i < sample.count; i++) {
        append_piece(&pieces, i > 0 ? sample.tokens[i - 1] : BOS, sample.tokens[i], text, &length);
    }
    decoder_sample_deinit(&sample);
    static char expected[4096];
    FILE *file = fopen(real_data_or_skip("stories260k/expected_greedy_256.txt"), "rb");
    assert_non_null(file);
    size_t bytes = fread(expected, 1, sizeof expected - 1, file);
    (void)fclose(file);
    text[length++] = '\n'; /* llama2.c ends with a new line */
    text[length] = '\0';
    assert_int_equal(length, bytes);
    assert_string_equal(text, expected);
}

static void test_decoder__tells_the_story_of_llama2c(void **state) {
    (void)state;
    check_story(KERNEL_OPERAND_F32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder__tells_the_story_of_llama2c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
