"""Bundles: all of a playbook in one file, whose documents are what their ids say."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import msgspec

from scriza.kernel.errors import BadInput
from scriza.modules.strategy.books import Version
from scriza.modules.strategy.canonical import version_id
from scriza.modules.strategy.normalise import normalise
from scriza.modules.strategy.sources import checked, fits
from scriza.ports.strategy import Bundle, BundledVersion

_BUNDLE = msgspec.json.Decoder(Bundle)


def opened(file: bytes, today: date) -> Bundle:
    """The bundle in a file, every document of which is in the form that is kept and is the one that its id names.

    Its counts of errors and warnings are what lint says here. Raises BadInput, TooLarge.
    """
    try:
        bundle = _BUNDLE.decode(file)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"this is no bundle: {error}") from None
    return msgspec.structs.replace(bundle, versions=[_checked(bundle, kept, today) for kept in bundle.versions])


def _checked(bundle: Bundle, kept: BundledVersion, today: date) -> BundledVersion:
    playbook, info = kept.playbook, kept.info
    fits(playbook)
    if version_id(playbook) != info.id:
        raise BadInput(f"the document of version {info.number} is not the one that {info.id} names")
    if playbook.slug != bundle.slug or info.slug != bundle.slug:
        raise BadInput(f"version {info.number} is of another playbook")
    if normalise(playbook).playbook != playbook:
        raise BadInput(f"the document of version {info.number} is not in the form that is kept")
    found = checked(playbook, today)
    told = {"title": playbook.title, "locale": playbook.locale, "persona": playbook.persona}
    info = msgspec.structs.replace(info, errors=found.errors, warnings=found.warnings, **told)
    return BundledVersion(info, playbook)


def check_whole(bundle: Bundle, is_known: Callable[[str], bool]) -> None:
    """Raises BadInput when a version lacks what it was made of, or nothing is there of what is draft or published."""
    there = {kept.info.id: kept.info for kept in bundle.versions}
    if len(there) < len(bundle.versions):
        raise BadInput("a version is there twice")
    for info in there.values():
        if lacking := next((parent for parent in info.parents if parent not in there and not is_known(parent)), None):
            raise BadInput(f"version {info.number} was made of {lacking}, which is not in the bundle")
    for id_ in filter(None, (bundle.draft, bundle.published)):
        if id_ not in there:
            raise BadInput(f"{id_} is not in the bundle")
    if bundle.published and there[bundle.published].errors:
        raise BadInput("what the bundle has published has errors: see lint")


def numbered(versions: Sequence[BundledVersion], latest: int) -> Iterator[Version]:
    """The versions with the numbers behind `latest`, in the order in which they were made; shipped ones are last."""
    in_order = sorted(versions, key=lambda kept: (kept.info.number == 0, kept.info.number))
    for number, kept in enumerate(in_order, start=latest + 1):
        yield Version(msgspec.structs.replace(kept.info, number=number), kept.playbook)
