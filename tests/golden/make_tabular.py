#!/usr/bin/env python3
"""Writes tests/golden/tabular: pair models fitted, and estimates that do not exist, independently.

pairs.json      small random sets of comparisons with the optimum of each model, standard errors,
                log-likelihoods; for tests/unit/test_tabular_pairs.c
existence.json  sparse random sets, and whether an estimate exists; for test_tabular_estimable.c

The log-likelihoods are written down from the definitions in reward/tabular_fit.h, one comparison at
a time, in extended precision. Optima are found by Newton's method on numerical derivatives (fourth
order, of step 1e-3), so nothing is shared with the C code but the definitions. Existence is decided
by linear programs: whether a direction (d, a, e), other than a shift of all rewards of a block,
makes no observed outcome less likely.

Made with: Python 3.11.7, numpy 2.4.6, scipy 1.17.1.
Run with:  python3 tests/golden/make_tabular.py
"""

import itertools
import json
import pathlib

import numpy as np
from scipy.optimize import linprog

FOLDER = pathlib.Path(__file__).parent / "tabular"
F = np.longdouble
STEP = F(1e-3)


def pairs_of(case):
    """(i, j, side, outcome, weight): outcome 1 i won, 0 tie, -1 j won; i is the smaller."""
    for row in case["comparisons"]:
        items, ranks, positions = row["items"], row["ranks"], row["positions"]
        for m, w in itertools.combinations(range(len(items)), 2):
            tie = ranks[m] == ranks[w]
            if tie and row["last_unordered"] and ranks[m] == ranks[-1]:
                continue
            if tie and case["ties"] == "drop":
                continue
            side = 0
            if positions[m] > 0 and positions[w] > 0:
                side = int(np.sign(positions[w] - positions[m]))
            i, j, outcome = items[m], items[w], 0 if tie else 1
            if i > j:
                i, j, side, outcome = j, i, -side, -outcome
            if tie and case["ties"] == "half":
                yield i, j, side, 1, row["weight"] / 2
                yield i, j, side, -1, row["weight"] / 2
            else:
                yield i, j, side, outcome, row["weight"]


class Model:
    """x = rewards of all items but the last of each block, then position, then tie parameter."""

    def __init__(self, case):
        self.case = case
        blocks = np.array(case["blocks"])
        items = len(blocks)
        columns = []
        for block in range(max(blocks) + 1):
            members = np.flatnonzero(blocks == block)
            for item in members[:-1]:
                column = np.zeros(items)
                column[item] += 1.0
                column[members] -= 1.0 / len(members)
                columns.append(column)
        self.basis = np.array(columns).T.astype(F)
        self.blocks = blocks
        self.position = self.basis.shape[1] if case["position"] else -1
        self.has_tie = case["model"] != "bradley-terry"
        self.size = self.basis.shape[1] + bool(case["position"]) + self.has_tie
        self.pairs = list(pairs_of(case))

    def unpack(self, x):
        rewards = self.basis @ x[: self.basis.shape[1]]
        a = x[self.position] if self.position >= 0 else F(0)
        return rewards, a, x[-1] if self.has_tie else F(0)

    def log_probability(self, difference, e, outcome):
        if self.case["model"] == "bradley-terry":
            return -np.log1p(np.exp(-outcome * difference))
        if self.case["model"] == "davidson":
            odds = {1: difference / 2, -1: -difference / 2, 0: e}
            return odds[outcome] - np.log(sum(np.exp(v) for v in odds.values()))
        win = 1 / (1 + np.exp(e - difference))
        loss = 1 / (1 + np.exp(e + difference))
        return np.log({1: win, -1: loss, 0: 1 - win - loss}[outcome])

    def log_likelihood(self, x, equal=False):
        rewards, a, e = self.unpack(x)
        if equal:
            rewards = rewards * 0
        return sum(
            F(w) * self.log_probability(rewards[i] - rewards[j] + a * s, e, o)
            for i, j, s, o, w in self.pairs
        )

    def information(self, x):
        """Of Bradley-Terry, for Firth's penalty."""
        rewards, a, _ = self.unpack(x)
        total = np.zeros((self.size, self.size), dtype=F)
        for i, j, s, _, w in self.pairs:
            row = np.zeros(self.size, dtype=F)
            row[: self.basis.shape[1]] = self.basis[i] - self.basis[j]
            if self.position >= 0:
                row[self.position] = s
            p = 1 / (1 + np.exp(-(rewards[i] - rewards[j] + a * s)))
            total += F(w) * p * (1 - p) * np.outer(row, row)
        return total

    def objective(self, x):
        value = -self.log_likelihood(x)
        if self.case["estimator"] == "map":
            value += F(self.case["ridge"]) / 2 * np.sum(self.unpack(x)[0] ** 2)
        if self.case["estimator"] == "firth":
            value -= log_determinant(self.information(x)) / 2
        return value


