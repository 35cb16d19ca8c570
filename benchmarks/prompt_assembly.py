"""How long a turn takes before a model is asked: what the words mean, what is decided, and the whole prompt.

Times are the thread's own, so that what else the machine does is not counted; by the clock they are told beside them.
The playbook has 200 objections and FAQs (and 50 facts), each in several wordings with words of its own; the call is
forty turns long. Compiling, which happens once for each version beside the calls, is told as well. Prints a table and
writes `benchmarks/results/prompt_assembly.json`.

    python benchmarks/prompt_assembly.py [RECORDS]
"""

import json
import random
import statistics
import sys
import time
from importlib import resources
from pathlib import Path

import msgspec
import yaml

from scriza.modules.agent.decision import decide
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.prompt import Summary, messages
from scriza.ports.agent import Conversation, Exchange
from scriza.ports.playbook import Fact, Faq, Objection, Playbook
from scriza.ports.tokens import estimated_usage

RESULTS = Path(__file__).parent / "results" / "prompt_assembly.json"
TARGET_P95_MS = 2.0
ROUNDS = 3_000
SYLLABLES = "ba co di fu ga he ji ko lu ma ne po ra si tu va we xo yi zu".split()
COMMON = "how much is the we need a that does it work with our for and can you my when do i get what about".split()


def word(chance: random.Random) -> str:
    """A word that nobody knows."""
    return "".join(chance.choices(SYLLABLES, k=3))


def sentence(chance: random.Random, about: list[str], words: int) -> str:
    """Common words, and some of those that it is about."""
    return " ".join(chance.choice(about) if chance.random() < 0.3 else chance.choice(COMMON) for _ in range(words))


def big_playbook(records: int, chance: random.Random) -> Playbook:
    """The shipped one with other records, whose words are as rare and as common as people's are."""
    file = resources.files("scriza.modules.strategy") / "samples" / "paper-kite.yaml"
    sample = msgspec.convert(yaml.safe_load(file.read_text("utf-8")), Playbook)
    vocabulary = [word(chance) for _ in range(600)]

    def texts(about: list[str], count: int, words: int) -> list[str]:
        return [sentence(chance, about, words) for _ in range(count)]

    topics = [chance.sample(vocabulary, 5) for _ in range(records)]
    objections = [
        Objection(id=f"o{n}", phrases=texts(topic, 4, 7), triggers=topic[:2], response=texts(topic, 3, 18))
        for n, topic in enumerate(topics[: records // 2])
    ]
    faqs = [
        Faq(id=f"f{n}", q=texts(topic, 5, 8), triggers=topic[:2], a=texts(topic, 3, 18))
        for n, topic in enumerate(topics[records // 2 :])
    ]
    facts = [Fact(id=f"x{n}", text=sentence(chance, chance.sample(vocabulary, 5), 16)) for n in range(50)]
    stages = [
        msgspec.structs.replace(
            stage, answers={id_: a for id_, a in stage.answers.items() if id_ in ("yes", "no", "time")}
        )
        for stage in sample.stages
    ]
    return msgspec.structs.replace(sample, objections=objections, faqs=faqs, facts=facts, stages=stages)


def long_call(guide: Guide, chance: random.Random) -> Conversation:
    """Forty turns, with lines of the playbook as they were heard."""
    lines = list(guide.meanings.values())
    exchanges = []
    for _ in range(40):
        meaning = chance.choice(lines)
        line = chance.choice(meaning.saying.lines)
        exchanges.append(Exchange(chance.choice(list(meaning.phrases)), line.text, [line.id]))
    slots = {"time": "tomorrow afternoon", "name": "Ada"}
    return Conversation("sv_1", "pitch", "Hi, how can I help?", exchanges, slots, known=["They asked for the price."])


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Median and high percentiles."""
    cuts = statistics.quantiles(seconds, n=100)
    return {name: round(cuts[at] * 1000, 3) for name, at in (("p50", 49), ("p95", 94), ("p99", 98))}


def main() -> None:
    """Print the table and write it; fails when the target is missed."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    chance = random.Random(4)
    playbook = big_playbook(records, chance)
    began = time.perf_counter()
    guide = Guide(playbook)
    compiling = round((time.perf_counter() - began) * 1000, 1)
    conversation, summary = long_call(guide, chance), Summary("They send invoices by hand and want a demo.", 30)
    said = [phrase for meaning in guide.meanings.values() for phrase in meaning.phrases]
    deciding, whole, by_the_clock, tokens = [], [], [], []
    for _ in range(ROUNDS):
        utterance = f"{chance.choice(said)} {chance.choice(COMMON)} {chance.choice(said)}"
        began, clock = time.thread_time(), time.perf_counter()
        decision = decide(guide, conversation, utterance)
        decided = time.thread_time()
        told = messages(guide, conversation, decision, utterance, summary)
        whole.append(time.thread_time() - began)
        by_the_clock.append(time.perf_counter() - clock)
        deciding.append(decided - began)
        tokens.append(estimated_usage(told, "").prompt_tokens)
    figures = {
        "records": records,
        "compiling_ms": compiling,
        "deciding_ms": milliseconds(deciding),
        "whole_ms": milliseconds(whole),
        "by_the_clock_ms": milliseconds(by_the_clock),
        "prompt_tokens_p50": statistics.median(tokens),
        "target_p95_ms": TARGET_P95_MS,
    }
    for name, figure in figures.items():
        print(f"{name:20} {figure}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(figures["whole_ms"]["p95"] > TARGET_P95_MS)


if __name__ == "__main__":
    main()
