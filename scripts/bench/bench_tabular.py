#!/usr/bin/env python3
"""Pair models beside evalica and choix, on the same comparisons in the same run.

Use:  python3 scripts/bench/bench_tabular.py FIT_PAIRS [--football results.csv] [--no-choix]

FIT_PAIRS is the program of tests/bench/fit_pairs.c (target fit_pairs). Cases:

    300      200,000 comparisons of 300 items: accord, evalica bradley_terry, choix opt_pairwise
    10000    1,000,000 comparisons of 10,000 items: accord
    football every match of the file, draws as ties, with home effect: accord, Davidson

Each case runs REPEATS times, accord and evalica in turns (choix once: it takes a quarter of a
minute, and only agrees to 1e-6 with a tolerance below its default); best and median are printed,
and ratios of the best. How far rewards differ is printed too.

Made with: Python 3.11.7, evalica 0.4.2, choix 0.4.1, numpy 2.4.6, pandas 3.1.1.
"""

import argparse
import csv
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

REPEATS = 7


def simulate(items: int, count: int, seed: int) -> np.ndarray:
    """Rows of two items and who won; rewards are normal with standard deviation 1."""
    rng = np.random.default_rng(seed)
    rewards = rng.normal(size=items)
    first = rng.integers(0, items, count)
    second = (first + rng.integers(1, items, count)) % items
    wins = rng.random(count) < 1.0 / (1.0 + np.exp(rewards[second] - rewards[first]))
    return np.stack([first, second, 1 - wins], axis=1).astype("<i4")


def football(path: str) -> tuple[int, np.ndarray]:
    """Matches that were played; the home team is the first."""
    names: dict[str, int] = {}
    rows = []
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["home_score"].isdigit() or not row["away_score"].isdigit():
                continue
            home = names.setdefault(row["home_team"], len(names))
            away = names.setdefault(row["away_team"], len(names))
            goals = int(row["home_score"]) - int(row["away_score"])
            rows.append((home, away, 0 if goals > 0 else 1 if goals < 0 else 2))
    return len(names), np.array(rows, dtype="<i4")


def largest_connected(items: int, rows: np.ndarray) -> tuple[int, np.ndarray]:
    """The largest set of items that can all be ranked, renumbered."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    won = rows[:, 2] == 0
    lost = rows[:, 2] == 1
    tied = rows[:, 2] == 2
    tails = np.concatenate([rows[won | tied, 1], rows[lost | tied, 0]])
    heads = np.concatenate([rows[won | tied, 0], rows[lost | tied, 1]])
    graph = coo_matrix((np.ones(len(tails)), (tails, heads)), shape=(items, items))
    _, labels = connected_components(graph, directed=True, connection="strong")
    best = np.bincount(labels).argmax()
    keep = (labels[rows[:, 0]] == best) & (labels[rows[:, 1]] == best)
    used, renumbered = np.unique(rows[keep, :2], return_inverse=True)
    kept = np.column_stack([renumbered.reshape(-1, 2), rows[keep, 2]]).astype("<i4")
    return len(used), kept


class Accord:
    """The C program on one set of comparisons."""

    def __init__(self, program: str, folder: pathlib.Path, items: int, rows: np.ndarray) -> None:
        self.program, self.items = program, items
        self.input = folder / f"{items}.bin"
        self.output = folder / f"{items}.rewards"
        head = np.array([items, len(rows), 0], dtype="<i8")
        self.input.write_bytes(head.tobytes() + rows.tobytes())

    def run(self, model: str, position: bool, repeats: int) -> list[float]:
        command = [self.program, self.input, model, str(int(position)), str(repeats), self.output]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [float(word) for word in text.splitlines()[0].split()]

    def rewards(self) -> np.ndarray:
        return np.fromfile(self.output, dtype="<f8")


def show(name: str, seconds: list[float]) -> float:
    best = min(seconds)
    print(f"  {name:32s} best {best:9.4f} s   median {statistics.median(seconds):9.4f} s")
    return best


def agree(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    off = np.abs((ours - ours.mean()) - (theirs - theirs.mean())).max()
    print(f"  {name} differs by at most {off:.2g} nats")


def against_peers(program: str, folder: pathlib.Path, with_choix: bool) -> None:
    import evalica

    items, rows = 300, simulate(300, 200_000, 1)
    print("200,000 comparisons of 300 items, Bradley-Terry")
    accord = Accord(program, folder, items, rows)
    winners = np.where(rows[:, 2] == 0, evalica.Winner.X, evalica.Winner.Y)
    xs, ys, outcomes = rows[:, 0].tolist(), rows[:, 1].tolist(), winners.tolist()
    ours, peers = [], []
    for _ in range(REPEATS):
        ours += accord.run("bradley-terry", False, 1)
        start = time.perf_counter()
        result = evalica.bradley_terry(xs, ys, outcomes)
        peers.append(time.perf_counter() - start)
    best = show("accord, with standard errors", ours)
    evalica_best = show("evalica bradley_terry", peers)
    scores = np.log(result.scores.sort_index().to_numpy())
    agree("evalica", accord.rewards(), scores)
    print(f"  ratio evalica / accord {evalica_best / best:.1f}")
    if with_choix:
        import choix

        pairs = [(w, l) if o == 0 else (l, w) for w, l, o in rows.tolist()]
        start = time.perf_counter()
        theirs = choix.opt_pairwise(items, pairs, alpha=0.0, tol=1e-7)
        seconds = time.perf_counter() - start
        show("choix opt_pairwise", [seconds])
        agree("choix", accord.rewards(), theirs)
        print(f"  ratio choix / accord {seconds / best:.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--football")
    parser.add_argument("--no-choix", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        against_peers(args.program, folder, not args.no_choix)
        print("1,000,000 comparisons of 10,000 items, Bradley-Terry")
        accord = Accord(args.program, folder, 10_000, simulate(10_000, 1_000_000, 2))
        show("accord", accord.run("bradley-terry", False, REPEATS))
        if args.football:
            items, rows = football(args.football)
            print(f"{len(rows)} football matches of {items} teams, Davidson with home effect")
            items, rows = largest_connected(items, rows)
            print(f"  of them {len(rows)} of {items} teams that can all be ranked")
            accord = Accord(args.program, folder, items, rows)
            show("accord, with standard errors", accord.run("davidson", True, REPEATS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
