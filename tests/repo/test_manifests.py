"""The Kubernetes manifests, as a cluster would be given them."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

ROOT = Path(__file__).parents[2]
OVERLAYS = ["dev", "production", "staging"]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
FROM_OPERATORS = {"oker-identity", "oker-partners"}

Document = dict[str, Any]


def run_manifests(out: Path, *overlays: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "infra/manifests.py"), "--out", str(out), *map(str, overlays)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("manifests")
    return run_manifests(out), out


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def documents(run: tuple[Any, Path], overlay: str) -> list[Document]:
    return list(yaml.safe_load_all((run[1] / f"{overlay}.yaml").read_text()))


def of_kind(documents: list[Document], kind: str) -> dict[str, Document]:
    return {document["metadata"]["name"]: document for document in documents if document["kind"] == kind}


def pods(documents: list[Document]) -> dict[str, Document]:
    """The pod of each Deployment."""
    return {name: deployment["spec"]["template"] for name, deployment in of_kind(documents, "Deployment").items()}


def containers(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    for name, pod in pods(documents).items():
        for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
            yield f"{name}/{container['name']}", container


def test_every_overlay_is_rendered_valid_and_counted(
    run: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = run

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{overlay}: {len(list(yaml.safe_load_all((out / f'{overlay}.yaml').read_text())))} documents, "
        "all fit Kubernetes 1.34"
        for overlay in OVERLAYS
    ]


def test_every_service_is_deployed(documents: list[Document]) -> None:
    for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"):
        assert sorted(of_kind(documents, kind)) == SERVICES


def test_no_process_may_be_root_or_change_its_image(documents: list[Document]) -> None:
    for name, pod in pods(documents).items():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] >= 10_000, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
    for name, container in containers(documents):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_every_process_has_its_probes_its_port_and_its_metrics(documents: list[Document]) -> None:
    for name, pod in pods(documents).items():
        [container] = pod["spec"]["containers"]
        assert container["ports"] == [{"name": "http", "containerPort": 8000}], name
        assert container["startupProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}, name
        assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}, name
        assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}, name
        assert pod["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8000",
            "prometheus.io/path": "/metrics",
        }, name


def test_every_process_says_what_it_needs_and_has_time_to_stop(documents: list[Document]) -> None:
    for name, container in containers(documents):
        assert sorted(container["resources"]["requests"]) == ["cpu", "memory"], name
        assert "memory" in container["resources"]["limits"], name
    for name, pod in pods(documents).items():
        assert pod["spec"]["terminationGracePeriodSeconds"] >= 30, name


def test_a_pod_migrates_and_then_serves_with_one_image(documents: list[Document]) -> None:
    for name, pod in pods(documents).items():
        [migrate], [serve] = pod["spec"]["initContainers"], pod["spec"]["containers"]
        package = name.replace("-", "_")
        assert migrate["command"] == ["python", "-m", package, "migrate"]
        assert serve["command"] == ["python", "-m", package, "serve"]
        assert migrate["image"] == serve["image"]
        assert re.fullmatch(rf"oker/{name}:(?!latest)[a-z0-9.]+", serve["image"])


def test_services_and_budgets_select_the_pods_of_their_deployment(documents: list[Document]) -> None:
    labels = {name: pod["metadata"]["labels"].items() for name, pod in pods(documents).items()}
    selectors: dict[str, Callable[[Document], Document]] = {
        "Service": lambda spec: spec["selector"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        for name, document in of_kind(documents, kind).items():
            wanted = selector(document["spec"]).items()
            assert [pod for pod, held in labels.items() if wanted <= held] == [name], kind


def test_what_is_mounted_and_referred_to_is_there_or_comes_from_the_operators(
    documents: list[Document],
) -> None:
    config_maps = of_kind(documents, "ConfigMap").keys() | FROM_OPERATORS
    for name, pod in pods(documents).items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert {v["configMap"]["name"] for v in volumes.values() if "configMap" in v} <= config_maps, name
        for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys(), name
            [settings, secrets] = container["envFrom"]
            assert settings["configMapRef"]["name"] in config_maps, name
            assert secrets == {"secretRef": {"name": name}}


def test_every_setting_a_service_needs_is_given_except_its_secrets(documents: list[Document]) -> None:
    [config] = of_kind(documents, "ConfigMap").values()
    for name, container in containers(documents):
        service = name.partition("/")[0]
        given = config["data"] | {variable["name"]: variable["value"] for variable in container["env"]}
        fields = import_module(f"{service.replace('-', '_')}.settings").Settings.model_fields
        secret = {f"OKER_{key.upper()}" for key, field in fields.items() if SecretStr in _types(field.annotation)}
        needed = {f"OKER_{key.upper()}" for key, field in fields.items() if field.is_required()}
        assert needed - secret <= given.keys(), service
        assert not secret & given.keys(), service
        assert given["OKER_NATS_USER"] == service


def _types(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", (annotation,))


def test_no_secret_stands_in_a_manifest(run: tuple[Any, Path], overlay: str, documents: list[Document]) -> None:
    text = (run[1] / f"{overlay}.yaml").read_text()

    assert of_kind(documents, "Secret") == {}
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text)
    assert not re.search(
        r"(?i)(password|token|secret|api_key)\w*: *\S", text.replace("automountServiceAccountToken", "")
    )


def test_everything_is_in_the_namespace_of_its_overlay(overlay: str, documents: list[Document]) -> None:
    [namespace] = of_kind(documents, "Namespace").values()

    assert namespace["metadata"]["name"] == f"oker-{overlay}"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [document for document in documents if document is not namespace]
    assert {document["metadata"]["namespace"] for document in others} == {f"oker-{overlay}"}


@pytest.mark.parametrize("overlay", ["production", "staging"], indirect=True)
def test_services_reach_their_neighbours_only_and_the_world_is_for_notification(
    documents: list[Document],
) -> None:
    policies = {name: policy["spec"] for name, policy in of_kind(documents, "NetworkPolicy").items()}

    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    anywhere = [name for name, spec in policies.items() for rule in spec.get("egress", []) if "to" not in rule]
    assert anywhere == ["notification"]
    assert policies["notification"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "notification"}
    assert all("from" in rule for spec in policies.values() for rule in spec.get("ingress", []))


@pytest.mark.parametrize(("overlay", "count"), [("dev", 1), ("staging", 1), ("production", 2)], indirect=["overlay"])
def test_production_has_two_of_each(documents: list[Document], count: int) -> None:
    assert {d["spec"].get("replicas", 1) for d in of_kind(documents, "Deployment").values()} == {count}


def test_a_probe_that_hangs_is_answered_before_the_kubelet_gives_up(documents: list[Document]) -> None:
    """The readiness route answers within two seconds, also if a check hangs; then the reason is seen."""
    for name, pod in pods(documents).items():
        assert pod["spec"]["containers"][0]["readinessProbe"]["timeoutSeconds"] > 2, name


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ok}\n"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: thing}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers: [{name: a, image: b, %s}]
"""


