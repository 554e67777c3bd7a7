#!/usr/bin/env python3
"""check_commits - commit subjects read `area: imperative summary`, within 72 columns.

Use:  python3 scripts/check_commits.py [GIT RANGE]      default: every commit up to HEAD

The area is a folder or a file's stem, among those the commit touches or those in the tree, or one
of AREAS. Without a git repository (a release archive) there is nothing to check.
"""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SUBJECT_COLUMNS_MAX = 72
AREAS = {"build", "ci", "docs", "scripts", "tests"}
# First words that are imperatives in spite of their ending.
IMPERATIVES = {"bring", "embed", "exceed", "feed", "need", "ping", "proceed", "seed", "speed"}

COMMIT_MARK = "\x1e"  # stands before each commit in git's output


def areas_of(paths: list[str]) -> set[str]:
    """The folders and file stems of paths: "base/json.c" gives base and json."""
    areas = set()
    for path in map(PurePosixPath, paths):
        areas.update(part.lstrip(".") for part in path.parent.parts)
        areas.add(path.name.lstrip(".").split(".")[0].lower())
    return areas


def subject_problem(subject: str, areas: set[str]) -> str | None:
    """What is wrong with a subject, with its remedy; None for a good one."""
    if len(subject) > SUBJECT_COLUMNS_MAX:
        return f"{len(subject)} columns, limit {SUBJECT_COLUMNS_MAX}; say it shorter"
    match = re.fullmatch(r"([\w./-]+): (\S+)(?: .*)?", subject)
    if not match:
        return "not 'area: summary'; begin with a folder or file stem, a colon and one space"
    area, word = match.groups()
    if not areas_of([area + "/"]) <= areas | AREAS:
        return f"'{area}' is no folder or file stem; name what the commit is about"
    if re.search(r"(?:ed|ing)$", word) and word.lower() not in IMPERATIVES:
        return f"'{word}' is not an imperative; write what applying the commit does ('add')"
    if subject.endswith("."):
        return "a full stop at the end; remove it"
    return None


def git(*arguments: str) -> str | None:
    """The output of a git command, or None where it fails."""
    # A checkout made by another user (a CI runner) is trusted for reading.
    command = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def main(arguments: list[str]) -> int:
    log_format = f"--format={COMMIT_MARK}%h%n%s"
    log = git("log", "--no-merges", "--name-only", log_format, *(arguments or ["HEAD"]))
    if log is None:
        print("commits: not a git repository with commits, nothing to check")
        return 1 if arguments else 0
    tree_areas = areas_of((git("ls-files") or "").splitlines())
    commits = log.split(COMMIT_MARK)[1:]
    bad = 0
    for commit in commits:
        short_hash, subject, *paths = commit.strip().splitlines()
        problem = subject_problem(subject, tree_areas | areas_of([path for path in paths if path]))
        if problem:
            bad += 1
            print(f"commit {short_hash}: [rule 40] '{subject}': {problem}")
    print(f"commits: {len(commits)} subjects, {bad} to change")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
