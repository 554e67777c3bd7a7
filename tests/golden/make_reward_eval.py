"""Judgements of made-up answers, and what accord reward eval must say of two rewards.

Use:      python3 tests/golden/make_reward_eval.py   (Python 3.11, standard library only, seed 20)
Writes:   reward_eval/judgements.jsonl   votes, rankings with ties, choices, questions of one topic
          reward_eval/expected.json      figures by the definitions in reward/reward_eval.h, from
                                         the rows as they are written there and nothing of ours
"""

import json
import math
import random
import re
from itertools import combinations
from pathlib import Path

FOLDER = Path(__file__).parent / "reward_eval"
MATCH = 1.25
WORDS = ["tea", "leaf", "the", "water", "cup", "a", "steep", "hot", "minute", "kettle"]
REWARDS = {
    "0.01*length": lambda t: 0.01 * len(t),
    "sum(1.5*'regex:ee|ea', -0.004*length)":
        lambda t: 1.5 * bool(re.search("ee|ea", t)) - 0.004 * len(t),
    "-0.05*length": lambda t: -0.05 * len(t),
}


def make_rows(rng):
    rows = []
    for number in range(60):
        answers = []
        while len(answers) < rng.choice([2, 2, 3, 4]):
            text = " ".join(rng.choices(WORDS, k=rng.randint(2, 14)))
            if text not in answers:
                answers.append(text)
        n = len(answers)
        row = {"prompt": f"question {number}", "responses": answers}
        kind = rng.choice(["votes", "votes", "ranking", "winner", "tied"])
        if kind == "votes":
            row["votes"] = [
                {"annotator": f"p{rng.randrange(8)}", "choice": rng.choice([0, 1, 0, "tie"])}
                for _ in range(rng.randint(1, 6))]
            row["responses"] = answers[:2]
        elif kind == "winner" and n > 2:
            row["winner"] = rng.randrange(n)
            row["among"] = list(range(n))
        elif kind == "tied" and n > 2:
            row["ranking"] = [[0, 1], list(range(2, n))]
            row["last_unordered"] = True
            row["topic"] = f"t{number}"
            other = [" ".join(rng.choices(WORDS, k=rng.randint(2, 14))) + str(i) for i in range(3)]
            rows.append({"prompt": f"reference {number}", "responses": other, "winner": 0,
                         "among": [0, 1, 2], "topic": f"t{number}"})
        else:
            order = list(range(n))
            rng.shuffle(order)
            row["ranking"] = [[i] for i in order]
        rows.append(row)
    return rows


def comparisons(row):
    """(ranks by response index, is the last rank unordered, annotator)"""
    n = len(row["responses"])
    if "votes" in row:
        for vote in row["votes"]:
            ranks = {0: [1, 2], 1: [2, 1], "tie": [1, 1]}[vote["choice"]]
            yield dict(enumerate(ranks)), False, vote["annotator"]
    elif "winner" in row:
        yield {i: 1 if i == row["winner"] else 2 for i in range(n)}, True, None
    else:
        yield ({i: g + 1 for g, group in enumerate(row["ranking"]) for i in group},
               row.get("last_unordered", False), None)


def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


class Tally:
    def __init__(self):
        self.correct = self.decided = self.nll = self.brier = self.weight = 0.0

    def add(self, margin, first, second, ties):
        chance = sigmoid(margin)
        self.nll -= (first + ties / 2) * math.log(chance)
        self.nll -= (second + ties / 2) * math.log(1 - chance)
        self.brier += first * (1 - chance) ** 2 + second * chance ** 2 + ties * (chance - 0.5) ** 2
        self.weight += first + second + ties
        if first != second:
            self.decided += 1
            right = margin if first > second else -margin
            self.correct += 1.0 if right > 0 else 0.5 if right == 0 else 0.0

    def accuracy(self):
        return self.correct / self.decided if self.decided else None


def pairs_of(rows):
    """Pairs with the votes for either side, over whole rows: {(row, i, j): [i, j, tie]}"""
    pairs = {}
    for r, row in enumerate(rows):
        for ranks, is_open, _ in comparisons(row):
            for i, j in combinations(sorted(ranks), 2):
                if ranks[i] == ranks[j] and is_open and ranks[i] == max(ranks.values()):
                    continue
                votes = pairs.setdefault((r, i, j), [0, 0, 0])
                votes[0 if ranks[i] < ranks[j] else 1 if ranks[i] > ranks[j] else 2] += 1
    return pairs


def ranks_of(values):
    return [sum(w < v for w in values) + (sum(w == v for w in values) - 1) / 2 for v in values]


def within(rows, transform, score):
    xy = xx = yy = 0.0
    for row in rows:
        x = transform([len(t) for t in row["responses"]])
        y = transform([score(t) for t in row["responses"]])
        mx, my = sum(x) / len(x), sum(y) / len(y)
        xy += sum((a - mx) * (b - my) for a, b in zip(x, y))
        xx += sum((a - mx) ** 2 for a in x)
        yy += sum((b - my) ** 2 for b in y)
    return xy / math.sqrt(xx * yy)


def gap_and_spread(good, others):
    return min(good) - max(others), max(good) - min(good)


