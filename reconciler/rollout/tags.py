"""Converts the persisted state of a scale set to its tags and back.

The state is one text, split where a tag is full. Azure allows 256 characters in a tag and 50 tags on a
resource:

    vmss-reconciler-state        v1;fleet=shop;began=2026-01-05T09:00:00+00:00,5f0c…,web/1.4.0;good=/subscript
    vmss-reconciler-state-2      ions/…/galleries/acme/images/web/versions/1.3.0
    vmss-reconciler-approved     Canonical:ubuntu-24_04-lts:server:24.04.202601140
    vmss-reconciler-claim        holder=4f0c…;by=ada;until=2026-01-05T09:11:00+00:00
    vmss-reconciler-approved-by  by=ada@example.com;at=2026-01-05T09:00:00+00:00;image=9b1d…,24.04.202601140

The approved image has a separate tag, which people can read, and the approver has another. An earlier version
of this program writes only the tag of the image, so the tag of the approver names the image too. An unknown
part of the state is kept unchanged. Text that does not begin with the known version is not read at all: a
later version of this program wrote it, and might have recorded a failed image.

Tags of an earlier version are read until the current ones are first written. It is not certain whether Azure
merges tags or replaces them, so all other tags are sent together with ours. If a tag is no longer needed, the
first write empties it, which is safe in both cases. The next write omits it, which removes the tag if Azure
replaces tags. Omitted tags still count towards Azure's limit here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC

from reconciler.rollout.claim import CLAIM, claim_in, claim_text
from reconciler.rollout.pause import pause_in
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState, Signature
from reconciler.rollout.tag_text import escape, fields, moment, unescape
from reconciler.spec.image import KINDS, Image, PlatformImage
from reconciler.spec.image_id import kind_of
from reconciler.spec.wording import printable

STATE, APPROVED = "vmss-reconciler-state", "vmss-reconciler-approved"
APPROVED_BY = "vmss-reconciler-approved-by"
MOST = 50
_LONGEST = 256
_VERSION = "v1"
_MOST_TAGS = 4  # for one text: far more than the longest resource id needs
_PARTS = frozenset({"fleet", "good", "failed", "began", "retry"})

_FORMER = ("vmss-reconciler", "reconciler")
_FORMER_STATE = tuple(
    f"{prefix}-{kind}"
    for prefix in _FORMER
    for kind in ("last-good", "last-good-2", "failed", "failed-2", "began")
)
_FORMER_APPROVAL = ("reconciler-approved", "reconciler-approved-2")

Tags = Mapping[str, str]


def persisted_state(tags: Tags) -> PersistedState:
    """The state in the tags of a scale set. Text that does not name an image is ignored."""
    known = {name.casefold(): value for name, value in tags.items()}
    approved = _image(_text(known, APPROVED) or _former(known, "approved"))
    approval = PersistedState(
        approved=approved,
        signature=_signature(_text(known, APPROVED_BY)),
        pause=pause_in(tags),
        claim=claim_in(tags),
    )
    if not any(name in known for name in _names(STATE)):
        return _former_state(known, approval)
    text = _text(known, STATE)
    if not text:
        return approval
    version, *parts = text.split(";")
    if version != _VERSION:
        return replace(approval, is_readable=False)
    found = fields(parts)
    return replace(
        approval,
        last_good=_image(unescape(found["good"])),
        failed=_fingerprint(found["failed"].split(",")),
        began=_mark(found["began"].split(",")),
        retry=_mark(found["retry"].split(",")),
        fleet=printable(unescape(found["fleet"])),
        others=tuple(part for part in parts if part and part.partition("=")[0] not in _PARTS),
    )


def with_state(tags: Tags, persisted: PersistedState) -> dict[str, str]:
    """Replace the state and the claim in `tags`, and drop the tags of earlier versions of this program.

    An approval under a former name moves to the current name in the same write. If its tag were only removed,
    the rollout would lose the approval.
    """
    claim = {CLAIM: claim_text(persisted.claim)} if persisted.claim else {}
    ours = {**_cut(STATE, _state_text(persisted), tags), **_approval_to_move(tags), **claim}
    return _beside(tags, ours, (*_FORMER_STATE, *_FORMER_APPROVAL, CLAIM))


def storable(persisted: PersistedState) -> PersistedState:
    """The part of the state that can be stored.

    A last good image is dropped if its text does not fit into four tags, which can happen with the URL of a
    VHD. A truncated text would name another image.
    """
    return persisted if is_storable(persisted) else replace(persisted, last_good=None)


def is_storable(persisted: PersistedState) -> bool:
    """Whether the whole state fits into four tags."""
    return len(_state_text(persisted)) <= _MOST_TAGS * _LONGEST


def with_approval(tags: Tags, image: Image, signature: Signature) -> dict[str, str]:
    """Add the approval of this image to `tags`.

    The approver is left out if there is no room for another tag.
    """
    approved = _cut(APPROVED, str(image), tags)
    signed = _cut(APPROVED_BY, _signature_text(signature), tags)
    if missing_room(tags, approved | signed) > missing_room(tags, approved):
        there = {name.casefold() for name in tags}
        signed = {name: "" for name in signed if name in there}
    return _beside(tags, approved | signed, _FORMER_APPROVAL)


def missing_room(tags: Tags, after: Tags) -> int:
    """The number of tags by which `tags` and `after` together would exceed Azure's limit."""
    return max(0, len({name.casefold() for name in (*tags, *after)}) - MOST)


