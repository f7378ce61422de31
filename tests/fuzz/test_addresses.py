"""A repository URL is taken apart or refused, and no secret in it is shown."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.git import program
from reconciler.git.credentials import Access
from tests.fuzz.properties import SECRET, check_address, check_message
from tests.fuzz.targets import PLAIN_ADDRESSES, addresses

NOISE = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["@", ":", "/", "//", "%40", "%", "?", "#", "[", "]", "\\", " ", "\n", "\u202e", "\x1b", "::", "://", "\ud800", "ⓔ", "\uff0e"]
)  # fmt: skip


@settings(max_examples=60)
@given(user=NOISE, noise=NOISE, path=NOISE)
def test_a_secret_in_any_form_of_address_is_shown_nowhere(user: str, noise: str, path: str) -> None:
    for each in addresses(user, noise, path):
        check_address(each)


@given(form=st.sampled_from(PLAIN_ADDRESSES), at=st.integers(0, 30), noise=NOISE)
def test_any_address_is_taken_apart_or_refused(form: str, at: int, noise: str) -> None:
    check_address(form[:at] + noise + form[at:])


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([b"fatal: ", b"remote: ", b"ERROR: ", b"\n", b"\r", b"\x1b[31m", "\u202e".encode(), b"\xff", b"x" * 400, b"'", b": ",
                         b"Permission denied (publickey)", b"REMOTE HOST IDENTIFICATION HAS CHANGED", b"Identity file ", b" not accessible: ",
                         b"returned error: 500", b"No space left on device", b"https://ada:" + SECRET.encode() + b"@h/r.git", SECRET.encode()]),
        max_size=12,
    )
)  # fmt: skip
def test_what_a_server_has_git_write_is_one_line_without_the_secret(parts: list[bytes]) -> None:
    found = program._failure(b"".join(parts), Access(secrets=(SECRET,)), "git fetch exited with status 128")
    check_message(found.line)
