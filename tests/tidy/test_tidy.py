"""test_tidy - every check of scripts/tidy.py on a small tree that breaks it and one that does not.

Run by ctest as tidy.self_test; by hand: python3 tests/tidy/test_tidy.py
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

import tidy  # noqa: E402  (the path comes first)
from tidy_source import Source, Tree  # noqa: E402


def found(check, files: dict[str, str]) -> list[str]:
    """What `check` says about a tree, as "file:line [rule] text"."""
    return [str(finding) for finding in sorted(check(Tree.of(files)))]


class CheckCase(unittest.TestCase):
    """Assertions on one check; `check` names it."""

    def assert_clean(self, check, files):
        self.assertEqual(found(check, files), [])

    def assert_found(self, check, files, *starts):
        """One finding for each of `starts`, in file order, beginning like it."""
        findings = found(check, files)
        self.assertEqual(len(findings), len(starts), findings)
        for finding, start in zip(findings, starts):
            self.assertTrue(finding.startswith(start), f"{finding!r} should begin {start!r}")
            self.assertIn("; ", finding, "a finding names its remedy")


class SourceTest(unittest.TestCase):
    def code_of(self, text):
        return Source("base/x.c", text).code

    def test_comments_and_strings_are_blanked_in_place(self):
        text = 'a("b /* c", \'"\'); /* d "e */ f; // g\nh'
        expected = "a(" + " " * 8 + ",    );" + " " * 11 + " f;     \nh"
        self.assertEqual(self.code_of(text), expected)
        self.assertEqual(len(self.code_of(text)), len(text))

    def test_escapes_do_not_end_a_string(self):
        self.assertEqual(self.code_of(r'x("\"exit(1)\\"); y'), "x(" + " " * 13 + "); y")

    def test_lines_survive_block_comments(self):
        self.assertEqual(self.code_of("/* 1\n2\n3 */ x"), "    \n \n     x")

    def test_an_open_comment_runs_to_the_end(self):
        self.assertEqual(self.code_of("a /* b"), "a     ")

    def test_raw_strings_and_digit_separators(self):
        source = Source("tensor/x.cpp", "n = 1'000'000; r = R\"z(a\" b)\" )z\"; exit")
        self.assertEqual(source.code, "n = 1'000'000; r = " + " " * 14 + "; exit")

    def test_includes_in_comments_do_not_count(self):
        source = Source("base/x.c", '/*\n#include "a/b.h"\n*/\n#include "c/d.h"\n#include <e.h>\n')
        self.assertEqual(
            [(item.line, item.name, item.is_quoted) for item in source.includes],
            [(4, "c/d.h", True), (5, "e.h", False)],
        )

    def test_functions_are_found_with_their_lines(self):
        text = (
            "#define F(x) \\\n    { x }\n"
            "struct s {\n    int a;\n};\n"
            "static const int t[] = { 1 };\n"
            "static int\nf(int a) {\n    if (a) {\n        a--;\n    }\n    return a;\n}\n"
            'extern "C" {\nint g(void) {\n    return 1;\n}\n}\n'
            "namespace n {\nint h() noexcept {\n    return 2;\n}\n}\n"
        )
        functions = Source("tensor/x.cpp", text).functions
        self.assertEqual(
            [(item.name, item.first_line, item.last_line) for item in functions],
            [("f", 7, 13), ("g", 15, 17), ("h", 20, 22)],
        )


class LayoutTest(CheckCase):
    def test_line_length(self):
        check = tidy.check_line_length
        self.assert_clean(check, {"base/x.c": "y" * 100, "docs/A.md": "y" * 300})
        self.assert_found(check, {"base/x.c": "\n" + "y" * 101}, "base/x.c:2: [rule 8] 101")

    def test_file_length(self):
        check = tidy.check_file_length
        self.assert_clean(check, {"base/x.c": "y\n" * 1000})
        self.assert_found(check, {"base/x.c": "y\n" * 1001}, "base/x.c:1001: [rule 8] 1001 lines")

    def test_whitespace(self):
        check = tidy.check_whitespace
        self.assert_clean(check, {"base/x.c": "a\n", "tests/golden/a.txt": "\t \n\n"})
        self.assert_found(
            check,
            {"base/x.c": "a \nb\tc\n\n", "base/y.c": "a"},
            "base/x.c:1: [rule 8] blanks",
            "base/x.c:2: [rule 8] a tab",
            "base/x.c:4: [rule 8] the file must end",
            "base/y.c:1: [rule 8] the file must end",
        )

    def test_function_length(self):
        check = tidy.check_function_length
        short = "void f(void) {\n" + "x();\n" * 68 + "}\n"
        self.assert_clean(check, {"tensor/x.cpp": short})
        self.assert_found(
            check,
            {"tensor/x.cpp": "int a;\n" + short.replace("x();", "x();\n", 1)},
            "tensor/x.cpp:2: [rule 8] function 'f' has 71 lines",
        )


    def test_nesting(self):
        check = tidy.check_nesting
        deep = (
            "int f(void) {{\n    for (int i = 0; i < n; i++) {{\n        if (a) {{\n"
            "            struct s v = {{ .x = {{ 1 }} }};\n            do {{ {} }} while (b);\n"
            "        }} else {{\n            x();\n        }}\n    }}\n}}\n"
        )
        self.assert_clean(check, {"base/x.c": deep.format("x();")})
        self.assert_clean(check, {"base/x.c": deep.format("g((struct s){ 1 });")})
        self.assert_found(
            check,
            {"base/x.c": deep.format("while (c) { x(); }")},
            "base/x.c:1: [rule 8] 'f' nests 4 deep",
        )
        lambdas = "int f(void) {\n    return g(a, [&] { if (a) { if (b) { x(); y(); } } });\n}\n"
        self.assertEqual(Source("tensor/x.cpp", lambdas).functions[0].nesting, 2)


class BannedCallsTest(CheckCase):
    check = staticmethod(tidy.check_banned_calls)

    def test_each_group_is_found(self):
        for call, rule in {
            "strcpy(a, b)": 18,
            "vsprintf(a, b, c)": 18,
            "atoi(a)": 33,
            "strtod(a, b)": 33,
            "strtok(a, b)": 30,
            "rand()": 31,
            "exit(1)": 13,
            "abort ()": 13,
            "printf(a)": 13,
            "assert(a)": 14,
            "setlocale(a, b)": 33,
            "system(a)": 33,
            "alloca(n)": 1,
            "malloc(n)": 18,
            "free(p)": 18,
            "rename(a, b)": 36,
            "getenv(a)": 30,
            "time(NULL)": 30,
            "sqlite3_step(s)": 33,
            "cJSON_Parse(t)": 33,
            "pcre2_match_8(r)": 33,
            "crypto_hash_sha256(a, b, c)": 33,
        }.items():
            with self.subTest(call):
                files = {"data/x.c": f"int f(void) {{\n    return {call};\n}}\n"}
                self.assert_found(self.check, files, f"data/x.c:2: [rule {rule}] '")

    def test_a_third_party_header_counts_as_a_use(self):
        self.assert_found(
            self.check, {"data/x.c": "#include <sqlite3.h>\n"}, "data/x.c:1: [rule 33] 'sqlite3'"
        )

    def test_homes_members_and_other_words_are_free(self):
        self.assert_clean(
            self.check,
            {
                "base/mem.c": "void *p = malloc(1); free(p);",
                "base/db_row.c": "sqlite3_step(s);",
                "base/json.c": "cJSON_Delete(j);",
                "tests/unit/test_x.c": "exit(1); cJSON_Delete(j);",
                "data/x.c": "mem_free(p); a.free(p); a->exit(1); my_exit(1); int time = 3;",
                "data/y.c": '/* exit(1) */ const char *s = "abort()"; static_assert(1, "");',
            },
        )

    def test_tests_may_not_use_everything(self):
        self.assert_found(
            self.check,
            {"tests/unit/test_x.c": "sprintf(a, b);"},
            "tests/unit/test_x.c:1: [rule 18]",
        )

    def test_standard_streams(self):
        check = tidy.check_standard_streams
        self.assert_clean(check, {"trainer/main.c": "fputs(a, stderr);", "base/log.c": "stderr"})
        self.assert_found(check, {"data/x.c": "fputs(a, stdout);"}, "data/x.c:1: [rule 13]")


class FoldersTest(CheckCase):
    def test_include_direction(self):
        check = tidy.check_include_direction
        self.assert_clean(
            check,
            {
                "base/x.c": '#include "base/error.h"\n#include <stdio.h>\n',
                "policy/x.c": '#include "tensor/tt.h"\n#include "data/log.h"\n',
                "tests/unit/test_x.c": '#include "trainer/x.h"\n#include "base/x.h"\n',
            },
        )
        self.assert_found(
            check,
            {
                "attribution/x.c": '#include "policy/model.h"\n',
                "base/x.c": '\n#include "data/log.h"\n',
                "data/x.c": '#include "tensor/tt.h"\n',
                "tensor/kernels/x.c": '#include "tensor/tt.h"\n',
            },
            "attribution/x.c:1: [rule 3]",
            "base/x.c:2: [rule 3]",
            "data/x.c:1: [rule 3]",
            "tensor/kernels/x.c:1: [rule 3]",
        )

    def test_include_form(self):
        check = tidy.check_include_form
        self.assert_clean(check, {"base/x.h": "", "base/x.c": '#include "base/x.h"\n'})
        self.assert_found(
            check,
            {"base/x.h": "", "base/x.c": '#include "x.h"\n#include <base/x.h>\n#include "a/b.h"\n'},
            'base/x.c:1: [rule 7] "x.h" has no folder',
            "base/x.c:2: [rule 7] <base/x.h> is our own",
            'base/x.c:3: [rule 7] "a/b.h" is not in the tree',
        )

    def test_internal_headers(self):
        check = tidy.check_internal_headers
        own = '#include "base/db_internal.h"\n'
        self.assert_clean(check, {"base/x.c": own, "tests/unit/test_x.c": own})
        self.assert_found(check, {"data/x.c": own}, "data/x.c:1: [rule 7]")

    def test_file_names(self):
        check = tidy.check_file_names
        self.assert_clean(check, {"a/k.c": "", "a/k.cu": "", "a/k.h": "", "b/k.sh": "", "X": ""})
        self.assert_found(
            check,
            {"a/k.c": "", "b/k.h": "", "b/Big.c": ""},
            "b/Big.c:1: [rule 7] 'Big.c' is not snake_case",
            "b/k.h:1: [rule 7] 'k' exists in 'a' too",
        )

    def test_language_islands(self):
        check = tidy.check_language_islands
        self.assert_clean(
            check,
            {
                "tensor/x.cpp": "#include <ATen/ops/add.h>\n",
                "tensor/x_internal.hpp": "#include <c10/core/Device.h>\n",
                "tensor/kernels/k.cu": "#include <cuda_runtime.h>\n",
                "data/x.c": "#include <stdio.h>\n",
            },
        )
        self.assert_found(
            check,
            {
                "data/x.cpp": "",
                "data/y.c": "#include <ATen/ATen.h>\n#include <cuda.h>\n",
                "tensor/a.cu": "",
                "tensor/b.cpp": "#include <torch/torch.h>\n",
                "tensor/kernels/k.c": "#include <ATen/ATen.h>\n",
                "tensor/tt.h": "#include <ATen/ATen.h>\n",
            },
            "data/x.cpp:1: [rule 1]",
            "data/y.c:1: [rule 24]",
            "data/y.c:2: [rule 24]",
            "tensor/a.cu:1: [rule 24]",
            "tensor/b.cpp:1: [rule 24] <torch/torch.h> costs",
            "tensor/kernels/k.c:1: [rule 24]",
            "tensor/tt.h:1: [rule 24]",
        )

    def test_dead_files(self):
        check = tidy.check_dead_files
        alive = {
            "base/CMakeLists.txt": "accord_library(base SOURCES x.c)",
            "base/x.c": '#include "base/x.h"\n',
            "base/x.h": "",
            "tests/CMakeLists.txt": "accord_tests(unit base\n  x\n)",
            "tests/unit/test_x.c": "",
            "README.md": "bash scripts/run.sh",
            "scripts/run.sh": "python3 helper.py",
            "scripts/helper.py": "",
        }
        self.assert_clean(check, alive)
        self.assert_found(
            check,
            alive | {"base/x.cu": "", "base/y.c": "", "base/z.h": "", "scripts/old.sh": "old.sh"},
            "base/x.cu:1: [rule 7] not in any CMakeLists.txt",
            "base/y.c:1: [rule 7] not in any CMakeLists.txt",
            "base/z.h:1: [rule 7] nothing includes",
            "scripts/old.sh:1: [rule 7] nothing mentions",
        )


class LanguageTest(CheckCase):
    def test_type_names(self):
        check = tidy.check_type_names
        self.assert_clean(
            check,
            {
                "tensor/tt.h": "typedef struct tt_tensor tt_tensor;\n",
                "base/x.h": "typedef int (*visit)(void *x);\nstruct s { int64_t n; };\n",
            },
        )
        self.assert_found(
            check,
            {
                "base/x.h": "typedef struct s s;\ntypedef enum { A } kind;\n"
                "typedef int count_t;\nstruct pair_t {\n    int a;\n};\n",
            },
            "base/x.h:1: [rule 6] typedef of struct 's'",
            "base/x.h:2: [rule 6] typedef of enum 'kind'",
            "base/x.h:3: [rule 6] type 'count_t'",
            "base/x.h:4: [rule 6] type 'pair_t'",
        )

    def test_goto(self):
        check = tidy.check_goto
        good = "int f(void) {\n    goto done;\ndone:\n    x();\n}\n"
        self.assert_clean(check, {"base/x.c": good})
        self.assert_found(
            check,
            {
                "base/x.c": "int f(void) {\n    goto again;\n}\n"
                "int g(void) {\n    SCOPED(mem) char *p = q();\n    goto done;\n}\n",
            },
            "base/x.c:1: [rule 17] 'f' jumps to 'again'",
            "base/x.c:4: [rule 17] 'g' has a goto and scoped variables",
        )

    def test_mutable_globals(self):
        check = tidy.check_mutable_globals
        constants = (
            "static const int a = 1;\nstatic const char *const names[] = { x };\nstruct s;\n"
            "struct t {\n    int field;\n    handle h = {};\n};\nint f(int a);\nextern int e;\n"
            "enum { A, B };\n"
            "static int g(void) {\n    static_assert(1);\n    int local = 2;\n}\n"
        )
        self.assert_clean(check, {"base/x.c": constants, "base/mem.c": "static int a;\n"})
        self.assert_found(
            check,
            {
                "base/x.c": "static int a;\nint b = 1;\nstatic const char *c;\n"
                "static int d[] = {1};\n",
            },
            "base/x.c:1: [rule 30] 'static int a'",
            "base/x.c:2: [rule 30] 'int b'",
            "base/x.c:3: [rule 30] 'static const char *c'",
            "base/x.c:4: [rule 30] 'static int d[]'",
        )


class CommentsTest(CheckCase):
    def test_header_comment(self):
        check = tidy.check_header_comment
        self.assert_clean(
            check,
            {
                "base/x.h": "/* x.h - counts sheep.\n */\n",
                "base/x.c": "/* x.c - see x.h. */\n",
                "base/x_part.c": "/* x_part.c - see x_part_internal.h. */\n",
                "scripts/x.sh": "#!/usr/bin/env bash\n# x.sh - counts sheep.\n",
                "scripts/y.py": '"""Counts sheep."""\n',
                "tests/unit/test_x.c": '#include "base/x.h"\n',
            },
        )
        self.assert_found(
            check,
            {
                "base/x.h": "#pragma once\n",
                "base/y.c": "/* z.c - copied. */\n",
                "scripts/x.sh": "#!/usr/bin/env bash\nset -e\n",
                "scripts/y.py": "import sys\n",
            },
            "base/x.h:1: [rule 26] no header comment; begin with '/* x.h - purpose",
            "base/y.c:1: [rule 26]",
            "scripts/x.sh:1: [rule 26] no header comment; begin with '# x.sh",
            "scripts/y.py:1: [rule 26]",
        )

    def test_todo(self):
        check = tidy.check_todo
        self.assert_clean(
            check,
            {
                "base/x.c": '/* TODO(#12): more. */ char *s = "TODO";\n',
                "scripts/x.py": "T = 'XXX'\n",
            },
        )
        self.assert_found(
            check,
            {"base/x.c": "/* a\n * TODO: b */\n", "scripts/x.sh": "x # FIXME\n"},
            "base/x.c:2: [rule 27] bare TODO",
            "scripts/x.sh:1: [rule 27] bare FIXME",
        )

    def test_line_comments(self):
        check = tidy.check_line_comments
        self.assert_clean(check, {"base/x.c": '/* a // b */ char *u = "http://x";\n'})
        self.assert_clean(check, {"tensor/x.cpp": "} // namespace\n"})
        self.assert_found(check, {"base/x.c": "int a; // b\n"}, "base/x.c:1: [rule 26]")

    def test_nolint(self):
        check = tidy.check_nolint
        self.assert_clean(check, {"base/x.c": "/* NOLINTNEXTLINE(bugprone-x): for C's sake */"})
        self.assert_found(
            check,
            {"base/x.c": "/* NOLINT */\n/* NOLINT(a-b) */\n"},
            "base/x.c:1: [rule 2]",
            "base/x.c:2: [rule 2]",
        )

    def test_test_names(self):
        check = tidy.check_test_names
        good = "static void test_sum__is_exact(void **state) {\n}\nstatic int test_of(int a) {\n}\n"
        self.assert_clean(check, {"tests/unit/test_x.c": good})
        self.assert_found(
            check,
            {"tests/unit/test_x.c": "static void test_sum(void **state) {\n}\n"},
            "tests/unit/test_x.c:1: [rule 37]",
        )

    def test_links(self):
        check = tidy.check_links
        docs = {
            "docs/A.md": "# Main part\n[b](methods/B.md) [c](../README.md#top) [d](#main-part)\n",
            "docs/methods/B.md": "[a](../A.md#main-part) [w](https://example.org/x) [f](..)\n",
            "README.md": "# Top\nsee docs/A.md, [map](docs/), [same](docs/A.md)\n",
            "base/x.h": "/* Page: docs/methods/B.md */\n",
        }
        self.assert_clean(check, docs)
        self.assert_found(
            check,
            {
                "README.md": "[a](docs/GONE.md)\n\n[b](#nothing) scripts/gone.sh\n",
                "base/x.h": "/* docs/GONE.md */\n",
            },
            "README.md:1: [rule 26] 'docs/GONE.md' does not exist",
            "README.md:1: [rule 26] link to 'docs/GONE.md'",
            "README.md:3: [rule 26] 'scripts/gone.sh' does not exist",
            "README.md:3: [rule 26] link to '#nothing'",
            "base/x.h:1: [rule 26]",
        )

    def test_machine_traces(self):
        check = tidy.check_machine_traces
        harmless = "~/.cache/accord, ../wor" + "k/x, build/root/y, PyPI\n"
        self.assert_clean(check, {"README.md": harmless})
        self.assert_found(
            check,
            {"README.md": "/wor" + "k/x\n/home/me/x\nhttps://pyp" + "i.org/simple\n"},
            "README.md:1: [rule 40]",
            "README.md:2: [rule 40]",
            "README.md:3: [rule 40]",
        )


class WholeTest(CheckCase):
    def test_every_check_is_run(self):
        names = {check.__name__ for check in tidy.CHECKS}
        self.assertEqual(names, {name for name in vars(tidy) if name.startswith("check_")})
        self.assertGreaterEqual(len(names), 20)

    def test_stale_allow_list_entries(self):
        self.assertIn(
            "scripts/tidy.py:1: [rule 8] an allow-list names 'base/mem.c', which does not exist; "
            "remove the entry",
            found(tidy.check_allow_lists, {"base/x.c": ""}),
        )

    def test_findings_are_in_file_order(self):
        tree = Tree.of({"base/x.c": "\tint a; // b\n", "attribution/x.c": "exit(1);\n"})
        findings = tidy.findings_of(tree)
        self.assertEqual(findings, sorted(findings))
        self.assertTrue({finding.rule for finding in findings} >= {8, 13, 26})


if __name__ == "__main__":
    unittest.main()