def sets_of(rows, score):
    hits, orders, tied, topics = [], [], [], {}
    for row in rows:
        for ranks, is_open, _ in comparisons(row):
            n = len(ranks)
            r = {i: score(row["responses"][i]) for i in ranks}
            good = [r[i] for i in ranks if ranks[i] == 1]
            others = [r[i] for i in ranks if ranks[i] > 1]
            if others and "topic" in row:
                topics.setdefault(row["topic"], {})[len(good) > 1] = gap_and_spread(good, others)
            if n < 3:
                continue
            if len(good) == 1:
                best = max(r.values())
                hits.append((good[0] == best) / list(r.values()).count(best))
            elif others:
                tied.append(gap_and_spread(good, others))
            distinct = [k for k in sorted(set(ranks.values()))
                        if list(ranks.values()).count(k) == 1]
            last_open = is_open and len(distinct) == max(ranks.values()) - 1
            last_open = last_open and distinct and max(ranks.values()) not in distinct
            if len(distinct) == n or last_open:
                left, nll = dict(r), 0.0
                for place in distinct[:n - 1]:
                    chosen = next(i for i in ranks if ranks[i] == place)
                    nll += math.log(sum(math.exp(v) for v in left.values())) - r[chosen]
                    del left[chosen]
                orders.append(nll)
    scores = []
    for sides in topics.values():
        if len(sides) == 2:
            (gap, spread), (ref, _) = sides[True], sides[False]
            both = min(gap, ref)
            margin = math.tanh(both / spread - 1) if spread else (both > 0) - (both < 0)
            scores.append(0.3 * (gap > 0) + 0.3 * (ref > 0) + 0.2 * (gap > spread)
                          + 0.2 * (both > spread) + 0.01 * margin)
    return {"best_of_n": sum(hits) / len(hits), "choices": len(hits),
            "order_nll_nats": sum(orders) / len(orders), "orders": len(orders),
            "tied_accurate": sum(g > 0 for g, _ in tied) / len(tied),
            "tied_apart": sum(g > s for g, s in tied) / len(tied), "tied_sets": len(tied),
            "ties_score": sum(scores) / len(scores), "ties_pairs": len(scores)}


def agreement(votes):
    first, second = votes[0] + votes[2] / 2, votes[1] + votes[2] / 2
    share = max(first, second) / (first + second)
    return ("evenly divided" if first == second else "one judgement" if first + second <= 1 else
            "all agree" if share == 1 else "three quarters or more" if share >= 0.75 else "fewer")


def temperature(rows, pairs, score):
    """By ternary search on the NLL; None if it is least at the end of no margin."""
    def softplus(x):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

    def nll(k):
        total = weight = 0.0
        for (r, i, j), (first, second, ties) in pairs.items():
            answers = rows[r]["responses"]
            margin = k * (score(answers[i]) - score(answers[j]))
            total += (first + ties / 2) * softplus(-margin) + (second + ties / 2) * softplus(margin)
            weight += first + second + ties
        return total / weight

    low, high = 0.0, 50.0
    for _ in range(200):
        third = (high - low) / 3
        if nll(low + third) < nll(high - third):
            high -= third
        else:
            low += third
    return (1 / low, nll(low)) if low > 1e-6 else (None, None)


def figures(rows, pairs, score):
    whole, longer, shorter, matched, slices = Tally(), Tally(), Tally(), Tally(), {}
    for (r, i, j), votes in pairs.items():
        a, b = rows[r]["responses"][i], rows[r]["responses"][j]
        margin = score(a) - score(b)
        whole.add(margin, *votes)
        if len(a) != len(b) and votes[0] != votes[1]:
            (longer if (len(a) > len(b)) == (votes[0] > votes[1]) else shorter).add(margin, *votes)
        if max(len(a), len(b)) <= MATCH * min(len(a), len(b)):
            matched.add(margin, *votes)
        slices.setdefault(f"agreement: {agreement(votes)}", Tally()).add(margin, *votes)
        tie = "somebody calls a tie" if votes[2] else "nobody calls a tie"
        slices.setdefault(f"ties: {tie}", Tally()).add(margin, *votes)
    return {
        "accuracy": whole.accuracy(), "decided_pairs": whole.decided,
        "nll_nats": whole.nll / whole.weight, "brier": whole.brier / whole.weight,
        "length_adjusted_accuracy": (longer.accuracy() + shorter.accuracy()) / 2,
        "length_matched_accuracy": matched.accuracy(), "length_matched_pairs": matched.decided,
        "temperature": temperature(rows, pairs, score)[0],
        "calibrated_nll_nats": temperature(rows, pairs, score)[1],
        "length_pearson": within(rows, list, score),
        "length_spearman": within(rows, ranks_of, score),
        **sets_of(rows, score),
        "slices": {name: [t.accuracy(), t.nll / t.weight, t.decided, t.weight]
                   for name, t in sorted(slices.items())},
    }


def main():
    rows = make_rows(random.Random(20))
    pairs = pairs_of(rows)
    expected = {"pairs": len(pairs), "judgements": sum(sum(v) for v in pairs.values()),
                "rewards": [{"reward": name, **figures(rows, pairs, score)}
                            for name, score in REWARDS.items()]}
    FOLDER.mkdir(exist_ok=True)
    with open(FOLDER / "judgements.jsonl", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    with open(FOLDER / "expected.json", "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
