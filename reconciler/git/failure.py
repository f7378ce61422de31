"""The known failures of git and ssh: how each is recognized, what it means, and how to fix it.

The first row that matches the error output applies. Rows for a cause come before rows for a symptom, because
the output can contain both: after any problem with a key, ssh also reports that permission was denied. Output
that no row matches is reported in git's own words. `docs/git.md` explains each row.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One row of the table.

    pattern: recognizes the failure in everything that git and ssh wrote.
    message: what is wrong, or "" to report git's own words.
    remedy: what to do about it. The message and the remedy can contain groups of the pattern in braces.
    is_local: the cause is this machine, not the remote or the clone, so the clone is kept.
    """

    name: str
    pattern: re.Pattern[str]
    message: str
    remedy: str
    is_local: bool = False

    def describe(self, output: str) -> tuple[str, str]:
        """The message and the remedy for this output. The message is "" if git's own words are best."""
        match = self.pattern.search(output)
        found = match.groupdict() if match else {}
        groups = {name: value or _UNNAMED.get(name, "unknown") for name, value in found.items()}
        return self.message.format(**groups), self.remedy.format(**groups)


def _row(name: str, pattern: str, message: str, remedy: str, *, is_local: bool = False) -> Failure:
    return Failure(name, re.compile(pattern, re.MULTILINE), message, remedy, is_local)


# The values of groups that the output does not contain.
_UNNAMED = {"host": "the server", "fingerprint": "an unknown key", "why": "git gives no reason"}
_RETRIED = "the next sweep retries"
# The start of a line that git itself wrote. The server controls the text after "remote:" and the banner of
# ssh.
_OURS = "^(?:fatal|error|warning|gpg): .*"

NOT_GIT = _row(
    "another protocol",
    r"info/refs not valid|invalid server response|bad line length|expected (flush|packet)|protocol error",
    "the server's answer is not in the git protocol",
    "check the URL; a sign-in page, a proxy or a maintenance page may have answered",
)

NOT_OFFERED = _row(
    "commit not offered",
    "not our ref|request for unadvertised object|couldn't find remote ref",
    "the server does not have this commit, or does not serve commits by their id",
    "check the id, or follow a branch or a tag",
)

