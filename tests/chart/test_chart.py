"""The chart: helm lints and renders it for every kind of values, and Kubernetes has a field for every line of it."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from reconciler import __version__
from reconciler.cli import main
from reconciler.web.page.action import Action
from tests.chart.manifests import MANIFESTS, manifests
from tests.chart.programs import CHART, PROGRAMS, ROOT, documents, errors, helm, named, program, run

# The defaults of the chart before it had shards, TLS, sign-in to the page, and a port for probes.
EARLIER_VALUES = Path(__file__).with_name("earlier-values.yaml")

LEAST: dict[str, Any] = {
    "image": {"repository": "registry.example.com/vmss-reconciler"},
    "identity": {"clientId": "11111111-1111-1111-1111-111111111111"},
    "git": {"url": "https://git.example.com/platform/fleet.git"},
}
OF_OPERATORS = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True, "labels": {"team": "a"}},
}
SECRET = {"name": "reconciler-git", "token": "token"}


def git(**values: Any) -> dict[str, Any]:
    return {"git": LEAST["git"] | values}


# Values in addition to the least ones.
VALUES: dict[str, dict[str, Any]] = {
    "only what has no default": {},
    "three replicas": {"replicas": 3, "leaderElection": {"leaseDuration": "40s", "resourceName": "fleet"}},
    "a token": git(secret=SECRET),
    "an SSH key": git(
        url="git@git.example.com:platform/fleet.git",
        secret={"name": "reconciler-git", "sshKey": "id", "knownHosts": "known_hosts"},
    ),
    "a GitHub App": git(
        githubApp={"id": "1", "installation": "2"},
        secret={"name": "reconciler-git", "githubAppKey": "app.pem"},
    ),
    "the identity for Azure DevOps": git(azureIdentity=True),
    "the CA and the proxy of a company": {
        "caBundle": {"configMap": "company-ca", "key": "ca.crt"},
        "proxy": {"http": "http://proxy:3128", "https": "http://proxy:3128", "no": ".example.com"},
    },
    "webhooks": {"webhook": {"enabled": True, "secret": {"name": "reconciler-webhook", "key": "secret"}}},
    "sign-in to the page": {
        "page": {
            "userHeader": "X-Forwarded-Email",
            "groupsHeader": "X-Forwarded-Groups",
            "proxies": ["10.244.0.0/16", "::1"],
            "grants": {"pause": ["group:Site Reliability", "user:ada@example.com"], "approve": ["group:sre"]},
        }
    },
    "a volume for the clone": {"clone": {"existingClaim": "reconciler-clone"}},
    "TLS": {"tls": {"secret": "reconciler-tls"}},
    "a shard": {
        "shard": {"name": "emea", "selector": "region=emea", "subscriptions": [LEAST["identity"]["clientId"]]}
    },
    "OpenShift": {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
    "everything together": {
        "replicas": 2,
        "image": {"repository": "r.example.com/vmss-reconciler", "digest": "sha256:" + "a" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "identity": LEAST["identity"] | {"tenantId": "22222222-2222-2222-2222-222222222222"},
        "serviceAccount": {"name": "rollouts", "annotations": {"team": "a"}},
        **git(secret=SECRET, branch="prod", path="fleet"),
        "caBundle": {"configMap": "company-ca", "key": "ca.crt"},
        "proxy": {"https": "http://proxy:3128"},
        "webhook": {"enabled": True, "secret": {"name": "reconciler-webhook", "key": "secret"}},
        "service": {"type": "LoadBalancer", "annotations": {"internal": "true"}},
        "extraArgs": ["--log-format=json"],
        "extraEnv": [{"name": "VMSS_RECONCILER_SWEEP", "value": "2m"}],
        "extraVolumes": [{"name": "signers", "configMap": {"name": "signers"}}],
        "extraVolumeMounts": [{"name": "signers", "mountPath": "/signers"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "networkPolicy": {
            "enabled": True,
            "from": {
                "http": [
                    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
                ],
                "webhook": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            },
            "apiServer": {"cidrs": ["10.1.2.3/32"]},
        },
        "dashboard": {"enabled": True},
    },
}


@cache
def of(name: str) -> list[Any]:
    """What is installed with these values."""
    return documents(LEAST | VALUES[name])


def daemon(found: list[Any]) -> Any:
    """The Pod of the Deployment."""
    return named(found, "Deployment")["spec"]["template"]["spec"]


def environment(found: list[Any]) -> Mapping[str, Any]:
    (container,) = daemon(found)["containers"]
    return {each["name"]: each.get("value") for each in container["env"]}


def test_the_plain_manifests_are_those_of_the_chart() -> None:
    assert manifests() == MANIFESTS.read_text(), "run `make manifests`"


def test_the_chart_has_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


@pytest.mark.parametrize("name", VALUES)
def test_helm_lints_the_chart(name: str) -> None:
    done = helm("lint --strict", LEAST | VALUES[name] | OF_OPERATORS)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", VALUES)
def test_kubernetes_has_every_field(name: str) -> None:
    assert [error for document in of(name) for error in errors(document)] == []


def test_kubernetes_has_every_field_of_the_plain_manifests() -> None:
    found = list(yaml.safe_load_all(MANIFESTS.read_text()))
    assert [error for document in found for error in errors(document)] == []


def test_the_check_of_fields_finds_a_misspelt_one() -> None:
    found = list(yaml.safe_load_all(MANIFESTS.read_text().replace("livenessProbe:", "livenessProb:")))
    (error,) = [error for document in found for error in errors(document)]
    assert "livenessProb" in error


@pytest.mark.parametrize("name", VALUES)
def test_the_pod_is_as_the_restricted_profile_wants_it(name: str) -> None:
    pod = daemon(of(name))
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(iter(each.keys() - {"name"})) for each in pod["volumes"]} <= {
        "configMap",
        "emptyDir",
        "persistentVolumeClaim",
        "secret",
    }


@pytest.mark.parametrize("name", VALUES)
def test_the_program_reads_every_variable(name: str) -> None:
    of_program = {
        variable
        for param in main.commands["run"].params
        if isinstance(variable := getattr(param, "envvar", None), str)
    }
    of_others = {
        "AZURE_TOKEN_CREDENTIALS",
        "GIT_SSL_CAINFO",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "http_proxy",
    }
    assert environment(of(name)).keys() - of_program - of_others == set()


def test_every_file_that_a_variable_names_is_mounted() -> None:
    for name in VALUES:
        found = of(name)
        (container,) = daemon(found)["containers"]
        mounts = {each["mountPath"] for each in container["volumeMounts"]}
        assert {each["name"] for each in container["volumeMounts"]} == {
            each["name"] for each in daemon(found)["volumes"]
        }
        files = [value for value in environment(found).values() if str(value).startswith("/")]
        assert [each for each in files if f"/{each.split('/')[1]}" not in mounts] == []


def test_one_replica_needs_nothing_of_the_api_server() -> None:
    found = of("only what has no default")
    assert sorted(each["kind"] for each in found) == ["Deployment", "Service", "ServiceAccount"]
    assert named(found, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert daemon(found)["automountServiceAccountToken"] is False


def test_three_replicas_elect_a_leader_with_the_least_role() -> None:
    found = of("three replicas")
    assert named(found, "Role")["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["fleet"],
            "verbs": ["get", "update"],
        },
    ]
    (subject,) = named(found, "RoleBinding")["subjects"]
    assert subject["name"] == daemon(found)["serviceAccountName"]
    assert daemon(found)["automountServiceAccountToken"] is True
    variables = environment(found)
    assert variables["VMSS_RECONCILER_LEADER_ELECT"] == "true"
    assert variables["VMSS_RECONCILER_LEADER_ELECT_RESOURCE_NAME"] == "fleet"
    assert variables["VMSS_RECONCILER_LEADER_ELECT_LEASE_DURATION"] == "40s"
    keys = [each["topologyKey"] for each in daemon(found)["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert named(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_every_selector_finds_the_pod() -> None:
    found = documents(LEAST | VALUES["everything together"] | OF_OPERATORS)
    labels = named(found, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    for kind, name, *path in (
        ("Deployment", "reconciler", "selector", "matchLabels"),
        ("Service", "reconciler", "selector"),
        ("Service", "reconciler-webhook", "selector"),
        ("PodDisruptionBudget", "reconciler", "selector", "matchLabels"),
        ("NetworkPolicy", "reconciler", "podSelector", "matchLabels"),
    ):
        at = named(found, kind, name)["spec"]
        for each in path:
            at = at[each]
        assert at.items() <= labels, (kind, name)
    monitor = named(found, "ServiceMonitor")["spec"]
    services = [
        each["metadata"]["name"]
        for each in found
        if each["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
    ]
    assert services == ["reconciler"]


def test_the_network_policy_lets_through_what_the_daemon_needs() -> None:
    policy = named(of("everything together"), "NetworkPolicy")["spec"]
    dns, others, api_server, leader = policy["egress"]
    assert [(each["port"], each["protocol"]) for each in dns["ports"]] == [(53, "UDP"), (53, "TCP")]
    assert [each["port"] for each in others["ports"]] == [443, 22]
    assert api_server["to"] == [{"ipBlock": {"cidr": "10.1.2.3/32"}}]
    assert [each["port"] for each in api_server["ports"]] == [443, 6443]
    ((own,), (*_, other)) = leader["to"], policy["ingress"][2]["from"]
    assert own == other == {"podSelector": policy["podSelector"]}
    assert [[port["port"] for port in each["ports"]] for each in policy["ingress"]] == [
        ["http"],
        ["probes"],
        ["webhook"],
    ]


def test_probes_metrics_webhooks_and_pages_each_have_a_port_where_the_daemon_listens() -> None:
    found = of("webhooks")
    (container,) = daemon(found)["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    listened = {
        int(value.rpartition(":")[2]): name
        for name, value in environment(found).items()
        if name.endswith("_LISTEN")
    }
    assert {name: listened[port] for name, port in ports.items()} == {
        "http": "VMSS_RECONCILER_LISTEN",
        "probes": "VMSS_RECONCILER_PROBE_LISTEN",
        "webhook": "VMSS_RECONCILER_WEBHOOK_LISTEN",
    }
    assert {container[f"{each}Probe"]["httpGet"]["port"] for each in ("liveness", "readiness")} == {"probes"}
    services = [port for each in found if each["kind"] == "Service" for port in each["spec"]["ports"]]
    assert {each["name"]: each["targetPort"] for each in services} == {
        "http": "http",
        "metrics": "probes",
        "webhook": "webhook",
    }
    scraped = named(found, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert int(scraped["prometheus.io/port"]) == ports["probes"]


def test_the_rules_and_the_dashboard_are_those_of_the_repository() -> None:
    found = documents(LEAST | OF_OPERATORS | {"dashboard": {"enabled": True}})
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())
    assert named(found, "PrometheusRule")["spec"] == rules
    assert named(found, "PrometheusRule")["metadata"]["labels"]["team"] == "a"
    (shown,) = named(found, "ConfigMap", "reconciler-dashboard")["data"].values()
    assert json.loads(shown) == json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())


def test_a_replica_that_uses_a_proxy_asks_the_api_server_directly() -> None:
    assert environment(of("everything together"))["NO_PROXY"] == "$(KUBERNETES_SERVICE_HOST)"
    assert environment(of("the CA and the proxy of a company"))["NO_PROXY"] == ".example.com"


def test_readers_of_the_page_sign_in_by_a_proxy() -> None:
    found = environment(of("sign-in to the page"))
    assert {name: value for name, value in found.items() if "_PAGE_" in name} == {
        "VMSS_RECONCILER_PAGE_USER_HEADER": "X-Forwarded-Email",
        "VMSS_RECONCILER_PAGE_GROUPS_HEADER": "X-Forwarded-Groups",
        "VMSS_RECONCILER_PAGE_PROXIES": "10.244.0.0/16,::1",
        "VMSS_RECONCILER_PAGE_GRANTS": "approve=group:sre,pause=group:Site Reliability,pause=user:ada@example.com",
    }
    assert not any("_PAGE_" in name for name in environment(of("only what has no default")))


def test_every_value_has_a_row_in_the_schema() -> None:
    """The values of the chart in YAML, with those that are comments filled in."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values.keys() | {"global"} == schema["properties"].keys()
    grants = schema["properties"]["page"]["properties"]["grants"]["properties"]
    assert grants.keys() == set(Action)


