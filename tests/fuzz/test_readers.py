"""The headers of a request for a page: they name its reader, or make the reader anonymous."""

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.properties import check_reader

NAMES = st.sampled_from(
    [b"x-forwarded-email", b"x-forwarded-groups", b"x_forwarded_email", b"origin", b"host", b"sec-fetch-site"]
)
VALUES = (
    st.binary(max_size=8)
    | st.text(max_size=8).map(lambda text: text.encode(errors="replace"))
    | st.sampled_from(
        [b"", b" ", b"ada@example.com", b"sre, dev", b"null", b"https://[", b"https://h", b"h", b"a" * 101]
    )
)


@given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_any_headers_name_a_reader_or_nobody(headers: list[tuple[bytes, bytes]]) -> None:
    check_reader(headers)
