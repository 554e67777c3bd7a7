#!/usr/bin/env python3
"""Processor time of `accord import` into a new project, of one program or of several in turns.

Use:  python3 scripts/bench/bench_import.py FILE PROGRAM... [--repeats 5] [--folder DIR]

Each run makes a new project in DIR, imports FILE, and removes the project. Counted is the import as
a process: user and system time, until it has ended, so with commit and checkpoint, and its largest
resident memory. Programs take turns within each repeat, so that a machine with other work hinders
all alike; the ratio is to the first program, of the medians.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


class Run:
    """One import, and what it took."""

    def __init__(self, program: str, file: str, folder: str) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            project = str(pathlib.Path(name) / "project.db")
            subprocess.run([program, "init", project], check=True, stdout=subprocess.DEVNULL)
            start = time.perf_counter()
            command = [program, "import", project, file, "--quiet"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(command, **quiet)
            _, status, used = os.wait4(process.pid, 0)
            self.wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                sys.exit(f"{program}: the import ended with status {process.returncode}")
        self.user, self.system = used.ru_utime, used.ru_stime
        self.memory = used.ru_maxrss / 1024

    @property
    def processor(self) -> float:
        return self.user + self.system


def show(program: str, runs: list[Run], size: float, base: float) -> None:
    seconds = [run.processor for run in runs]
    middle = statistics.median(seconds)
    print(
        f"{program}\n"
        f"  processor  {size / middle:6.1f} MB/s, {size / max(seconds):.1f} to"
        f" {size / min(seconds):.1f}: {middle:.2f} s,"
        f" user {statistics.median(run.user for run in runs):.2f} s,"
        f" system {statistics.median(run.system for run in runs):.2f} s;"
        f" ratio {base / middle:.2f}\n"
        f"  wall       {size / statistics.median(run.wall for run in runs):6.1f} MB/s\n"
        f"  memory     {max(run.memory for run in runs):6.1f} MiB"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("programs", nargs="+", metavar="program")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where projects are made; default: the system's for such")
    args = parser.parse_args()
    size = os.path.getsize(args.file) / 1e6
    runs: dict[str, list[Run]] = {program: [] for program in args.programs}
    for _ in range(args.repeats):
        for program in args.programs:
            runs[program].append(Run(program, args.file, args.folder))
    base = statistics.median(run.processor for run in runs[args.programs[0]])
    print(f"{args.file}: {size:.0f} MB, {args.repeats} repeats")
    for program in args.programs:
        show(program, runs[program], size, base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