FAILURES = (
    _row(
        "no space",
        _OURS + "(No space left on device|Disk quota exceeded)",
        "no space or inodes are left",
        "make room on the volume; the clone is kept",
        is_local=True,
    ),
    _row(
        "read-only volume",
        _OURS + "Read-only file system",
        "the file system is read-only",
        "mount a writable volume for --clone",
        is_local=True,
    ),
    _row(
        "no memory or processes",
        _OURS + "(Out of memory|Cannot allocate memory|Resource temporarily unavailable|Too many open files"
        "|cannot fork)",
        "git has too little memory, too few processes or too few open files",
        "raise the limits of the container",
        is_local=True,
    ),
    _row(
        "changed host key",
        r"REMOTE HOST IDENTIFICATION HAS CHANGED(?:[\s\S]*?(?P<fingerprint>SHA256:[\w+/=]+))?"
        r"(?:[\s\S]*?Host key for (?P<host>\S+) has changed)?",
        "the host key of {host} has CHANGED to {fingerprint}: someone may be intercepting the connection",
        "verify this fingerprint with the forge before you change known_hosts",
    ),
    _row(
        "unknown host key",
        r"No \S+ host key is known for (?P<host>\S+)|Host key verification failed",
        "the host key of {host} is not in known_hosts",
        "add the key that the forge publishes",
    ),
    _row(
        "no user for the user id",
        r"No user exists for uid (?P<uid>\d+)",
        "ssh found no user for the user id {uid}",
        "add this user id to /etc/passwd in the image, or use https",
    ),
    _row(
        "key readable by others",
        r"Permissions (?P<mode>\d+) for '(?P<key>[^']+)' are too open",
        "ssh ignores the key {key} because its mode {mode} lets others read it",
        "set its mode to 0400 (`defaultMode` of a Secret volume)",
    ),
    _row(
        "missing key",
        r"Identity file (?P<key>.+?) not accessible: (?P<why>[^.\n]+)",
        "ssh cannot read the key {key}: {why}",
        "name the private key file",
    ),
    _row(
        "key with a passphrase",
        r'Load key "(?P<key>[^"]+)": incorrect passphrase',
        "the key {key} has a passphrase, which ssh cannot ask for",
        "use a key without a passphrase",
    ),
    _row(
        "unusable key",
        r'Load key "(?P<key>[^"]+)": (?P<why>.+)',
        "ssh cannot use the key {key}: {why}",
        "use an OpenSSH private key that this user may read",
    ),
    _row(
        "refused key",
        r"(?P<server>\S+): Permission denied \((?P<methods>[^)]*)\)",
        "{server} accepted none of the SSH keys ({methods})",
        "add the public key to the repository; ssh skips a key that is missing or has a passphrase",
    ),
    _row(
        "dubious ownership",
        r"detected dubious ownership in repository at '(?P<path>[^']+)'",
        "the repository {path} belongs to another user",
        "run `git config --global --add safe.directory {path}`",
    ),
    _row(
        "moved repository",
        r"unable to update url base from redirection|The requested URL returned error: 30[12378]",
        "the server redirects to another address, and credentials are not sent there",
        "use the repository's new URL",
    ),
    _row(
        "refused credentials",
        "Authentication failed for|HTTP Basic: Access denied",
        "the server refused the credentials",
        "renew the token, and give it read access to the repository",
    ),
    _row(
        "missing credentials",
        "could not read (Username|Password) for",
        "the server requires credentials, and git found none",
        "set --git-token-file or configure a credential helper",
    ),
    _row(
        "proxy that requires credentials",
        "returned error: 407|response 407|HTTP code 407",
        "the proxy requires credentials (407)",
        "set them in HTTPS_PROXY or http.proxy",
    ),
    _row(
        "unknown proxy",
        r"Could not resolve proxy: (?P<proxy>\S+)",
        "the proxy {proxy} cannot be resolved",
        "check HTTPS_PROXY and http.proxy",
    ),
    _row(
        "proxy that refuses",
        r"CONNECT tunnel failed, response (?P<status>\d+)|HTTP code \d+ from proxy|Proxy CONNECT aborted",
        "the proxy refuses the connection ({status})",
        "allow this host in the proxy, or name it in NO_PROXY",
    ),
    _row(
        "expired certificate",
        "certificate (has expired|is not yet valid|not activated yet|expiration date has passed)",
        "the server's certificate has expired or is not valid yet",
        "renew the certificate, and check the clock of this machine",
    ),
    _row(
        "certificate for another host",
        "certificate subject name .*does not match|no alternative certificate subject name matches",
        "the server's certificate is for another host",
        "use a host name that the certificate covers",
    ),
    _row(
        "unreadable CA file",
        "Problem with the SSL CA cert|error setting certificate (file|verify locations)"
        "|error (adding trust anchors|reading ca cert)",
        "the CA certificate file cannot be read",
        "check GIT_SSL_CAINFO and http.sslCAInfo",
    ),
    _row(
        "unknown CA",
        "certificate signer not trusted|self[- ]signed certificate|unable to get (local )?issuer certificate",
        "the server's certificate is signed by an unknown CA",
        "set GIT_SSL_CAINFO to a file that contains the CA",
    ),
    _row(  # with an older GnuTLS, git writes this in the three cases above too
        "unverified certificate",
        "(?:(?:server|SSL) certificate verification failed|server verification failed|SSL certificate problem"
        r"|certificate verify failed)(?:: (?P<why>[^.(\n]+))?",
        "the server's certificate cannot be verified ({why})",
        "set GIT_SSL_CAINFO to a file that contains its CA, and check that the certificate has not expired",
    ),
    _row(
        "no TLS",
        "wrong version number|unexpected TLS packet|packet length too long",
        "the server does not speak TLS on this port",
        "check the port in the URL",
    ),
    _row(
        "failed TLS handshake",
        r"(?:gnutls_handshake\(\) failed|GnuTLS, handshake failed|SSL_connect|TLS connect error)"
        r": (?P<why>.+?)\.?$",
        "the TLS handshake failed ({why})",
        "if this continues, check the port in the URL, the firewall, and HTTPS_PROXY and NO_PROXY",
    ),
    NOT_GIT,
    NOT_OFFERED,
    _row(
        "unknown repository",
        r"repository '[^']*' not found|[Rr]epository not found|returned error: 404",
        "the server has no repository at this URL, or the credentials cannot read it",
        "check the URL and the permissions of the token",
    ),
    _row(
        "no repository",
        r"(?:'(?=[^'\n]*' does not appear to be a git repository)|invalid gitfile format: )(?P<path>[^'\n]+)",
        "{path} is not a git repository",
        "check the URL; its path must be that of a clone or a bare repository",
    ),
    _row(
        "forbidden",
        "returned error: 403",
        "the server forbids access (403)",
        "check the permissions of the token, and whether the forge allows the address of this machine",
    ),
    _row(
        "rate limit",
        "returned error: 429",
        "the server limits the rate of requests (429)",
        "if this continues, set a longer --sweep",
    ),
    _row(
        "server error",
        r"returned error: (?P<status>5\d\d)",
        "the server failed ({status})",
        _RETRIED,
    ),
    _row(
        "unknown host",
        r"Could not resolve host(?:name)?:? (?P<host>[^\s:]+)",
        "the host {host} cannot be resolved",
        "check the URL and the DNS of this machine",
    ),
    _row(
        "no connection",
        r"(?:Failed to connect to|connect to host) (?P<host>\S+) port (?P<port>\d+)",
        "cannot connect to {host} port {port}",
        "check the URL, the firewall, and HTTPS_PROXY and NO_PROXY",
    ),
    _row(
        "malformed object",
        r"fsck error|(?:object|tree|commit) [0-9a-f]+: \w+: ",
        "the repository contains a malformed object",
        "find it with `git fsck` and remove it from the branch",
    ),
    _row(
        "cut connection",
        "transfer closed|early EOF|hung up unexpectedly|unexpected disconnect|Recv failure|Connection reset"
        "|GnuTLS recv error|SSL_read|Empty reply from server|RPC failed|Connection closed by"
        "|kex_exchange_identification",
        "the connection was interrupted",
        _RETRIED,
    ),
)


def find(output: str) -> Failure | None:
    """The first row that matches the error output of git, or None if no row does."""
    return next((row for row in FAILURES if row.pattern.search(output)), None)