@pytest.mark.parametrize(
    "values, error",
    [
        pytest.param({"git": {}}, "at '/git': missing property 'url'", id="no repository"),
        pytest.param(
            {"git": {"url": "git.example.com/fleet"}}, "at '/git/url': .* does not match pattern", id="no URL"
        ),
        pytest.param(
            {"identity": {"clientId": "me"}}, "at '/identity/clientId': 'me' does not", id="no client id"
        ),
        pytest.param({"replica": 2}, "additional properties 'replica' not allowed", id="a misspelt value"),
        pytest.param({"replicas": 0}, "at '/replicas': minimum: got 0, want 1", id="no replica"),
        pytest.param(
            git(secret={"token": "token"}),
            "at '/git/secret': properties 'name' required, if 'token' exists",
            id="a token without its Secret",
        ),
        pytest.param(
            git(secret={"name": "a", "sshKey": "id"}),
            "at '/git/secret': .*'knownHosts'",
            id="a key without hosts",
        ),
        pytest.param(
            git(secret={**SECRET, "sshKey": "id", "knownHosts": "k"}),
            "git.secret: name one of token, sshKey and githubAppKey, not several",
            id="two kinds of credentials",
        ),
        pytest.param(
            {"webhook": {"enabled": True}},
            "at '/webhook/secret': missing properties 'name', 'key'",
            id="no secret",
        ),
        pytest.param({"resources": {"limit": {}}}, "additional properties 'limit'", id="a misspelt limit"),
        pytest.param(
            {"networkPolicy": {"egressPorts": [70000]}},
            "at '/networkPolicy/egressPorts/0'",
            id="no such port",
        ),
        pytest.param(
            {"leaderElection": {"leaseDuration": "15"}}, "leaseDuration.*pattern", id="a time without a unit"
        ),
        pytest.param(
            {"page": {"userHeader": "X-Forwarded-Email"}}, "at '/page/proxies': minItems", id="no proxy"
        ),
        pytest.param(
            {"page": {"grants": {"pause": ["group:sre"]}}},
            "at '/page/grants': maxProperties",
            id="a grant without sign-in",
        ),
        pytest.param(
            {"page": {"grants": {"delete": []}}}, "additional properties 'delete'", id="a grant of no action"
        ),
        pytest.param(
            {"shard": {"selector": "region=emea"}},
            "shard.selector and shard.subscriptions need shard.name",
            id="labels of a shard without a name",
        ),
        pytest.param(
            {"shard": {"subscriptions": [LEAST["identity"]["clientId"]]}},
            "shard.selector and shard.subscriptions need shard.name",
            id="subscriptions of a shard without a name",
        ),
        pytest.param(
            {"shard": {"name": "emea"}}, "shard.name: a name alone selects nothing", id="a shard of nothing"
        ),
        pytest.param(
            {"replicas": 2, "clone": {"existingClaim": "a"}},
            "clone.existingClaim: one volume holds the clone of one replica",
            id="two replicas on one volume",
        ),
    ],
)
def test_values_that_are_wrong_are_an_error(values: dict[str, Any], error: str) -> None:
    done = helm("template reconciler", LEAST | values)
    assert done.returncode != 0
    assert re.search(error, done.stderr), done.stderr


