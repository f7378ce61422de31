"""The text of a file, which must be UTF-8 without control characters."""

import re

from reconciler.spec.files import LIMIT, File, size_problem
from reconciler.spec.problem import Place, Problem

# Not allowed in YAML 1.1 and 1.2: control characters other than tabs and line ends, and surrogates.
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # line ends as defined by YAML
_BYTE_ORDER_MARK = "\ufeff"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def text_of(file: File) -> str | Problem:
    """The text of a file without its byte order mark, or the problem that makes it unreadable."""
    if len(file.content) > LIMIT:
        return size_problem(file.path, len(file.content))
    if file.content.startswith(_LFS_POINTER):
        message = "the file is a Git LFS pointer, whose content is not fetched: commit the file itself"
        return Problem(Place(file.path), "", message)
    if _is_wide(file.content):
        return Problem(
            Place(file.path), "", "the file looks like UTF-16 or UTF-32, not UTF-8: save it as UTF-8"
        )
    try:
        text = file.content.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        before = file.content[: error.start].decode().removeprefix(_BYTE_ORDER_MARK)
        byte = file.content[error.start]
        message = f"byte 0x{byte:02x} (at offset {error.start}) is not UTF-8: save the file as UTF-8"
        return Problem(_end_of(before, file.path), "", message)
    if strange := _NOT_ALLOWED.search(text):
        place = _end_of(text[: strange.start()], file.path)
        return Problem(
            place, "", f"the invisible character U+{ord(strange[0]):04X} is not allowed here: remove it"
        )
    return text


def lines(text: str) -> list[str]:
    """The lines of `text`, as defined by YAML."""
    return _LINE_END.split(text)


def _is_wide(content: bytes) -> bool:
    """Whether the bytes are UTF-16 or UTF-32: they begin with a byte order mark or contain an early NUL."""
    return content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]


def _end_of(before: str, path: str) -> Place:
    """The place right after the text `before`."""
    rows = lines(before)
    return Place(path, len(rows), len(rows[-1]) + 1)
