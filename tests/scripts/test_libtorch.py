"""test_libtorch - scripts/libtorch.sh against an index that serves small, broken or no wheels.

Each test runs the real functions in bash, with a cache of its own, pins of three small wheels, and
download_wheel replaced by a copy from a folder. Run by ctest as scripts.libtorch.
"""

import hashlib
import os
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION_HEADER = "torch/include/torch/headeronly/version.h"
WHEELS = {
    "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl": {
        VERSION_HEADER: '#define TORCH_VERSION \\\n  "2.11.0"\n',
        "torch/lib/libtorch_cpu.so": "library " * 100,
        "torch/version.py": "__version__ = '2.11.0'\n",
        "torch/nn/modules.py": "not unpacked\n",
    },
    "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl": {
        "nvidia/cu13/lib/libcupti.so.13": "cupti",
        "nvidia/cu13/include/cupti.h": "not unpacked\n",
    },
    "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl": {
        "nvidia/cu13/lib/libcudart.so.13": "cudart",
    },
}
# Copies from $INDEX and notes each request. The first $BROKEN requests arrive cut short.
FAKE_INDEX = """
libtorch_pins=$INDEX/pins
libtorch_space_mb=1
ensure_fetch_tools() { :; }
download_wheel() {
    printf '%s\\n' "$1" >>"$INDEX/requests"
    cp "$INDEX/$1" "$2/" || return 1
    if (($(wc -l <"$INDEX/requests") <= ${BROKEN:-0})); then
        truncate --size=-10 "$2/$1"
    fi
    sleep "${SLOW:-0}"
}
"""


class LibtorchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="accord-libtorch-")
        self.addCleanup(folder.cleanup)
        self.index = Path(folder.name, "index")
        self.cache = Path(folder.name, "cache")
        self.tree = self.cache / "libtorch-2.11.0"
        self.index.mkdir()
        pins = []
        for wheel, members in WHEELS.items():
            with zipfile.ZipFile(self.index / wheel, "w") as archive:
                for name, text in members.items():
                    archive.writestr(name, text)
            digest = hashlib.sha256((self.index / wheel).read_bytes()).hexdigest()
            pins.append(f"{digest}  {wheel}\n")
        (self.index / "pins").write_text("".join(pins))

    def command(self, script: str) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", f". scripts/libtorch.sh{FAKE_INDEX}{script}"]

    def environment(self, **extra: str) -> dict[str, str]:
        outer = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return outer | {"INDEX": str(self.index), "ACCORD_CACHE": str(self.cache)} | extra

    def run_script(self, script: str = "libtorch_ensure", **extra: str):
        return subprocess.run(
            self.command(script),
            cwd=ROOT,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ensure(self, **extra: str) -> str:
        """Runs libtorch_ensure, which must succeed; its messages."""
        result = self.run_script(**extra)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def requests(self) -> list[str]:
        path = self.index / "requests"
        return path.read_text().splitlines() if path.exists() else []

    def assert_whole(self):
        files = {p.relative_to(self.tree).as_posix() for p in self.tree.rglob("*") if p.is_file()}
        expected = {name for members in WHEELS.values() for name in members}
        expected -= {"torch/nn/modules.py", "nvidia/cu13/include/cupti.h"}
        self.assertEqual(files, expected | {"stamp"})
        leftovers = {path.name for path in self.cache.iterdir()} - {"lock", "libtorch-2.11.0"}
        self.assertEqual(leftovers, set())

    def test_fetches_once_and_keeps_libraries_and_headers_only(self):
        self.ensure()
        self.assert_whole()
        self.assertEqual(self.requests(), list(WHEELS))
        self.assertEqual(self.ensure(), "")
        self.assertEqual(len(self.requests()), 3)

    def test_a_truncated_download_is_fetched_again(self):
        messages = self.ensure(BROKEN="2")
        self.assert_whole()
        self.assertEqual(len(self.requests()), 5)
        self.assertEqual(messages.count("arrived damaged: its SHA-256 is not "), 2)
        self.assertIn("downloading torch==2.11.0 (try 3 of 3)", messages)

    def test_gives_up_after_three_broken_downloads(self):
        result = self.run_script(BROKEN="9")
        self.assertEqual(result.returncode, 1)
        self.assertIn("accord: cannot fetch torch==2.11.0 in 3 tries", result.stderr)
        self.assertEqual(len(self.requests()), 3)
        self.assertFalse(self.tree.exists())
        self.assertEqual(list(self.cache.glob("wheels/*")), [])
        self.ensure()
        self.assert_whole()

    def test_an_unreachable_index_is_reported(self):
        (self.index / next(iter(WHEELS))).unlink()
        result = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertIn("the download of 'torch-2.11.0-cp311", result.stderr)
        self.assertIn("check the network, or set ACCORD_TORCH_DIR", result.stderr)

    def test_wheels_of_an_interrupted_run_are_used(self):
        last = list(WHEELS)[-1]
        (self.index / last).rename(self.index / "hidden")
        self.assertEqual(self.run_script().returncode, 1)
        (self.index / "hidden").rename(self.index / last)
        (self.index / "requests").unlink()
        self.ensure()
        self.assert_whole()
        self.assertEqual(self.requests(), [last])

    def test_damaged_trees_are_repaired(self):
        self.ensure()
        library = self.tree / "torch/lib/libtorch_cpu.so"

        def shorten_library():
            os.truncate(library, 5)

        for damage in (shorten_library, (self.tree / VERSION_HEADER).unlink, library.unlink):
            damage()
            self.assertIn("is incomplete or damaged: fetching it again", self.ensure())
            self.assert_whole()

    def test_a_tree_of_other_pins_is_replaced(self):
        self.ensure()
        stamp = self.tree / "stamp"
        stamp.write_text(stamp.read_text().replace("torch-2.11.0", "torch-2.11.1"))
        self.assertIn("fetching it again", self.ensure())
        self.assert_whole()

    def test_concurrent_runs_fetch_once(self):
        runs = [
            subprocess.Popen(
                self.command("libtorch_ensure"),
                cwd=ROOT,
                env=self.environment(SLOW="0.2"),
                stderr=subprocess.DEVNULL,
            )
            for _ in range(4)
        ]
        self.assertEqual([run.wait(timeout=60) for run in runs], [0, 0, 0, 0])
        self.assert_whole()
        self.assertEqual(len(self.requests()), 3)

    def test_a_full_disk_is_noticed_before_the_download(self):
        result = self.run_script("libtorch_space_mb=999999999; libtorch_ensure")
        self.assertEqual(result.returncode, 1)
        self.assertIn("libtorch needs 999999999 MB: make room", result.stderr)
        self.assertEqual(self.requests(), [])

    def test_a_cache_that_cannot_be_made_is_refused(self):
        result = self.run_script(ACCORD_CACHE=str(self.index / "pins" / "below"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("accord: cannot write to '", result.stderr)

    def given(self, version_line: str, header: str = VERSION_HEADER) -> str:
        """A torch package folder with that version, as ACCORD_TORCH_DIR."""
        folder = self.index / "given"
        for name in (header, "torch/lib/libtorch_cpu.so"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(version_line)
        return str(folder / "torch")

    def test_a_given_libtorch_is_used(self):
        folder = self.given('#define TORCH_VERSION "2.11.0"\n')
        result = self.run_script("libtorch_ensure; libtorch_dir", ACCORD_TORCH_DIR=folder)
        self.assertEqual((result.returncode, result.stdout), (0, folder), result.stderr)
        self.assertEqual(self.requests(), [])

    def test_a_relative_path_holds_in_other_folders(self):
        folder = self.given('#define TORCH_VERSION "2.11.0"\n')
        result = self.run_script(
            "libtorch_ensure; cd /; libtorch_dir",
            ACCORD_TORCH_DIR=os.path.relpath(folder, ROOT),
        )
        self.assertEqual((result.returncode, result.stdout), (0, folder), result.stderr)

    def test_a_given_libtorch_of_another_version_is_refused(self):
        old_header = "torch/include/torch/csrc/api/include/torch/version.h"
        folder = self.given('#define TORCH_VERSION \\\n  "2.9.1"\n', old_header)
        result = self.run_script(ACCORD_TORCH_DIR=folder)
        self.assertEqual(result.returncode, 1)
        self.assertIn(
            f"accord: libtorch in '{folder}' is version 2.9.1, and accord is written for 2.11.0",
            result.stderr,
        )

    def test_a_given_folder_without_libtorch_is_refused(self):
        result = self.run_script(ACCORD_TORCH_DIR=str(self.index))
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"accord: no libtorch in '{self.index}'", result.stderr)


class PackagesTest(unittest.TestCase):
    """ensure_packages, with dpkg-query, apt-get and the user replaced."""

    def run_script(self, script: str):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f". scripts/lib.sh\n{script}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def test_nothing_is_done_when_all_are_there(self):
        result = self.run_script(
            "dpkg-query() { echo installed; }; as_root() { exit 9; }; ensure_packages a b"
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_command_stands_for_its_package(self):
        result = self.run_script(
            "dpkg-query() { false; }; missing_packages tool:bash other:no-such-command lib"
        )
        self.assertEqual(result.stdout, "other lib")

    def test_only_the_missing_are_installed(self):
        result = self.run_script(
            'dpkg-query() { [[ $3 == b ]] && echo installed; }\nas_root() { echo "$*"; }\n'
            "can_use_sudo() { true; }\nensure_packages a b c"
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("install -y --no-install-recommends a c\n", result.stderr)

    def test_without_root_and_sudo_the_command_is_named(self):
        result = self.run_script(
            "dpkg-query() { false; }; is_root() { false; }; can_use_sudo() { false; }\n"
            "ensure_packages a b"
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn("run 'apt-get install -y --no-install-recommends a b' as root", result.stderr)


if __name__ == "__main__":
    unittest.main()
