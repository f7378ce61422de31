"""`reconciler run` as a daemon: its pages, its signals, and its death in the middle of a rollout."""

import re
import signal
import socket
from pathlib import Path

from reconciler.simulator.certificates import make
from tests.cli.program import Azure, Daemon, bare, reconciler, until, write_specs
from tests.invariants import at_most_one_domain_is_unavailable
from tests.stories.world import NEW, OLD, spec


def test_it_serves_its_pages_and_sigterm_ends_it_cleanly(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    with Daemon(env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        assert daemon.get("/livez") == (200, "ok\n")
        assert daemon.get("/readyz") == (200, "ok\n")
        assert (
            'vmss_reconciler_status{name="web",status="Ready"} 1.0' in daemon.get("/metrics")[1].splitlines()
        )
        (row,) = daemon.status()["scaleSets"]
        assert row["message"] == f"all 3 instances run {OLD}"

        # With no Azure and no specs of its own: what it shows is the daemon's.
        asked = reconciler("status", "--server", daemon.url, env=bare(), cwd=tmp_path.parent)
        assert (asked.code, asked.err) == (0, [])
        assert [" ".join(re.sub(r" [0-9]+s ", " 0s ", line).split()) for line in asked.out[1:]] == [
            "SCALE SET STATUS FOR UP TO DATE DOMAINS MODEL DECLARED LEFT WHY",
            f"web Ready 0s 3/3 ●●● {OLD} {OLD} - UpToDate: all 3 instances run {OLD}",
            "1 scale set: 1 Ready; 3 of 3 instances up to date",
        ]

        elsewhere = reconciler(
            "status", "--specs", "x", "--server", daemon.url, env=bare(), cwd=tmp_path.parent
        )
        assert (elsewhere.code, elsewhere.out[-1]) == (0, asked.out[-1])
        assert elsewhere.err == [f"the daemon at {daemon.url} uses its own specs; --specs is ignored"]

        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        assert daemon.log() == [
            f"INFO {world.announcement}",
            f"INFO listening on {daemon.url}",
            "INFO specs in force: 1 scale set",
            f"INFO web: UpToDate: all 3 instances run {OLD}",
            "INFO stopping after the reconciles in progress; a second signal stops immediately",
        ]


def test_probes_may_have_an_address_of_their_own(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    with Daemon("--probe-listen", "127.0.0.1:0", env=world.environment, cwd=tmp_path) as daemon:
        pages = daemon.started().url
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        assert daemon.get("/livez") == (404, "no such page; use one of /status\n")
        (line,) = [line for line in daemon.log() if "probes and metrics on " in line]
        daemon.url = line.rpartition(" ")[2]
        assert daemon.url != pages
        assert daemon.get("/livez") == daemon.get("/readyz") == (200, "ok\n")
        assert daemon.get("/status")[0] == 404


def test_pages_and_webhooks_may_be_served_over_tls(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    files, secret = make(tmp_path / "tls"), tmp_path / "secret"
    secret.write_text("secret")
    options = ("--tls-cert", files.chain, "--tls-key", files.key, "--webhook-listen", "127.0.0.1:0")
    with Daemon(*options, "--webhook-secret-file", secret, env=world.environment, cwd=tmp_path) as daemon:
        url = daemon.started().url
        until(lambda: "receiving webhooks on https://" in "\n".join(daemon.log()), daemon.log)
        assert url.startswith("https://127.0.0.1:")
        asked = reconciler(
            "status", "--server", url, env={**bare(), "SSL_CERT_FILE": str(files.ca)}, cwd=tmp_path.parent
        )
    assert (asked.code, asked.err) == (0, [])
    assert any(line.startswith("web ") for line in asked.out)


def test_sigterm_during_a_rollout_ends_it_cleanly(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    with Daemon(env=world.environment, cwd=tmp_path) as daemon:
        until(lambda: world.upgrades() > 0, daemon.log)
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
    assert OLD in world.images("web"), "it waits for the reconcile, not for Azure"


def test_a_second_signal_ends_it_while_azure_hangs(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        endpoint = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with Daemon("--arm-endpoint", endpoint, env=world.environment, cwd=tmp_path) as daemon:
            connection, _ = silent.accept()
            with connection:
                daemon.started()
                daemon.signal(signal.SIGTERM)
                until(lambda: "stopping" in daemon.log()[-1], daemon.log)
                daemon.signal(signal.SIGTERM)
                assert daemon.ended() == 128 + signal.SIGTERM


def test_kill_9_during_a_rollout_does_not_change_its_end(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    with Daemon(env=world.environment, cwd=tmp_path) as first:
        until(lambda: world.images("web") == {OLD, NEW}, first.log)
        first.signal(signal.SIGKILL)
        assert first.ended() == -signal.SIGKILL
    assert world.images("web") == {OLD, NEW}
    with Daemon(env=world.environment, cwd=tmp_path) as second:
        second.started()
        until(lambda: second.status_of("web") == "Ready", second.log)
        (row,) = second.status()["scaleSets"]
    assert row["message"] == f"all 3 instances run {NEW}"
    assert world.images("web") == {NEW}
    assert world.simulator.scale_set("web").image.endswith(f":{NEW}")
    at_most_one_domain_is_unavailable(world.simulator.record, "web")
    states = {instance.state for instance in world.simulator.scale_set("web").instances}
    assert states == {("succeeded", "running", "healthy")}
