"""The Kubernetes manifests: what the API would take, and what has to fit together. Its models in the package
`kubernetes`, which chromadb brings, are the schema; what the Prometheus Operator brings has none there.
"""

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from gateway.settings import Target
from tests.deploy.dockerfile import stages
from tests.deploy.proxies import DEPLOY, program, replaced
from tests.deploy.test_unit import settings
from tests.serving import ROOT

FOLDER = DEPLOY / "kubernetes"
COMPONENTS = ("chroma", "monitoring")
OPERATOR = "monitoring.coreos.com/v1"
FINAL = stages((DEPLOY / "Dockerfile").read_text("utf-8"))[-1]
CONTAINERS = re.compile(r"(?:List\[|Dict\[str, )(.+)\]")


def documents(path: Path) -> list[dict[str, Any]]:
    """Every manifest of a file."""
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def kustomization(name: str = ".") -> dict[str, Any]:
    """What a folder says of itself."""
    (told,) = documents(FOLDER / name / "kustomization.yaml")
    return told


def named(name: str) -> list[str]:
    """The files that a folder's kustomization names."""
    told = kustomization(name)
    return [*told["resources"], *(patch["path"] for patch in told.get("patches", ()))]


def manifests(name: str = ".") -> list[dict[str, Any]]:
    """Everything that a folder brings into the cluster."""
    return [each for path in kustomization(name)["resources"] for each in documents(FOLDER / name / path)]


