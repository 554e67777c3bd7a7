"""test_op_coverage - every tensor op has a boundary test, and a gradient check or a reason.

Run by ctest as tidy.op_coverage; by hand: python3 tests/tidy/test_op_coverage.py
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from tidy_source import Tree  # noqa: E402  (the path comes first)

CODE = {source.path: source.code for source in Tree.load(ROOT).c_family()}
DECLARED = re.findall(r"\b(tt_\w+)\([^;{}]*\)\s*TT_NOEXCEPT;", CODE["tensor/tt_ops.h"])

# Ops that tests/gradcheck leaves out, by reason.
WITHOUT_GRADIENT_CHECK = {
    "they have no operand": """
        tt_zeros tt_full tt_scalar tt_arange tt_from_f32 tt_from_f64 tt_from_i64 tt_from_i32
        tt_from_bool tt_borrow tt_rand_uniform tt_rand_normal""",
    "their values do not depend on the operand's": "tt_zeros_like tt_full_like",
    "results are integers or bool": """
        tt_is_finite tt_eq tt_ne tt_lt tt_le tt_gt tt_ge tt_logical_and tt_logical_or
        tt_logical_not tt_any tt_all tt_argmax tt_argmin tt_nonzero""",
    "cutting the gradient is its purpose": "tt_detach",
    "it takes bf16 only; test_tt_fused.c checks its gradients against f32": "tt_linear_mixed",
    "between f64 and f64 it does nothing; test_tt_create.c checks its gradient": "tt_cast",
    "it moves values between devices, and tests run without a second one": "tt_to_device",
}


def named_in(folder: str) -> set[str]:
    """The words of a folder's C files, without comments and strings."""
    texts = [code for path, code in CODE.items() if path.startswith(folder)]
    return set(re.findall(r"\btt_\w+", "\n".join(texts)))


class OpCoverageTest(unittest.TestCase):
    def test_the_header_is_read_whole(self):
        self.assertEqual(DECLARED[0], "tt_zeros")
        self.assertEqual(DECLARED[-1], "tt_index_copy_inplace")
        self.assertIn("tt_sort", DECLARED)  # returns a status
        self.assertIn("tt_fill_inplace", DECLARED)  # returns nothing
        self.assertGreater(len(DECLARED), 100)
        self.assertEqual(len(DECLARED), len(set(DECLARED)))

    def test_every_op_has_a_boundary_test(self):
        self.assertEqual(sorted(set(DECLARED) - named_in("tests/unit/test_tt_")), [])

    def test_every_op_has_a_gradient_check_or_a_reason(self):
        excused = {op for ops in WITHOUT_GRADIENT_CHECK.values() for op in ops.split()}
        checked = named_in("tests/gradcheck/test_tt_gradients.c")
        self.assertEqual(sorted(set(DECLARED) - checked - excused), [])
        self.assertEqual(sorted(excused - set(DECLARED)), [], "reasons for ops that are not there")


if __name__ == "__main__":
    unittest.main()