def _state_text(persisted: PersistedState) -> str:
    return ";".join((_VERSION, *_parts(persisted)))


def _parts(persisted: PersistedState) -> Iterator[str]:
    """The parts of the state's text. The last good image comes last, because it is the longest part."""
    if persisted.fleet:
        yield f"fleet={escape(persisted.fleet)}"
    if failed := persisted.failed:
        yield f"failed={failed.digest},{escape(failed.name)}"
    for name, mark in (("began", persisted.began), ("retry", persisted.retry)):
        if mark:
            at = mark.at.isoformat(timespec="seconds")
            yield f"{name}={at},{mark.image.digest},{escape(mark.image.name)}"
    yield from persisted.others
    if persisted.last_good:
        yield f"good={escape(str(persisted.last_good))}"


def _signature_text(signature: Signature) -> str:
    at, image = signature.at.astimezone(UTC).isoformat(timespec="seconds"), signature.image
    parts = {
        "by": escape(signature.by),
        "through": escape(signature.through),
        "at": at,
        "image": f"{image.digest},{escape(image.name)}",
    }
    return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def _signature(text: str) -> Signature | None:
    found = fields(text.split(";"))
    image, at = _fingerprint(found["image"].split(",")), moment(found["at"])
    by, through = (printable(unescape(found[name])) for name in ("by", "through"))
    return Signature(by, at, image, through) if image and image.digest and at else None


def _fingerprint(values: Sequence[str]) -> Fingerprint | None:
    return Fingerprint(values[0], unescape(values[1])) if len(values) > 1 and any(values) else None


def _mark(values: Sequence[str]) -> Mark | None:
    image, at = _fingerprint(values[1:]), moment(values[0])
    return Mark(at, image) if image and at else None


def _image(text: str) -> Image | None:
    kind = kind_of(text)
    if kind == "platform":
        return PlatformImage(*text.split(":"))
    return KINDS[kind](text) if kind else None


def _names(tag: str) -> tuple[str, ...]:
    """The names of a tag and of the tags that continue its text."""
    return (tag, *(f"{tag}-{number}" for number in range(2, _MOST_TAGS + 1)))


def _text(known: Tags, tag: str) -> str:
    return "".join(known.get(name, "") for name in _names(tag))


def _cut(tag: str, text: str, tags: Tags) -> dict[str, str]:
    """Split the text over as few tags as possible, and empty existing tags that are no longer needed."""
    there = {name.casefold() for name in tags}
    found = {}
    for number, name in enumerate(_names(tag)):
        part = text[number * _LONGEST : (number + 1) * _LONGEST]
        if part or name in there or not number:
            found[name] = part
    return found


def _beside(tags: Tags, ours: Tags, former: Sequence[str]) -> dict[str, str]:
    """Add our tags to all others. Azure ignores the case of tag names.

    Tags in `former`, such as those of earlier versions, are emptied, and omitted once they are empty.
    """
    others = {name: value for name, value in tags.items() if name.casefold() not in ours}
    gone = {name for name in others if name.casefold() in former}
    kept = {
        name: "" if name in gone else value for name, value in others.items() if value or name not in gone
    }
    return kept | dict(ours)


def _approval_to_move(tags: Tags) -> dict[str, str]:
    """The tags that move an approval from a former name to the current one, or {} if none has to move."""
    known = {name.casefold(): value for name, value in tags.items()}
    if any(name in known for name in _names(APPROVED)):
        return {}
    approved = _image(_former(known, "approved"))
    return _cut(APPROVED, str(approved), tags) if approved else {}


def _former(known: Tags, kind: str) -> str:
    """The text under the former names of a tag, or "" if there is none."""
    for prefix in _FORMER:
        names = (f"{prefix}-{kind}", f"{prefix}-{kind}-2")
        if any(name in known for name in names):
            return "".join(known.get(name, "") for name in names)
    return ""


def _former_state(known: Tags, approval: PersistedState) -> PersistedState:
    """The state that an earlier version wrote, with the current approval."""
    failed = _image(_former(known, "failed"))
    at, _, name = _former(known, "began").partition(" ")
    since = moment(at)
    return replace(
        approval,
        last_good=_image(_former(known, "last-good")),
        failed=Fingerprint.of(failed) if failed else None,
        began=Mark(since, Fingerprint("", name)) if since and name else None,
    )
