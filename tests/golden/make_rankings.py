"""Writes tests/golden/rankings/*.json: rankings with ties and Crowd-BT, fitted another way.

Rankings: every subset is enumerated, the likelihood is a multinomial logit over them, and plain
Newton steps with a dense Hessian find its maximum. Crowd-BT: scipy's BFGS and then Newton steps on
complex-step derivatives of the log-posterior.

Made with: Python 3.11.7, numpy 2.4.6, scipy 1.17.1.

Run with:  python3 tests/golden/make_rankings.py tests/golden/rankings
"""
import itertools
import json
import pathlib
import sys

import numpy as np
from scipy.optimize import minimize

SEED = 20240611


# ---- rankings with ties, by enumeration ----

def stages(items, ranks, unordered):
    """(remaining items, chosen items) from best to worst; groups of equal rank are ties."""
    groups = {}
    for item, rank in zip(items, ranks):
        groups.setdefault(rank, []).append(item)
    order = [groups[rank] for rank in sorted(groups)]
    for g, chosen in enumerate(order):
        remaining = [item for group in order[g:] for item in group]
        if len(remaining) > 1 and not (unordered and g == len(order) - 1):
            yield remaining, chosen


def fit_rankings(case):
    n = case["items"]
    rows = [(s, c["weight"]) for c in case["comparisons"]
            for s in stages(c["members"], c["ranks"], c["last_unordered"])]
    orders = sorted({1} | {len(chosen) for (_, chosen), _ in rows})
    size = n + len(orders) - 1

    def features(subset):
        x = np.zeros(size)
        x[list(subset)] = 1 / len(subset)
        if len(subset) > 1:
            x[n + orders.index(len(subset)) - 1] = 1
        return x

    choices = []
    for (remaining, chosen), weight in rows:
        subsets = [s for t in orders for s in itertools.combinations(remaining, t)]
        matrix = np.array([features(s) for s in subsets])
        choices.append((matrix, features(chosen), weight))

    prior = np.concatenate([np.full(n, case["ridge"]), np.zeros(size - n)])

    def evaluate(x, free):
        value, gradient, hessian = prior @ x**2 / 2, prior * x, np.diag(prior)
        likelihood = 0.0
        for matrix, chosen, weight in choices:
            logits = matrix @ x
            top = logits.max()
            p = np.exp(logits - top)
            log_z = top + np.log(p.sum())
            p /= p.sum()
            likelihood += weight * (chosen @ x - log_z)
            mean = p @ matrix
            gradient = gradient + weight * (mean - chosen)
            hessian = hessian + weight * ((matrix.T * p) @ matrix - np.outer(mean, mean))
        return value - likelihood, likelihood, gradient[free], hessian[np.ix_(free, free)]

    def newton(free):
        x = np.zeros(size)
        for _ in range(200):
            value, _, gradient, hessian = evaluate(x, free)
            step = -np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0]
            length = 1.0
            while length > 1e-12:
                trial = x.copy()
                trial[free] += length * step
                if evaluate(trial, free)[0] <= value + 1e-12:
                    break
                length /= 2
            x = trial
            if np.abs(step).max() < 1e-13:
                break
        return x

    everything, ties = np.arange(size), np.arange(n, size)
    x = newton(everything)
    _, likelihood, _, hessian = evaluate(x, everything)
    centre = np.eye(size)
    centre[:n, :n] -= 1 / n
    x = centre @ x
    covariance = centre @ np.linalg.pinv(hessian, rcond=1e-10) @ centre.T
    null = newton(ties) if len(ties) else np.zeros(size)
    return {
        "tie_orders": orders[1:],
        "rewards": x[:n].tolist(),
        "log_deltas": x[n:].tolist(),
        "std_errors": np.sqrt(np.diag(covariance)).tolist(),
        "log_likelihood": likelihood,
        "log_likelihood_null": evaluate(null, everything)[1],
    }


def draw_case(rng, name, items, count, sizes, ties, unordered, ridge):
    truth = rng.normal(0, 1, items)
    comparisons = []
    for _ in range(count):
        k = int(rng.integers(sizes[0], sizes[1] + 1))
        members = rng.choice(items, k, replace=False)
        noisy = truth[members] + rng.gumbel(0, 1, k)
        grid = np.round(noisy / ties) if ties else noisy
        order = np.argsort(-grid, kind="stable")
        values = grid[order]
        ranks = [1 + int((np.unique(values) > v).sum()) for v in values]
        comparisons.append({
            "members": [int(m) for m in members[order]],
            "ranks": ranks,
            "weight": float(rng.integers(1, 4)) / 2 if ridge else float(rng.integers(1, 4)),
            "last_unordered": bool(unordered and rng.random() < 0.5 and max(ranks) > 1),
        })
    return {"name": name, "items": items, "ridge": ridge, "comparisons": comparisons}


