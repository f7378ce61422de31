"""How git proves who it is: what the server receives, and that no secret appears anywhere else."""

import base64
import http.server
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.git import credentials, github_app, revision
from reconciler.git.address import parse
from reconciler.git.credentials import Credentials, CredentialsMissing
from reconciler.git.github_app import App
from reconciler.git.repository import Repository, SourceUnreachable
from tests.git import sshd
from tests.git.certificate import certificate
from tests.git.forge import Forge, serve
from tests.git.remote import Remote
from tests.git.sshd import make_key, needs_sshd

SECRET = "s3cr3t-t0ken"


def of(url: str, clone: Path, found: Credentials = credentials.of_url) -> Repository:
    return Repository(url, revision.branch("main"), "specs", clone, timedelta(seconds=20), found)


def line(repository: Repository) -> str:
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    return str(raised.value).partition(" cannot be fetched: ")[2]


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    return path


def arguments() -> str:
    """The argument lists of all processes of this machine."""
    found = b""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += each.read_bytes() + b"\n"
        except OSError:
            continue
    return found.decode(errors="replace")


# HTTP


def test_the_token_of_a_file_is_read_at_each_fetch(web: Forge, tmp_path: Path, token: Path) -> None:
    web.user = f"x-access-token:{SECRET}"
    repository = of(web.url(), tmp_path / "c", credentials.token_file(token))
    commit = repository.commit()
    web.user = "x-access-token:an0ther"
    assert line(repository) == (
        "the server refused the credentials; renew the token, and give it read access to the repository"
    )
    token.write_text("an0ther")
    assert repository.commit() == commit


def test_the_user_of_the_url_goes_with_the_token_of_a_file(web: Forge, tmp_path: Path, token: Path) -> None:
    web.user = f"deploy:{SECRET}"
    url = web.url().replace("://", "://deploy@")
    assert of(url, tmp_path / "c", credentials.token_file(token)).commit()


def test_credentials_of_the_url_are_used(web: Forge, tmp_path: Path) -> None:
    web.user = "ada:p@ss w/ord:%"
    assert of(web.url().replace("://", "://ada:p%40ss%20w%2Ford%3A%25@"), tmp_path / "c").commit()


