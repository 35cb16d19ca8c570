"""How long a three-way merge of two playbooks takes, and their diff with its summary: 250 objections and 250 FAQs each.

From a few edits on either side to all records edited by both, and to all of one list under new ids, where what went is
compared to what came. CPU time stands beside wall time, since other load on the machine moves it less. Prints a table
and writes `benchmarks/results/playbook_merge.json`.
"""

import gc
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import yaml

from scriza.modules.strategy.diff import diff
from scriza.modules.strategy.merge import merge
from scriza.modules.strategy.normalise import normalise
from scriza.ports.playbook import Playbook

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "src" / "scriza" / "modules" / "strategy" / "samples" / "outbound-demo-en-in.yaml"
RESULTS = Path(__file__).parent / "results" / "playbook_merge.json"
RECORDS = 250
"""Of each of the two lists."""
ROUNDS = 60

Document = dict[str, Any]
Row = dict[str, str | float | int]


def text(words: random.Random) -> str:
    """Three sentences of eight words out of a thousand."""
    return " ".join(" ".join(f"w{words.randrange(1000)}" for _ in range(8)).capitalize() + "." for _ in range(3))


def base_document() -> Document:
    """The shipped sample with 250 objections and as many FAQs, two answers of three sentences each."""
    words = random.Random(4)
    document: Document = yaml.safe_load(SAMPLE.read_text())
    document["objections"] = [
        {
            "id": f"objection-{number:03}",
            "title": f"Objection {number}",
            "triggers": [f"trigger {number} {part}" for part in range(4)],
            "response": [text(words), text(words)],
        }
        for number in range(RECORDS)
    ]
    document["faqs"] = [
        {"id": f"faq-{number:03}", "q": [f"question {number}", text(words)], "a": [text(words), text(words)]}
        for number in range(RECORDS)
    ]
    return document


def canonical(document: Document) -> Playbook:
    """As the strategy module keeps it."""
    playbook = normalise(document).playbook
    assert playbook is not None
    return playbook


def edited(base: Playbook, edit: Callable[[Document], None]) -> Playbook:
    """The base after an edit."""
    document: Document = msgspec.to_builtins(base)
    edit(document)
    return canonical(document)


def reword(share: int, sentence: int, field: str) -> Callable[[Document], None]:
    """Rewords a sentence of the first answer of every so many records, and sets another field."""

    def edit(document: Document) -> None:
        for record in [*document["objections"], *document["faqs"]][::share]:
            lines = record["response" if "response" in record else "a"]
            sentences = lines[0].split(". ")
            sentences[sentence] = f"Reworded {field} {sentence}"
            lines[0] = ". ".join(sentences).rstrip(".") + "."
            record["x-" + field] = "set"

    return edit


def rename(prefix: str, before: Callable[[Document], None] = lambda _: None) -> Callable[[Document], None]:
    """Gives all objections other ids, and one FAQ another word."""

    def edit(document: Document) -> None:
        before(document)
        for record in document["objections"]:
            record["id"] = prefix + record["id"]
        document["faqs"][0]["source"] = prefix

    return edit


def timed(name: str, run: Callable[[], object]) -> Row:
    """Median and 95th percentile of `ROUNDS` runs in milliseconds, and the median of the CPU time that they took."""
    times, cpu = [], []
    for _ in range(ROUNDS):
        gc.collect()
        started, used = time.perf_counter(), time.thread_time()
        run()
        cpu.append((time.thread_time() - used) * 1000)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return {
        "case": name,
        "cpu_ms": round(median(cpu), 2),
        "median_ms": round(median(times), 2),
        "p95_ms": round(times[ROUNDS * 95 // 100], 2),
    }


def measure() -> list[Row]:
    """One row for each case."""
    base = canonical(base_document())
    cases = {
        "5 records edited by each, others": (reword(100, 0, "a"), reword(99, 1, "b")),
        "100 edited by each, some of them the same": (reword(5, 0, "a"), reword(4, 1, "b")),
        "all edited by both, other sentences": (reword(1, 0, "a"), reword(1, 2, "b")),
        "all edited by both, the same sentence": (reword(1, 0, "a"), reword(1, 0, "b")),
        "all objections under new ids on both sides": (rename("a-"), rename("b-")),
        "the same, and each of them reworded": (rename("a-", reword(1, 0, "a")), rename("b-", reword(1, 2, "b"))),
    }
    rows = []
    for name, (mine, its) in cases.items():
        ours, theirs = edited(base, mine), edited(base, its)
        found = merge(base, ours, theirs)
        row = timed(name, lambda ours=ours, theirs=theirs: merge(base, ours, theirs))  # type: ignore[misc]
        rows.append(row | {"conflicts": found.stats.conflicts, "renames": len(found.renames)})
    after = edited(base, reword(1, 0, "a"))
    rows.append(timed("diff and summary, all 500 edited", lambda: diff(base, after)))
    return rows


def main() -> None:
    """Print the table and write it."""
    rows = measure()
    print(f"{'':48}{'CPU-ms':>8}{'median ms':>11}{'p95 ms':>9}{'conflicts':>11}{'renames':>9}")
    for row in rows:
        counts = (str(row.get("conflicts", "")), str(row.get("renames", "")))
        figures = f"{row['cpu_ms']:>8}{row['median_ms']:>11}{row['p95_ms']:>9}"
        print(f"{row['case']:48}{figures}{counts[0]:>11}{counts[1]:>9}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows, "load": os.getloadavg()[0], "cpus": os.cpu_count()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
