"""test_check_commits - what scripts/check_commits.py makes of good and bad subjects.

Run by ctest as tidy.check_commits; by hand: python3 tests/tidy/test_check_commits.py
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

from check_commits import areas_of, subject_problem  # noqa: E402  (the path comes first)

AREAS = areas_of(["base/json.c", "tensor/kernels/kernel_logp.cu", ".ci/run", "README.md"])


class SubjectTest(unittest.TestCase):
    def test_areas_are_folders_and_stems(self):
        self.assertEqual(
            AREAS, {"base", "json", "tensor", "kernels", "kernel_logp", "ci", "run", "readme"}
        )

    def test_good_subjects(self):
        for subject in (
            "base: start with errors, memory, text buffers and the build",
            "json: refuse integers beyond 2^53",
            "tensor/kernels: fuse the head",
            "docs: explain the scope",
            "kernel_logp: speed up one-row calls",
            "base: " + "x" * 66,
        ):
            with self.subTest(subject):
                self.assertIsNone(subject_problem(subject, AREAS))

    def test_bad_subjects(self):
        for subject, part in {
            "base: " + "x" * 67: "73 columns",
            "start with errors": "not 'area: summary'",
            "base:  two spaces": "not 'area: summary'",
            "base:": "not 'area: summary'",
            "jsno: refuse": "'jsno' is no folder",
            "base/jsno: refuse": "'base/jsno' is no folder",
            "base: added json": "'added' is not an imperative",
            "json: Fixing typos": "'Fixing' is not an imperative",
            "json: refuse NaN.": "full stop",
        }.items():
            with self.subTest(subject):
                self.assertIn(part, subject_problem(subject, AREAS) or "nothing")


if __name__ == "__main__":
    unittest.main()