def test_a_user_in_the_url_gets_the_password_of_the_helper_of_the_operator(
    web: Forge, tmp_path: Path, fresh_machine: Path
) -> None:
    web.user = f"ada:{SECRET}"
    (fresh_machine / ".git-credentials").write_text(
        f"http://bob:wrong@{web.host}\nhttp://ada:{SECRET}@{web.host}\n"
    )
    (fresh_machine / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    assert of(web.url().replace("://", "://ada@"), tmp_path / "c").commit()


def test_a_password_that_is_replaced_in_the_store_of_git_is_used_at_once(
    web: Forge, tmp_path: Path, fresh_machine: Path
) -> None:
    """git erases a password that was refused from the store. The next one is there again."""
    store = fresh_machine / "store"
    (fresh_machine / ".gitconfig").write_text(f"[credential]\n\thelper = store --file={store}\n")
    repository = Repository(web.url(), revision.branch("main"), "specs", tmp_path / "c")
    for password in ("first", "second"):
        web.user = f"bot:{password}"
        if password == "second":
            with pytest.raises(SourceUnreachable, match="the server refused the credentials"):
                repository.commit()
            with pytest.raises(SourceUnreachable, match="the server requires credentials"):
                repository.commit()
        store.write_text(f"http://bot:{password}@{web.host.replace(':', '%3a')}\n")
        assert len(repository.commit().files) == 1


def test_a_bearer_token_is_obtained_for_each_call(web: Forge, tmp_path: Path) -> None:
    numbers = iter(range(100))
    repository = of(web.url(), tmp_path / "c", credentials.bearer(lambda: f"{SECRET}-{next(numbers)}"))
    repository.commit()
    sent = {authorization for _, _, authorization in web.requests}
    assert sent >= {f"Bearer {SECRET}-0", f"Bearer {SECRET}-1"}


def test_no_secret_is_in_an_argument_list_or_in_the_clone(web: Forge, tmp_path: Path, token: Path) -> None:
    web.delay = 0.4
    url = web.url().replace("://", f"://ada:{SECRET}@")
    kinds = [
        (credentials.of_url, f"ada:{SECRET}"),
        (credentials.token_file(token), f"ada:{SECRET}"),
        (credentials.bearer(lambda: SECRET), ""),
    ]
    for number, (kind, web.user) in enumerate(kinds):
        repository = of(url, tmp_path / f"c{number}", kind)
        web.requests.clear()
        thread = threading.Thread(target=repository.commit)
        thread.start()
        seen = ""
        while thread.is_alive():
            seen += arguments()
        thread.join()
        assert "remote-http" in seen
        assert SECRET not in seen
        sent = base64.b64encode(web.user.encode()).decode() if web.user else SECRET
        assert sent in repr(web.requests)
        assert SECRET not in repr(repository) + str(repository)
        files = [each for each in (tmp_path / f"c{number}").rglob("*") if each.is_file()]
        assert not any(SECRET.encode() in each.read_bytes() for each in files)


@pytest.mark.parametrize(
    "kind", [pytest.param("basic", id="a password"), pytest.param("bearer", id="a bearer token")]
)
def test_another_host_gets_no_credentials(
    web: Forge, remote: Remote, tmp_path: Path, token: Path, kind: str
) -> None:
    """The forge redirects to another port, which counts as another host."""
    access = credentials.token_file(token) if kind == "basic" else credentials.bearer(lambda: SECRET)
    with serve(remote.bare.parent) as other:
        other.user = f"x-access-token:{SECRET}"
        web.answer = 302, {"Location": other.url("fleet.git/info/refs?service=git-upload-pack")}, b""
        line(of(web.url(), tmp_path / "c", access))
        assert {authorization for _, _, authorization in other.requests} <= {None}


def test_a_repository_that_has_moved_on_its_host_is_still_read_with_a_token(
    web: Forge, tmp_path: Path, token: Path
) -> None:
    web.user = f"x-access-token:{SECRET}"
    web.moved = "/old.git", "/fleet.git"
    assert of(web.url("old.git"), tmp_path / "c", credentials.token_file(token)).commit()


@pytest.mark.parametrize(
    "content, message",
    [
        pytest.param(None, "the token file {} cannot be read: no such file or directory", id="no file"),
        pytest.param(b"\n", "the token file {} is empty", id="an empty file"),
        pytest.param(
            b"a\nb\n", "the token file {} must contain one line of printable characters", id="two lines"
        ),
        pytest.param(b"a\0b", "the token file {} must contain one line of printable characters", id="a NUL"),
    ],
)
def test_a_token_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    found = line(of("https://127.0.0.1:1/r.git", tmp_path / "c", credentials.token_file(path)))
    assert found == message.format(path)


def test_a_token_requires_https(tmp_path: Path, token: Path) -> None:
    found = line(of("ssh://git@127.0.0.1:1/r.git", tmp_path / "c", credentials.token_file(token)))
    assert found == "a token requires an https URL"


# GitHub App


class Api(http.server.BaseHTTPRequestHandler):
    """The part of the API of a GitHub server that issues tokens."""

    issued: list[str]
    seen: list[tuple[str, str]]
    answer: tuple[int, bytes] | None

    def do_POST(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        status, body = self.answer or (201, json.dumps({"token": f"ghs_{len(self.seen)}"}).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_api(certificate: tuple[Path, Path] | None = None) -> Iterator[tuple[str, type[Api]]]:
    class Own(Api):
        seen: list[tuple[str, str]] = []  # noqa: RUF012 - of this server alone
        answer = None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        scheme, host = ("https", "localhost") if certificate else ("http", "127.0.0.1")
        yield f"{scheme}://{host}:{server.server_port}/fleet.git", Own
        server.shutdown()
        thread.join()


@pytest.fixture
def api() -> Iterator[tuple[str, type[Api]]]:
    with serve_api() as found:
        yield found


@pytest.fixture(scope="module")
def rsa() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture
def app(tmp_path: Path, rsa: RSAPrivateKey) -> App:
    path = tmp_path / "app.pem"
    path.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return App("77", "4711", path)


def test_a_github_app_exchanges_a_signed_statement_for_a_token(
    api: tuple[str, type[Api]], app: App, rsa: RSAPrivateKey
) -> None:
    url, server = api
    now = [1_800_000_000.0]
    obtain = github_app.Tokens(app, lambda: now[0])
    assert [obtain(parse(url)) for _ in range(2)] == ["ghs_1", "ghs_1"]
    now[0] += 1801
    assert obtain(parse(url)) == "ghs_2"
    path, authorization = server.seen[0]
    assert path == "/api/v3/app/installations/4711/access_tokens"
    signed, _, signature = authorization.removeprefix("Bearer ").rpartition(".")
    rsa.public_key().verify(decoded(signature), signed.encode(), PKCS1v15(), SHA256())
    head, claims = (json.loads(decoded(each)) for each in signed.split("."))
    assert head == {"alg": "RS256", "typ": "JWT"}
    assert claims == {"iat": 1_800_000_000 - 60, "exp": 1_800_000_000 + 540, "iss": "77"}


def test_a_token_that_is_forgotten_is_exchanged_anew_with_the_key_as_it_is_now(
    api: tuple[str, type[Api]], app: App
) -> None:
    url, server = api
    obtain = github_app.Tokens(app)
    assert obtain(parse(url)) == "ghs_1"
    other = generate_private_key(65537, 2048)
    app.key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    obtain.forget()
    assert [obtain(parse(url)) for _ in range(2)] == ["ghs_2", "ghs_2"]
    signed, _, signature = server.seen[1][1].removeprefix("Bearer ").rpartition(".")
    other.public_key().verify(decoded(signature), signed.encode(), PKCS1v15(), SHA256())


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    "status, body, message",
    [
        pytest.param(401, b'{"message": "A JSON web token could not be decoded"}', "401 A JSON web token could not be decoded", id="a refusal"),
        pytest.param(502, b"<html>", "502 ", id="no JSON"),
        pytest.param(201, b"{}", "the response contains none", id="no token"),
        pytest.param(302, b"", "302 ", id="a redirect"),
    ],
)  # fmt: skip
def test_a_github_app_that_gets_no_token_is_reported(
    api: tuple[str, type[Api]], app: App, *, status: int, body: bytes, message: str
) -> None:
    url, server = api
    server.answer = status, body
    with pytest.raises(CredentialsMissing) as raised:
        github_app.Tokens(app)(parse(url))
    assert str(raised.value) == f"GitHub issued no token for the installation 4711 of the app 77: {message}"
    assert len(server.seen) == 1


def test_the_api_of_a_company_is_trusted_by_the_ca_file_of_git(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_api(certificate(tmp_path, "localhost")) as (url, _):
        with pytest.raises(CredentialsMissing, match="certificate verify failed"):
            github_app.Tokens(app)(parse(url))
        monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "localhost.pem"))
        assert github_app.Tokens(app)(parse(url)) == "ghs_1"
        monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "missing.pem"))
        with pytest.raises(CredentialsMissing, match="No such file"):
            github_app.Tokens(app)(parse(url))


