"""What holds for any input, as functions of bytes: no traceback, and only messages that are fit to print.

These functions use no test framework, so that `make fuzz` can call them too. A failed assertion or any exception is a
finding. Time and memory are limited by whoever calls them.
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import Message
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import HttpResponseError

from reconciler.azure import arm
from reconciler.azure.budget import Budget, OperationClass, Priority, Subject
from reconciler.azure.clock import AzureClock, parse_date
from reconciler.azure.failure import AzureFailure, MalformedResponse, TooManyRequests
from reconciler.azure.fields import moment
from reconciler.azure.session import Session
from reconciler.git import address, credentials
from reconciler.git.tree import Corrupt, Tree
from reconciler.spec.author import is_person_name
from reconciler.spec.declared import Declared, declare
from reconciler.spec.files import File
from reconciler.spec.ignore import Ignore
from reconciler.spec.problem import Problem
from reconciler.web.page.action import grant, permissions
from reconciler.web.page.forgery import cross_site_note
from reconciler.web.page.sign_in import SignIn, proxy_network
from reconciler.web.webhook import Webhooks
from tests.fuzz.commit import FILE, LINK, SHA, SUBMODULE, FakeCommit
from tests.token import Token

SECRET = "S3cr3t-hush-7ush"
PROXY = "10.0.0.7"
SIGN_IN = SignIn(
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    (proxy_network(PROXY),),
    permissions(map(grant, ("pause=group:sre", "approve=user:ada@example.com"))),
)
LONGEST = 20_000  # characters of a message
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
# Characters that reorder text, beside those of the category Cf, which are not printable for Python.
_BIDI = frozenset(("RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"))


def check_message(text: str) -> None:
    """A message is one printable line, without what reorders it, and not endless."""
    assert text, "a message is not empty"
    assert text.isprintable(), f"a message is not printable: {text!r}"
    assert not any(unicodedata.bidirectional(each) in _BIDI for each in text), f"reordered: {text!r}"
    assert len(text) <= LONGEST, f"a message has {len(text)} characters"
    assert SECRET not in text, f"a message has the secret: {text}"


def check_specs(*contents: bytes) -> Declared:
    """Files of specs are read, and each problem names a place in one of them."""
    files = [File(f"{number}.yaml", content) for number, content in enumerate(contents)]
    declared = declare(files)
    known = {file.path: file.content for file in files}
    for problem in (*declared.problems, *declared.warnings):
        check_message(str(problem))
        assert problem.message
        assert problem.place.file in known
        assert 0 <= problem.place.line <= 1 + len(known[problem.place.file])
    assert list(declared.problems) == sorted(set(declared.problems))
    for broken in declared.broken:
        assert broken.problems
    for each in declared.scale_sets:
        check_message(f"{each.name} {each.image} {each.target.key} {each.suspend} {each.fleet.freeze}")
    for hold in declared.holds:
        check_message(str(hold.suspension))
    return declared


def check_commit(files: Iterable[tuple[bytes, bytes, bytes]]) -> None:
    """A commit is read, or its entries are named, and the specs in it are read in turn."""
    files = list(files)
    commit = FakeCommit(files)
    try:
        found = Tree().spec_files(commit.git, SHA, "")
    except Corrupt as error:
        check_message(str(error))
        return
    problems: Sequence[Problem] = (*found.problems, *found.warnings)
    for problem in problems:
        check_message(str(problem))
    assert found.files or found.problems, "never an empty fleet without a word"
    paths = [file.path for file in found.files]
    assert all(path.isprintable() for path in paths)
    assert len(set(paths)) == len(paths) or len(files) != len({path for path, _, _ in files})
    contents = {content for _, _, content in files}
    assert {file.content for file in found.files} <= contents


def files_of(data: bytes, separator: bytes = b"\n") -> Iterator[tuple[bytes, bytes, bytes]]:
    """A commit from any bytes: an entry in each part, with mode, path and content between tabs."""
    modes = {b"l": LINK, b"s": SUBMODULE}
    seen: set[bytes] = set()
    for line in data.split(separator):
        mode, _, rest = line.partition(b"\t")
        path, _, content = rest.partition(b"\t")
        path = b"/".join(
            part for part in path.replace(b"\0", b"").split(b"/") if part not in (b"", b".", b"..")
        )
        is_clash = any(path.startswith(each + b"/") or each.startswith(path + b"/") for each in seen)
        if path and path not in seen and not is_clash:
            seen.add(path)
            yield path, modes.get(mode, FILE), content


def check_address(url: str) -> None:
    """An address is taken apart or refused. `SECRET`, if it is in a place for secrets, is shown nowhere."""
    try:
        parsed = address.parse(url)
    except ValueError as error:
        check_message(str(error))
        return
    shown = [parsed.bare, repr(parsed), address.display(url)]
    try:
        access = credentials.of_url(parsed)
    except credentials.CredentialsMissing as error:
        check_message(str(error))
        return
    told = f"fatal: '{url}' was refused, as was {parsed.password or 'nothing'} at https://x:{SECRET}@h/r.git"
    shown += [repr(access), address.scrub(told, (*access.secrets, *address.secrets(url)))]
    for text in shown:
        check_message(text)


class _Body:
    """A response of Azure, as far as the SDK reads it to make an error."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status_code, self.headers, self._body = status, headers, body
        self.reason, self.content_type = "reason", "application/json"

    def text(self, encoding: str | None = None) -> str:  # noqa: ARG002 - as the SDK calls it
        return self._body.decode(errors="replace")

    def body(self) -> bytes:
        return self._body


