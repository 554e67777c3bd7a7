/* Texts within XML. */
#include "base/xml_text.h"

#include "base/scoped.h"
#include "tests/support/test.h"

static void check(const char *text, const char *expected) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(1024);
    xml_text_add(&out, text);
    assert_string_equal(strbuf_text(&out), expected);
}

static void test_add__escapes(void **state) {
    (void)state;
    check("", "");
    check("a < b & \"c\" > 'd'", "a &lt; b &amp; &quot;c&quot; &gt; 'd'");
    check("&lt;", "&amp;lt;");
    check("na\xC3\xAFve \xF0\x9F\x8D\xB5", "na\xC3\xAFve \xF0\x9F\x8D\xB5");
}

/* A control of C0 and of C1, a separator of lines, U+FFFF, and a byte alone. */
static void test_add__leaves_out_what_xml_forbids(void **state) {
    (void)state;
    check("a\x01"
          "b\n\xC2\x85"
          "c",
          "a b  c");
    check("\xE2\x80\xA8|\xEF\xBF\xBF|\xEF\xBF\xBE|", " | | |");
    check("\xFF<\xC3", " &lt; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add__escapes),
        cmocka_unit_test(test_add__leaves_out_what_xml_forbids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
