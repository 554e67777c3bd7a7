"""Counts of the real data that tests/real/test_import_table_counts.c expects.

Python 3.11, standard library only: csv.reader and plain text, nothing of accord.

    python3 tests/golden/count_tables.py ../shared/data
"""
import collections
import csv
import glob
import os
import re
import sys


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def count_football(folder):
    games = rows(f"{folder}/football-international/results.csv")
    home = [row for row in games if int(row[3]) > int(row[4])]
    print("football: games", len(games), "ties", sum(row[3] == row[4] for row in games),
          "neutral", sum(row[8] == "TRUE" for row in games), "home wins", len(home),
          "not on neutral ground", sum(row[8] == "FALSE" for row in home),
          "goals apart", sum(abs(int(row[3]) - int(row[4])) for row in games),
          "teams", len({team for row in games for team in row[1:3]}))


def count_classics(folder):
    beach = rows(f"{folder}/item-only-classic/beach_preferences.csv")
    print("beach:", len(beach), "assessors", len({row[0] for row in beach}),
          "items", len({item for row in beach for item in row[1:]}))
    puddings = rows(f"{folder}/item-only-classic/pudding_ties.csv")
    print("puddings:", sum(int(cell) > 0 for row in puddings for cell in row[3:]),
          "weight", sum(int(cell) for row in puddings for cell in row[3:]))
    baseball = rows(f"{folder}/item-only-classic/baseball_1987.csv")
    print("baseball:", sum(int(cell) > 0 for row in baseball for cell in row[2:]),
          "weight", sum(int(cell) for row in baseball for cell in row[2:]))
    citations = [row for row in rows(f"{folder}/item-only-classic/citations.csv")
                 if row[0] != row[1]]
    print("citations:", len(citations), "weight", sum(int(row[2]) for row in citations))
    races = rows(f"{folder}/item-only-classic/nascar2002_orderings.csv")
    print("nascar:", len(races), {len(row) - 1 for row in races},
          "drivers", len({cell for row in races for cell in row[1:]}))


def count_preflib(folder):
    for path in sorted(glob.glob(f"{folder}/item-only-classic/preflib_*")):
        with open(path, encoding="utf-8") as file:
            orders = [line.strip().split(":") for line in file if line[0] != "#" and line.strip()]
        sizes = collections.Counter(len(re.findall(r"\d+", order)) for _, order in orders)
        print(os.path.basename(path), "orders", len(orders), "voters",
              sum(int(count) for count, _ in orders), "with ties",
              sum("{" in order for _, order in orders), "sizes", dict(sizes))


def count_polis(folder):
    for path in sorted(glob.glob(f"{folder}/polis-opendata/*/participants-votes.csv")):
        people = rows(path)
        votes = collections.Counter(cell for row in people for cell in row[6:] if cell)
        print(path.split("/")[-2], "votes", sum(votes.values()), "n-votes",
              sum(int(row[3]) for row in people), "agree", votes["1"], "disagree", votes["-1"],
              "participants", sum(any(row[6:]) for row in people))


def count_ukp(folder):
    with open(f"{folder}/ukpconvarg1/pairs_votes.tsv", encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file][1:]
    votes = [vote.split(":") for pair in pairs for vote in pair[7].split(";")]
    print("ukp: pairs", len(pairs), "votes", len(votes), "workers", len({v[0] for v in votes}),
          collections.Counter(vote[1] for vote in votes))
    name = "ban-plastic-water-bottles_no-bad-for-the-economy"
    with open(f"{folder}/ukpconvarg1/UKPConvArg1Strict-CSV/{name}.csv", encoding="utf-8") as file:
        labels = [line.split("\t")[1] for line in file][1:]
    print("strict:", len(labels), "a1", labels.count("a1"))


def count_novels(folder):
    novels = glob.glob(f"{folder}/novels/*_*.txt")
    print("novels:", len(novels), "bytes", sum(os.path.getsize(path) for path in novels),
          "owners", len({os.path.basename(path).split("_")[0] for path in novels}))


if __name__ == "__main__":
    for count in (count_football, count_classics, count_preflib, count_polis, count_ukp,
                  count_novels):
        count(sys.argv[1])