def log_determinant(matrix):
    """By elimination, since numpy has none in extended precision."""
    a, total = matrix.copy(), F(0)
    for k in range(len(a)):
        total += np.log(a[k, k])
        a[k + 1 :] -= np.outer(a[k + 1 :, k] / a[k, k], a[k])
    return total


def derivative(function, x, k):
    """Fourth order; exact but for step^4 times the fifth derivative."""
    def at(steps):
        moved = x.copy()
        moved[k] += steps * STEP
        return function(moved)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP)


def gradient(function, x):
    return np.array([derivative(function, x, k) for k in range(len(x))])


def hessian(function, x):
    rows = [
        gradient(lambda z, k=k: derivative(function, z, k), x).astype(float) for k in range(len(x))
    ]
    return np.array(rows)


def minimise(function, x):
    """Newton's method with halving of steps."""
    for _ in range(60):
        slope = gradient(function, x)
        step = -np.linalg.solve(hessian(function, x), slope.astype(float))
        length, value = 1.0, function(x)
        while not function(x + length * step) <= value + F(1e-15) * abs(value):
            length /= 2
        x = x + length * step
        if np.abs(step).max() < 1e-12:
            return x
    raise RuntimeError("no convergence")


def random_comparisons(rng, blocks, count, ranked, weights):
    rows = []
    for _ in range(count):
        block = rng.integers(0, max(blocks) + 1)
        members = [i for i, b in enumerate(blocks) if b == block]
        k = int(rng.integers(2, min(4, len(members)) + 1)) if ranked else 2
        items = [int(i) for i in rng.permutation(members)[:k]]
        ranks = [1]
        for _ in items[1:]:
            ranks.append(ranks[-1] + int(rng.random() < 0.7))
        shown = rng.random() < 0.8
        rows.append(
            {
                "items": items,
                "ranks": ranks,
                "positions": [int(p) + 1 for p in rng.permutation(k)] if shown else [0] * k,
                "weight": float(rng.integers(1, 9)) / 4 if weights else 1.0,
                "last_unordered": bool(k > 2 and ranks[-1] == ranks[-2] and rng.random() < 0.5),
            }
        )
    return sorted(rows, key=lambda row: blocks[row["items"][0]])


MODELS = ["bradley-terry", "davidson", "rao-kupper"]


def pair_cases():
    seed = 0
    for model, estimator, position in itertools.product(MODELS, ["ml", "map", "firth"], [0, 1]):
        if estimator == "firth" and model != "bradley-terry":
            continue
        for blocks, ranked in [([0] * 5, False), ([0, 0, 0, 1, 1, 1, 1], True)]:
            seed += 1
            rng = np.random.default_rng(seed)
            ties = ["half", "drop"][seed % 2] if model == "bradley-terry" else "refuse"
            case = {
                "model": model,
                "estimator": estimator,
                "position": position,
                "ties": ties,
                "ridge": 0.7,
                "blocks": blocks,
                "comparisons": random_comparisons(rng, blocks, 40, ranked, weights=ranked),
            }
            if exists(case):
                yield case
            else:
                raise RuntimeError(f"seed {seed}: choose another")