def test_a_key_that_is_none_of_a_github_app_is_named(app: App, tmp_path: Path) -> None:
    app.key.write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    with pytest.raises(CredentialsMissing, match="is not the private key of a GitHub App"):
        github_app.Tokens(app)(parse("http://127.0.0.1:1/r.git"))
    missing = replace(app, key=tmp_path / "missing")
    with pytest.raises(CredentialsMissing, match="cannot be read: no such file or directory"):
        github_app.Tokens(missing)(parse("http://127.0.0.1:1/r.git"))


@pytest.mark.parametrize(
    "url, api_url",
    [
        ("https://github.com/o/r", "https://api.github.com"),
        ("https://octo.ghe.com/o/r", "https://api.octo.ghe.com"),
        ("https://github.example.com/o/r", "https://github.example.com/api/v3"),
    ],
)
def test_the_api_belongs_to_the_host_of_the_repository(url: str, api_url: str) -> None:
    assert github_app.api(parse(url)) == api_url


# SSH


@needs_sshd
def test_a_key_and_known_hosts_of_their_own(remote: Remote, tmp_path: Path) -> None:
    with sshd.serve(tmp_path / "sshd") as server:
        own = tmp_path / 'my "keys"'
        own.mkdir()
        key = Path(shutil.copy(server.key, own / "id"))
        url = server.url(remote.bare)

        def repository(key: Path, host_key: str) -> Repository:
            server.know(host_key)
            hosts = Path(shutil.copy(server.known_hosts, own / "known hosts"))
            return of(url, tmp_path / "c", credentials.ssh_key(key, hosts))

        assert repository(key, "host").commit()
        assert "has CHANGED" in line(repository(key, "other"))
        assert "is not in known_hosts" in line(repository(key, ""))
        assert "accepted none of the SSH keys (publickey)" in line(
            repository(server.directory / "stranger", "host")
        )


def test_an_ssh_key_that_ssh_would_leave_out_is_named(tmp_path: Path) -> None:
    def told(key: Path, known_hosts: Path | None = None) -> str:
        url = "ssh://git@127.0.0.1:1/r.git"
        return line(of(url, tmp_path / "c", credentials.ssh_key(key, known_hosts)))

    good, locked = make_key(tmp_path / "good"), make_key(tmp_path / "locked", "passphrase")
    assert (
        told(tmp_path / "missing")
        == f"the SSH key {tmp_path}/missing cannot be read: no such file or directory"
    )
    assert (
        told(locked)
        == f"the key {locked} has a passphrase, which ssh cannot ask for; use a key without a passphrase"
    )
    assert (
        told(tmp_path / "good.pub")
        == f"{tmp_path}/good.pub is not an SSH private key; name the file without .pub"
    )
    assert told(good, tmp_path / "hosts") == (
        f"the file of known hosts {tmp_path}/hosts cannot be read: no such file or directory"
    )
    good.chmod(0o644)
    assert told(good) == (
        f"ssh ignores the key {good} because its mode 0644 lets others read it; "
        "set its mode to 0400 (`defaultMode` of a Secret volume)"
    )
    pem = tmp_path / "pem"
    pem.write_text("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----\n")
    pem.chmod(0o600)
    assert "has a passphrase" in told(pem)