# ---- Crowd-BT ----

def fit_crowd(case):
    n, annotators = case["items"], case["annotators"]
    position = 1 if case["position_effect"] else 0
    good, bad, ridge = case["good"], case["bad"], case["ridge"]
    rows = np.array([[j["better"], j["worse"], j["annotator"], j["first"], j["weight"]]
                     for j in case["judgements"]])
    better, worse, who = (rows[:, c].astype(int) for c in range(3))
    first, weight = rows[:, 3], rows[:, 4]

    def loss(x):
        d = x[better] - x[worse] + (x[n] * first if position else 0)
        h = 1 / (1 + np.exp(-np.append(x[n + position:], np.log(good / bad))))
        said = h[who] / (1 + np.exp(-d)) + (1 - h[who]) / (1 + np.exp(d))
        prior = good * np.log(h[:-1]) + bad * np.log(1 - h[:-1])
        return -(weight * np.log(said)).sum() - prior.sum() + ridge / 2 * (x[:n] ** 2).sum()

    size = n + position + annotators

    def gradient(x):
        out = np.empty(size)
        for i in range(size):
            z = x.astype(complex)
            z[i] += 1e-30j
            out[i] = loss(z).imag / 1e-30
        return out

    def hessian(x):
        out = np.empty((size, size))
        for i in range(size):
            e = np.zeros(size)
            e[i] = 1e-4
            out[i] = (8 * (gradient(x + e) - gradient(x - e))
                      - (gradient(x + 2 * e) - gradient(x - 2 * e))) / 12e-4
        return (out + out.T) / 2

    start = np.zeros(size)
    start[n + position:] = np.log(good / bad)
    x = minimize(lambda v: loss(v).real, start, jac=gradient, method="BFGS",
                 options={"gtol": 1e-8}).x
    for _ in range(5):
        x = x - np.linalg.pinv(hessian(x), rcond=1e-9) @ gradient(x)
    assert np.abs(gradient(x)).max() < 1e-9
    centre = np.eye(size)
    centre[:n, :n] -= 1 / n
    x = centre @ x
    errors = np.sqrt(np.diag(centre @ np.linalg.pinv(hessian(x), rcond=1e-9) @ centre.T))
    h = 1 / (1 + np.exp(-x[n + position:]))
    return {
        "rewards": x[:n].tolist(),
        "position": x[n] if position else 0.0,
        "reliabilities": h.tolist(),
        "std_errors": errors[:n].tolist(),
        "position_std_error": errors[n] if position else 0.0,
        "reliability_std_errors": (h * (1 - h) * errors[n + position:]).tolist(),
        "value": float(loss(x)),
    }


def draw_crowd(rng, name, position_effect, ridge):
    items, annotators = 6, 8
    truth = np.linspace(-0.8, 0.8, items)
    reliability = np.array([0.95, 0.9, 0.9, 0.8, 0.8, 0.5, 0.5, 0.1])
    judgements = []
    for _ in range(500):
        i, j = rng.choice(items, 2, replace=False)
        a = int(rng.integers(0, annotators + 1))  # the last: not known
        first = int(rng.choice([-1, 0, 1]))
        d = truth[i] - truth[j] + 0.4 * first * position_effect
        h = 0.8 if a == annotators else reliability[a]
        p = h / (1 + np.exp(-d)) + (1 - h) / (1 + np.exp(d))
        win = rng.random() < p
        judgements.append({"better": int(i if win else j), "worse": int(j if win else i),
                           "annotator": a, "first": first if win else -first,
                           "weight": float(rng.integers(1, 3))})
    return {"name": name, "items": items, "annotators": annotators, "good": 4.0, "bad": 1.0,
            "position_effect": position_effect, "ridge": ridge, "judgements": judgements}


def main():
    folder = pathlib.Path(sys.argv[1])
    rng = np.random.default_rng(SEED)
    rankings = [
        draw_case(rng, "strict", 5, 40, (2, 5), 0, False, 0.0),
        draw_case(rng, "top choices", 5, 40, (2, 5), 0, True, 0.0),
        draw_case(rng, "ties", 6, 60, (2, 6), 1.5, False, 0.0),
        draw_case(rng, "ties and rest not ordered", 6, 60, (3, 6), 1.5, True, 0.0),
        draw_case(rng, "ties with a prior", 7, 20, (2, 6), 2.0, True, 0.5),
    ]
    crowds = [draw_crowd(rng, "plain", False, 0.0), draw_crowd(rng, "with position", True, 0.2)]
    for case in rankings:
        case["expected"] = fit_rankings(case)
    for case in crowds:
        case["expected"] = fit_crowd(case)
    (folder / "rankings.json").write_text(json.dumps(rankings) + "\n")
    (folder / "crowd.json").write_text(json.dumps(crowds) + "\n")


if __name__ == "__main__":
    main()