def solve(case):
    model = Model(case)
    x = np.zeros(model.size, dtype=F)
    if model.has_tie:
        x[-1] = 0.5
    x = minimise(model.objective, x)
    rewards, a, e = model.unpack(x)
    curvature = (
        model.information(x).astype(float)
        if case["estimator"] == "firth"
        else hessian(model.objective, x)
    )
    covariance = np.linalg.inv(curvature)
    n = model.basis.shape[1]
    basis = np.zeros((len(rewards) + model.size - n, model.size))
    basis[: len(rewards), :n] = model.basis.astype(float)
    basis[len(rewards) :, n:] = np.eye(model.size - n)
    full = basis @ covariance @ basis.T
    parameters = ([float(a)] if case["position"] else []) + ([float(e)] if model.has_tie else [])
    null = 0.0
    if model.size > n:

        def free(z):
            return -model.log_likelihood(np.concatenate([np.zeros(n, dtype=F), z]), equal=True)

        z = minimise(free, x[n:].copy())
        null = -free(z)
    else:
        null = model.log_likelihood(x, equal=True)
    case["expected"] = {
        "rewards": [float(r) for r in rewards],
        "parameters": parameters,
        "covariance": [float(f"{full[i][j]:.9g}") for i in range(len(full)) for j in range(i + 1)],
        "log_likelihood": float(model.log_likelihood(x)),
        "log_likelihood_null": float(null),
    }
    return case


# ---- existence ----


def bounds_of(case):
    """Rows b with b . (d, a, e) >= 0, of all outcomes; d over all items."""
    items = len(case["blocks"])
    rows = set()
    for i, j, s, outcome, _ in pairs_of(case):
        def row(sign, e):
            made = [0] * (items + 2)
            made[i], made[j], made[items], made[items + 1] = sign, -sign, sign * s, e
            return tuple(made)

        if case["estimator"] == "firth":
            rows |= {row(1, 0), row(-1, 0)}
        elif outcome == 0:
            rows |= {row(1, 1), row(-1, 1)}
        else:
            rows.add(row(outcome, -1))
    return [list(row) for row in sorted(rows)]


def exists(case):
    items = len(case["blocks"])
    rows = bounds_of(case)
    limits = [(-1, 1)] * items + [(-1, 1) if case["position"] else (0, 0)]
    limits += [(-1, 1) if case["model"] != "bradley-terry" else (0, 0)]
    if case["estimator"] == "map":
        limits[:items] = [(0, 0)] * items
    else:
        for block in set(case["blocks"]):  # one of each block stays where it is
            limits[case["blocks"].index(block)] = (0, 0)
    for k, sign in itertools.product(range(items + 2), [1, -1]):
        goal = np.zeros(items + 2)
        goal[k] = -sign
        result = linprog(goal, -np.array(rows), np.zeros(len(rows)), bounds=limits)
        if result.status != 0 or -result.fun > 1e-7:
            return False
    return True


def existence_cases():
    rng = np.random.default_rng(99)
    for model, estimator, position in itertools.product(MODELS, ["ml", "map", "firth"], [0, 1]):
        if estimator == "firth" and model != "bradley-terry":
            continue
        wanted = {True: 8, False: 8}
        for _ in range(3000):
            items = int(rng.integers(2, 6))
            case = {
                "model": model,
                "estimator": estimator,
                "position": position,
                "ties": "half" if model == "bradley-terry" else "refuse",
                "ridge": 1.0,
                "blocks": [0] * items,
                "comparisons": random_comparisons(
                    rng, [0] * items, int(rng.integers(1, 4 * items)), False, False
                ),
            }
            if rng.random() < 0.7:  # rarely a tie, so that their number decides
                for row in case["comparisons"][2:]:
                    row["ranks"] = [1, 2]
            case["exists"] = bool(exists(case))
            if wanted[case["exists"]] > 0:
                wanted[case["exists"]] -= 1
                yield case
            if not any(wanted.values()):
                break


def shortened(value):
    """A comparison as a list; numbers to 13 digits."""
    if isinstance(value, dict) and "ranks" in value:
        return [value[key] for key in ("items", "ranks", "positions", "weight", "last_unordered")]
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return float(f"{value:.13g}") if isinstance(value, float) else value


def write(name, cases):
    FOLDER.mkdir(exist_ok=True)
    lines = [json.dumps(shortened(case), separators=(",", ":")) for case in cases]
    text = ",\n".join(lines)
    (FOLDER / name).write_text(f"[{text}]\n", encoding="utf-8")


def main():
    write("pairs.json", [solve(case) for case in pair_cases()])
    write("existence.json", list(existence_cases()))


if __name__ == "__main__":
    main()
