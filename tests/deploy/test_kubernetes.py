"""The Kubernetes manifests: what the API would take, and what has to fit together. Its models in the package
`kubernetes`, which chromadb brings, are the schema.
"""

import re
import subprocess
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.deploy.dockerfile import stages
from tests.deploy.proxies import DEPLOY, program
from tests.deploy.test_unit import settings

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
MANIFESTS: list[dict[str, Any]] = [
    yaml.safe_load((FOLDER / name).read_text("utf-8")) for name in KUSTOMIZATION["resources"]
]
KINDS = {one["kind"]: one for one in MANIFESTS}
FINAL = stages((DEPLOY / "Dockerfile").read_text("utf-8"))[-1]
CONTAINERS = re.compile(r"(?:List\[|Dict\[str, )(.+)\]")


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


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_takes_it(kind: str) -> None:
    """Every field is known, none is missing, each has its type."""
    assert made(model(KINDS[kind]), KINDS[kind], kind).metadata.name == "simli-gateway"


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
    kubectl = program("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    told = subprocess.run([kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, timeout=60, check=True)
    built = list(yaml.safe_load_all(told.stdout))
    assert {one["kind"] for one in built} == set(KINDS)
    assert {one["metadata"]["namespace"] for one in built} == {KUSTOMIZATION["namespace"]}
    assert "image: registry.example.org/simli-gateway:0.1.0\n" in told.stdout


def test_every_file_is_used() -> None:
    """What lies in the folder is in the kustomization."""
    assert {path.name for path in FOLDER.iterdir()} == {"kustomization.yaml", *KUSTOMIZATION["resources"]}


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
    server = settings().server
    before = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > before + max(server.drain_notice, server.drain_timeout) + 10


def test_the_outside_reaches_what_callers_need() -> None:
    """The ingress has the paths of nginx.conf, and not /admin."""
    rules = KINDS["Ingress"]["spec"]["rules"][0]["http"]["paths"]
    proxied = re.findall(r"location (?:= )?(/\S+?)/? \{ proxy_pass", (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert [rule["path"] for rule in rules] == proxied