def test_a_release_of_the_chart_before_this_one_can_keep_its_values(tmp_path: Path) -> None:
    """`helm upgrade --reuse-values` renders the new templates with the old defaults, which lack new values."""
    chart = copytree(CHART, tmp_path / "chart")
    (chart / "values.yaml").write_text(EARLIER_VALUES.read_text())
    peers = [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
    values = LEAST | {"networkPolicy": {"enabled": True, "from": {"http": peers}}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    line = (
        "template",
        "reconciler",
        chart,
        "--values",
        tmp_path / "values.yaml",
        "--namespace",
        "reconciler",
    )
    done = run(program("helm"), *line)
    assert done.returncode == 0, done.stderr
    assert [each for each in yaml.safe_load_all(done.stdout) if each] == documents(values)


@pytest.mark.parametrize(
    ("metrics", "peers"),
    [
        pytest.param({}, "http", id="those of the pages by default"),
        pytest.param({"metrics": [{"podSelector": {}}]}, "metrics", id="others"),
        pytest.param({"metrics": []}, "everybody", id="everybody"),
    ],
)
def test_who_may_read_the_metrics(metrics: dict[str, Any], peers: str) -> None:
    by_name = {"http": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]} | metrics
    found = documents(LEAST | {"networkPolicy": {"enabled": True, "from": by_name}})
    _, probes = named(found, "NetworkPolicy")["spec"]["ingress"]
    assert probes.get("from") == by_name.get(peers)


def test_the_containerfile_has_no_finding_of_hadolint() -> None:
    # The packages of Debian are not pinned: an old version is no longer to be had, and has its old faults.
    done = run(PROGRAMS / "hadolint", "--ignore", "DL3008", ROOT / "deploy" / "Containerfile")
    assert (done.returncode, done.stdout) == (0, "")