def check_failure(status: int, headers: dict[str, str], body: bytes) -> None:
    """An error of Azure becomes a failure with one line, and a wait of at most some hours."""
    found = _failure(_Body(status, headers, body))
    check_message(str(found))
    if isinstance(found, TooManyRequests):
        assert timedelta(0) <= found.retry_after <= timedelta(days=2)


def _failure(response: Any) -> AzureFailure:
    session = Session(credential=Token(), now=lambda: NOW)
    try:
        with session.call(OperationClass.GET, "/subscriptions/s", Priority.ROLLOUT):
            raise HttpResponseError(response=response)
    except AzureFailure as failure:
        return failure


def check_headers(headers: dict[str, str]) -> None:
    """The date and the budgets in the headers of an answer change nothing for long."""
    date = parse_date(headers.get("Date"))
    clock = AzureClock(lambda: NOW)
    clock.note_date(date, NOW)
    assert 2000 <= clock.now().year < 2200
    subject, budget = Subject("s", "westeurope", "web"), Budget()
    budget.note(subject, headers, NOW)
    if wait := budget.acquire(OperationClass.GET, subject, Priority.ROLLOUT, NOW):
        check_message(wait.why)
        assert wait.length <= timedelta(hours=1)


def check_answer(body: Any) -> None:
    """A scale set, an instance or an operation of any JSON is read, or malformed in one line."""
    readers: tuple[Callable[[Any], object], ...] = (arm.model, arm.instance)
    if isinstance(body, dict):  # the session returns nothing else
        readers += (arm.rolling_upgrade, arm.operation)
    for read in readers:
        try:
            found = read(body)
        except MalformedResponse as error:
            check_message(str(error))
        else:
            for text in _texts_of(found):
                assert text.isprintable(), f"{text!r} of {read}"


def _texts_of(found: object) -> Iterator[str]:
    """The texts of a value of ours that messages repeat. Tags are written back as they are."""
    for name in getattr(found, "__slots__", ()):
        value = getattr(found, name)
        if isinstance(value, str):
            yield value


def check_time(text: str) -> None:
    if found := moment(text):
        assert 2000 <= found.year < 2200


def check_webhook(path: str, headers: dict[str, str], body: bytes) -> None:
    """A webhook without the secret has no effect, and the response does not say what is wrong in it."""
    pushes: list[bool] = []

    def push(is_relayed: bool) -> bool:
        pushes.append(is_relayed)
        return True

    response = Webhooks(SECRET.encode, push, lambda: NOW).post(path, headers, body)
    assert response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
    assert not pushes
    check_message(response.body.decode().removesuffix("\n"))


def check_reader(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """The reader of a page has a name that is fit to print, or none. What is wrong is a message."""
    for peer in (PROXY, "192.0.2.1"):
        visitor = SIGN_IN.visitor(headers, peer)
        if visitor.name:
            assert peer == PROXY
            assert is_person_name(visitor.name)
            check_message(visitor.name)
            assert not visitor.note
        else:
            assert not visitor.groups
            assert not SIGN_IN.grants.permitted(visitor)
        for text in (visitor.note, *visitor.groups):
            assert not text or text.isprintable()
    if note := cross_site_note(headers):
        check_message(note)


def raw_headers_of(data: bytes) -> Sequence[tuple[bytes, bytes]]:
    """The headers in a text of lines, as an ASGI server passes them on."""
    found = (line.partition(b":")[::2] for line in data.split(b"\n"))
    return [(name.strip().lower(), value.strip()) for name, value in found if name.strip()]


def headers_of(data: bytes) -> dict[str, str]:
    """The headers in a text of lines, as the server of the standard library reads them."""
    found = Message()
    for line in data.split(b"\n"):
        name, _, value = line.decode("latin-1").partition(":")
        if name.strip():
            found[name.strip()] = value.strip()
    return {name.lower(): value for name, value in found.items()}


def json_of(data: bytes) -> object:
    """The JSON in the data, {} if there is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return {}


def check_ignore(patterns: str, path: str) -> None:
    """Patterns are compared with a path, or refused in one line."""
    try:
        rules = Ignore.of(patterns)
    except ValueError as error:
        check_message(str(error))
        return
    for is_directory in (False, True):
        rules.covers(path, is_directory=is_directory)