THING = "apiVersion: {}\nkind: {}\nmetadata: {{name: thing}}\n"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            DEPLOYMENT % "readynessProbe: {}",
            r"overlay\.yaml, document 2 \(Deployment/thing\), "
            r"\$\.spec\.template\.spec\.containers\.0: .*'readynessProbe'",
        ),
        (
            DEPLOYMENT % "ports: [{containerPort: http}]",
            r"\.containers\.0\.ports\.0\.containerPort: 'http' is not",
        ),
        (
            THING.format("apps/v9", "Deployment"),
            r"document 2 \(Deployment/thing\), \$\.kind: Couldn't find schema",
        ),
        (THING.format("v1", "Cnofigmap"), r"\(Cnofigmap/thing\), \$\.kind: Couldn't find schema"),
        (
            "kind: ConfigMap\nmetadata: {name: thing}\n",
            r"document 2 \(ConfigMap/thing\), \$: not a Kubernetes object",
        ),
        ("apiVersion: [", r"overlay: .*thing\.yaml"),
    ],
)
def test_what_is_wrong_is_refused_with_file_document_and_path(tmp_path: Path, broken: str, said: str) -> None:
    wrong = tmp_path / "overlay"
    wrong.mkdir()
    (wrong / "kustomization.yaml").write_text("resources: [ok.yaml, thing.yaml]\n")
    (wrong / "ok.yaml").write_text(CONFIG_MAP)
    (wrong / "thing.yaml").write_text(broken)

    done = run_manifests(tmp_path / "out", ROOT / "k8s/overlays/dev", wrong)

    assert done.returncode == 1
    assert re.search(said, done.stderr), done.stderr
    assert "overlay" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("dev: ")


def test_an_empty_overlay_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "kustomization.yaml").write_text("resources: []\n")

    assert run_manifests(tmp_path / "out", empty).returncode == 1