def built(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What kustomize makes of it, by kind and name."""
    kubectl = program("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    told = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=True)
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(told.stdout)}


KINDS = {one["kind"]: one for one in manifests()}
EVERY = [each for name in (".", *COMPONENTS) for each in manifests(name)]
OURS = [each for each in EVERY if each["apiVersion"] != OPERATOR]
CHROMA = {(one["kind"], one["metadata"]["name"]): one for one in manifests("chroma")}


def model(manifest: dict[str, Any]) -> str:
    """The model's name: of `networking.k8s.io/v1` and `Ingress`, V1Ingress."""
    version = manifest["apiVersion"].rpartition("/")[2]
    return f"{version[0].upper()}{version[1:]}{manifest['kind']}"


def made(kind: str, value: Any, path: str) -> Any:
    """The value as the API's type. Raises ValueError (a field that is unknown or missing) and TypeError."""
    if match := CONTAINERS.fullmatch(kind):
        if kind.startswith("List"):
            return [made(match[1], each, f"{path}[{place}]") for place, each in enumerate(value)]
        return {name: made(match[1], each, f"{path}.{name}") for name, each in value.items()}
    if kind == "object":
        return value
    if kind in {"str", "int", "bool", "float"}:
        if type(value).__name__ != kind:
            raise TypeError(f"{path}: {value!r} is no {kind}")
        return value
    type_ = getattr(client, kind)
    names = {told: name for name, told in type_.attribute_map.items()}
    if unknown := set(value) - set(names):
        raise ValueError(f"{path}: there is no {', '.join(sorted(unknown))} in {kind}")
    fields = {
        names[told]: made(type_.openapi_types[names[told]], each, f"{path}.{told}") for told, each in value.items()
    }
    return type_(**fields)


@pytest.mark.parametrize("manifest", OURS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_the_api_takes_it(manifest: dict[str, Any]) -> None:
    """Every field is known, none is missing, each has its type; and each is named after the gateway."""
    assert made(model(manifest), manifest, manifest["kind"]).metadata.name.startswith("simli-gateway")


def test_what_the_api_would_refuse_is_found() -> None:
    """A misspelt field, a missing one, a number that is a text."""
    broken = yaml.safe_load((FOLDER / "deployment.yaml").read_text("utf-8"))
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(ValueError, match=r"containers\[0\]: there is no readinesProbe in V1Container"):
        made("V1Deployment", broken, "")
    with pytest.raises(ValueError, match="selector"):
        made("V1DeploymentSpec", {"template": {}}, "")
    with pytest.raises(TypeError, match="is no int"):
        made("V1ServicePort", {"port": "80"}, "")


def test_kustomize_builds_it() -> None:
    """With the namespace and the image of the kustomization."""
    found = built(FOLDER)
    assert {kind for kind, _ in found} == set(KINDS)
    assert {one["metadata"]["namespace"] for one in found.values()} == {kustomization()["namespace"]}
    (container,) = found["Deployment", "simli-gateway"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.org/simli-gateway:0.1.0"
    assert container["args"] == ["--workers", "1"]


def test_kustomize_builds_it_with_everything(tmp_path: Path) -> None:
    """Once the lines of the components are no comment: pods only serve, the same image ingests, streams scale."""
    folder = shutil.copytree(FOLDER, tmp_path / "kubernetes")
    file = folder / "kustomization.yaml"
    lines = "# components:\n#   - chroma\n#   - monitoring\n"
    file.write_text(replaced(file.read_text("utf-8"), {lines: lines.replace("# ", "")}), "utf-8")
    found = built(folder)
    assert len(found) == len(EVERY)
    (container,) = found["Deployment", "simli-gateway"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["serve", "--workers", "1"]
    job = found["CronJob", "simli-gateway-ingest"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (ingests,) = job["containers"]
    assert ingests["image"] == container["image"] == "registry.example.org/simli-gateway:0.1.0"
    assert ingests["env"] == container["env"]
    (service,) = found["Service", "simli-gateway-chroma"]["spec"]["ports"]
    assert container["env"] == [
        {"name": "CHROMA_URL", "value": f"http://simli-gateway-chroma:{service['port']}"},
    ]
    scaled = found["HorizontalPodAutoscaler", "simli-gateway"]
    made("V2HorizontalPodAutoscaler", scaled, "")
    assert [metric["type"] for metric in scaled["spec"]["metrics"]] == ["Pods", "Resource"]
    assert scaled["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 600


@pytest.mark.parametrize("name", [".", *COMPONENTS])
def test_every_file_is_used(name: str) -> None:
    """What lies in a folder is in its kustomization; the adapter's values are given to Helm, which its top says."""
    there = {path.name for path in (FOLDER / name).iterdir() if path.is_file()}
    assert there - {"adapter.yaml"} == {"kustomization.yaml", *named(name)}
    if "adapter.yaml" in there:
        assert f"-f deploy/kubernetes/{name}/adapter.yaml" in (FOLDER / name / "kustomization.yaml").read_text("utf-8")


def test_every_component_is_named() -> None:
    """Each folder, in the comment that makes it a part."""
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(COMPONENTS)
    assert {kustomization(name)["kind"] for name in COMPONENTS} == {"Component"}


def test_everything_is_about_the_same_pods() -> None:
    """The selectors of all find the labels of the pods, the ports have one name, the image's user is theirs."""
    spec = KINDS["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    assert KINDS["Service"]["spec"]["selector"] == labels
    assert KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert KINDS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    (container,) = spec["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": int(FINAL.environ["PORT"])}]
    assert KINDS["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    security = spec["template"]["spec"]["securityContext"]
    user = FINAL.last("USER")
    assert user is not None
    assert user.rest == f"{security['runAsUser']}:{security['runAsGroup']}"
    assert FINAL.environ["GATEWAY_VAR"] in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_a_pod_may_do_nothing_and_waits_for_the_last_answer() -> None:
    """No root, no capability, nothing to write but its volumes, no token; the drain fits into its grace."""
    pod = KINDS["Deployment"]["spec"]["template"]["spec"]
    security = pod["containers"][0]["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    server, longest = settings().server, Target().total + Target().first_token
    before = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert longest < server.drain_timeout
    assert pod["terminationGracePeriodSeconds"] > before + max(server.drain_notice, server.drain_timeout) + 10


def test_the_outside_reaches_what_callers_need() -> None:
    """The ingress has the paths of nginx.conf, and not /admin."""
    rules = KINDS["Ingress"]["spec"]["rules"][0]["http"]["paths"]
    proxied = re.findall(r"location (?:= )?(/\S+?)/? \{ proxy_pass", (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert [rule["path"] for rule in rules] == proxied


@pytest.mark.parametrize("workload", [("StatefulSet", "simli-gateway-chroma"), ("CronJob", "simli-gateway-ingest")])
def test_the_others_may_do_as_little(workload: tuple[str, str]) -> None:
    """Chroma and what ingests: as the gateway's pods; and no Service takes them for gateways."""
    spec = CHROMA[workload]["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if workload[0] == "CronJob" else spec["template"]
    ours = KINDS["Deployment"]["spec"]["template"]
    assert template["spec"]["securityContext"] == ours["spec"]["securityContext"]
    assert template["spec"]["containers"][0]["securityContext"] == ours["spec"]["containers"][0]["securityContext"]
    assert template["spec"]["automountServiceAccountToken"] is False
    assert template["metadata"]["labels"] == {"app.kubernetes.io/name": workload[1]}
    assert workload[1] != KINDS["Service"]["spec"]["selector"]["app.kubernetes.io/name"]


def test_chroma_is_the_client_s_and_is_found() -> None:
    """Its image is of the locked version; Service, port and policy are about its pods, and it reaches nobody."""
    server, service = CHROMA["StatefulSet", "simli-gateway-chroma"], CHROMA["Service", "simli-gateway-chroma"]
    (container,) = server["spec"]["template"]["spec"]["containers"]
    labels = server["spec"]["template"]["metadata"]["labels"]
    assert container["image"] == f"chromadb/chroma:{version('chromadb')}"
    assert str(container["ports"][0]["containerPort"]) == container["args"][container["args"].index("--port") + 1]
    assert server["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    assert server["spec"]["serviceName"] == service["metadata"]["name"]
    policy = CHROMA["NetworkPolicy", "simli-gateway-chroma"]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policy
    out = CHROMA["NetworkPolicy", "simli-gateway-to-chroma"]["spec"]
    assert policy["ingress"][0]["from"] == [{"podSelector": out["podSelector"]}]
    assert out["egress"][0]["to"] == [{"podSelector": {"matchLabels": labels}}]


def test_prometheus_asks_with_a_key_and_is_let_in() -> None:
    """The Operator's manifest finds the pods and their port, as the job that the rules are about."""
    monitoring = {one["kind"]: one for one in manifests("monitoring")}
    scrape = monitoring["PodMonitor"]["spec"]
    labels = KINDS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    (endpoint,) = scrape["podMetricsEndpoints"]
    assert scrape == {"selector": {"matchLabels": labels}, "podMetricsEndpoints": [endpoint]}
    assert endpoint["port"] == KINDS["Deployment"]["spec"]["template"]["spec"]["containers"][0]["ports"][0]["name"]
    secret = endpoint["authorization"]["credentials"]
    head = (FOLDER / "monitoring" / "kustomization.yaml").read_text("utf-8")
    assert f"create secret generic {secret['name']} --from-literal={secret['key']}=" in head
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "gateway"}]
    assert 'up{job="gateway"}' in str(monitoring["PrometheusRule"])
    policy = monitoring["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["ingress"][0]["ports"] == [{"port": endpoint["port"], "protocol": "TCP"}]


def test_pods_are_scaled_by_a_metric_that_the_adapter_makes() -> None:
    """Of one that `/metrics` has: the names in the HPA, the adapter and the code are one."""
    (scaling,) = documents(FOLDER / "monitoring" / "scaling.yaml")
    metric = scaling["spec"]["metrics"][0]["pods"]["metric"]["name"]
    (rule,) = documents(FOLDER / "monitoring" / "adapter.yaml")[0]["rules"]["custom"]
    assert rule["seriesQuery"].startswith(f"{metric}{{")
    assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}
    assert f'"{metric}"' in (ROOT / "gateway" / "observe" / "present.py").read_text("utf-8")
