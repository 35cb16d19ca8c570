"""The command line. What a command needs is imported when the command runs, so that each starts at once."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from scriza import __version__
from scriza.kernel.errors import ScrizaError
from scriza.kernel.ids import DEFAULT_WORKSPACE

CANNOT = 2
"""Exit code when what was asked cannot be done, for a reason that is told in a sentence."""
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    # numpy reads it when it is first imported. More threads make a recognition no quicker, and take 100 ms of
    # processor time for each, which other calls could have.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    told = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = importlib.import_module(f"scriza.cli.{told.command}").run
    try:
        return command(told)
    except ScrizaError as error:
        return _refused(error)
    except ExceptionGroup as group:  # what goes wrong beside other tasks comes wrapped
        refusals = group.subgroup(ScrizaError)
        if refusals is None:
            raise
        return _refused(_innermost(refusals))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone; so do we
        sys.stderr.close()
        return 0


def _refused(error: BaseException) -> int:
    print(f"scriza: {error}", file=sys.stderr)
    return CANNOT


def _innermost(error: BaseException) -> BaseException:
    return _innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="scriza", description="An AI that answers phone calls.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="answer calls", description="Answer calls until stopped.")
    serve.add_argument("--host", help="address to listen on (SCRIZA_HOST)")
    serve.add_argument("--port", type=int, help="port to listen on (SCRIZA_PORT)")
    serve.add_argument("--modules", help="serve only these, separated by commas (SCRIZA_MODULES)")
    serve.add_argument("--workers", type=int, help="processes that serve the port together (SCRIZA_WORKERS)")
    serve.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a process of several inherits its listener
    serve.add_argument("--sample-call", action="store_true", help="place a sample call first, then keep serving")

    call = commands.add_parser("call", help="place a simulated call", description="Place a simulated phone call.")
    call.add_argument("scenario", nargs="?", default="", help="a scenario's name or YAML file; none: the sample call")
    call.add_argument("--to", metavar="URL", help="the Scriza to call; else the one on this machine (SCRIZA_PORT)")
    call.add_argument("--list", action="store_true", help="name the scenarios that ship with Scriza")

    calls = commands.add_parser("calls", help="stop all calls, or resume", description="All calls of a Scriza.")
    switching = calls.add_subparsers(dest="act", required=True, metavar="ACT")
    for act, what in (("stop", "end live calls politely and take no new ones"), ("resume", "take calls again")):
        turned = switching.add_parser(act, help=what)
        turned.add_argument("--to", metavar="URL", help="the Scriza; else the one on this machine (SCRIZA_PORT)")

    config = commands.add_parser("config", help="print the settings in force", description="Print what is in force.")
    config.add_argument("--markdown", action="store_true", help="print the table of all settings for the docs")

    _add_credit(commands)
    commands.add_parser("doctor", help="check this machine and the settings", description="Check what Scriza needs.")

    events = commands.add_parser("events", help="events that nobody could deal with", description="Parked events.")
    of_events = events.add_subparsers(dest="act", required=True, metavar="ACT")
    of_events.add_parser("parked", help="list them, with the consumer that fails and its error")
    retry = of_events.add_parser("retry", help="have them delivered again, when what they failed on is mended")
    retry.add_argument("ids", nargs="*", metavar="ID", help="which ones; none: all")

    memory = commands.add_parser("memory", help="what is known of a caller", description="What is known of callers.")
    of_memory = memory.add_subparsers(dest="act", required=True, metavar="ACT")
    show = of_memory.add_parser("show", help="tell what is known of a number, and from which calls")
    forget = of_memory.add_parser("forget", help="erase everything about a number, for good, and prove it")
    forget.add_argument("--wait", type=int, default=60, metavar="SECONDS", help="for the proof; 60")
    for of_number in (show, forget):
        of_number.add_argument("number", help="E.164, such as +14155550100")
        of_number.add_argument("--to", metavar="URL", help="the Scriza; else the one on this machine (SCRIZA_PORT)")

    models = commands.add_parser("models", help="speech models on this machine", description="Recognisers on disk.")
    acts = models.add_subparsers(dest="act", required=True, metavar="ACT")
    fetch = acts.add_parser("fetch", help="bring a model, such as base.en, or ggml-base.en for whisper.cpp")
    fetch.add_argument("name")
    acts.add_parser("list", help="name the models that are on disk")
    check = acts.add_parser(
        "check", help="measure how well recordings are understood, each with its transcript beside it"
    )
    check.add_argument("recordings", help="a folder: call.wav (or any audio) with what is said in it as call.txt")
    check.add_argument("--language", default="", help="what is spoken, as en; none: it is found out")
    check.add_argument("--phrases", metavar="FILE", help="names, products and phrases that are likely, one a line")
    check.add_argument(
        *("--setting", "-s"),
        action="append",
        default=[],
        metavar="NAME=VALUE[,NAME=VALUE]",
        help="compare with these settings, as asr_window_seconds=5; may be given several times",
    )

    objects = commands.add_parser("objects", help="where clips are kept", description="The store of clips.")
    objects_acts = objects.add_subparsers(dest="act", required=True, metavar="ACT")
    objects_acts.add_parser("init", help="make the bucket, set its lifecycle rules, and try it out")

    reports = commands.add_parser("reports", help="the figures of reports", description="The figures of reports.")
    of_reports = reports.add_subparsers(dest="act", required=True, metavar="ACT")
    rebuild = of_reports.add_parser("rebuild", help="count all calls anew, and say how many sums were wrong")
    rebuild.add_argument("--workspace", default=DEFAULT_WORKSPACE, help="whose calls; those of the default one")
    rebuild.add_argument("--days", type=int, default=90, help="of the last days; 90")

    playbook = commands.add_parser("playbook", help="playbooks as files", description="Playbooks as files.")
    of_playbooks = playbook.add_subparsers(dest="act", required=True, metavar="ACT")
    lint = of_playbooks.add_parser("lint", help="say what is wrong with playbooks, each with its place and a fix")
    lint.add_argument("files", nargs="+", metavar="FILE", help="YAML, JSON, Markdown or CSV, by its ending")
    lint.add_argument("--json", action="store_true", help="print the findings as JSON")
    _add_playbook_versions(of_playbooks)

    twilio = commands.add_parser("twilio", help="phone numbers at Twilio", description="Phone numbers at Twilio.")
    at_twilio = twilio.add_subparsers(dest="act", required=True, metavar="ACT")
    connect = at_twilio.add_parser("connect", help="lead a number's calls and messages to this Scriza")
    connect.add_argument("number", nargs="?", default="", help="which one, such as +14155550100; none: the only one")
    connect.add_argument("--yes", action="store_true", help="do not ask before changing what leads elsewhere")
    at_twilio.add_parser("numbers", help="list the account's numbers and where each leads")

    user = commands.add_parser("user", help="people's accounts", description="People's accounts.")
    of_users = user.add_subparsers(dest="act", required=True, metavar="ACT")
    create = of_users.add_parser("create", help="make somebody an account; the first one is the owner's")
    create.add_argument("email")
    create.add_argument("--name", default="", help="what the person is called")
    create.add_argument("--role", default="owner", choices=("owner", "admin", "manager", "viewer"))
    create.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    create.add_argument("--to", metavar="URL", help="the Scriza; else the one on this machine (SCRIZA_PORT)")

    commands.add_parser("version", help="print the version", description="Print the version.")
    return top


def _add_credit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    credit = commands.add_parser("credit", help="what calls may cost", description="Credit of a workspace.")
    acts = credit.add_subparsers(dest="act", required=True, metavar="ACT")
    grant = acts.add_parser("grant", help="give credit; from the first grant on, calls need some")
    grant.add_argument("amount", help="in dollars, such as 25 or 25.50")
    grant.add_argument("--workspace", default="", help="whose; none: the default one's")
    grant.add_argument("--expires", default="", metavar="DAY", help="the last day that it is good, such as 2027-01-31")
    grant.add_argument("--priority", type=int, default=10, help="0 to 100: a lower one is used up first; 10")
    grant.add_argument("--note", default="", help="why, for the ledger")
    grant.add_argument("--id", default="", help="its name: the same again is the same grant")
    show = acts.add_parser("show", help="tell how the workspace stands")
    ledger = acts.add_parser("ledger", help="list what was granted and spent, newest first")
    ledger.add_argument("--call", default="", metavar="SID", help="of one call")
    ledger.add_argument("--limit", type=int, default=50, help="so many entries; 50")
    for act in (grant, show, ledger):
        act.add_argument("--to", metavar="URL", help="the Scriza; else the one on this machine (SCRIZA_PORT)")


def _add_playbook_versions(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Acts on playbooks that a running Scriza keeps; a playbook is a file, SLUG, or SLUG@VERSION."""
    bring = acts.add_parser("import", help="save a file as the draft of a playbook, or bring in an exported one")
    bring.add_argument("file", help="YAML, JSON, Markdown, CSV or free text; or the name of one that comes with Scriza")
    bring.add_argument("--slug", default="", help="in the place of the file's own; needed for CSV")
    bring.add_argument("--base", default="", metavar="VERSION", help="what it was made of; none: the draft")
    diff = acts.add_parser("diff", help="tell in words how two playbooks differ")
    diff.add_argument("before", help="a file, SLUG (what is published), or SLUG@VERSION")
    diff.add_argument("after")
    merge = acts.add_parser("merge", help="merge two playbooks that were made of a third one")
    merge.add_argument("base", help="a file, SLUG (what is published), or SLUG@VERSION")
    merge.add_argument("ours")
    merge.add_argument("theirs")
    merge.add_argument("--strategy", choices=["manual", "ours", "theirs", "union"], default="manual")
    merge.add_argument(
        *("--take", "-t"),
        action="append",
        default=[],
        metavar="POINTER=SIDE",
        help="decide a conflict: ours, theirs, union, or words of your own; may be given several times",
    )
    merge.add_argument("--output", "-o", default="", metavar="FILE", help="write what comes of it as YAML")
    merge.add_argument("--save", action="store_true", help="save it as the draft; all three are versions then")
    publish = acts.add_parser("publish", help="lead calls by a version")
    publish.add_argument("slug")
    publish.add_argument("--version", default="", help="which one; none: the draft")
    back = acts.add_parser("rollback", help="publish what was published before")
    back.add_argument("slug")
    back.add_argument("--version", default="", help="which one; none: the one before")
    assets = acts.add_parser("assets", help="tell which fixed lines are spoken already")
    assets.add_argument("slug")
    assets.add_argument("--version", default="", help="of which one; none: what is published")
    assets.add_argument("--render", action="store_true", help="have those spoken that are not")
    export = acts.add_parser("export", help="write a playbook with all its versions, or one version as YAML")
    export.add_argument("slug")
    export.add_argument("--output", "-o", default="", metavar="FILE", help="where to; none: print it")
    export.add_argument("--yaml", action="store_true", help="one version, as people edit it")
    export.add_argument("--version", default="", help="which one; none: what is published")
    listing = acts.add_parser("list", help="name all playbooks")
    for act in (bring, merge, publish, back):
        act.add_argument("--message", "-m", default="", help="why, for the log")
    for act in (bring, diff, merge, publish, back, assets, export, listing):
        act.add_argument("--to", metavar="URL", help="the Scriza; else the one on this machine (SCRIZA_PORT)")
