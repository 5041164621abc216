"""The manifests: valid for three versions of Kubernetes, restricted, with probes and limits everywhere."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

MANIFESTS = Path(__file__).parents[2] / "deploy/kubernetes"
VERSIONS = ("1.29", "1.33", "1.37")
WORKLOADS = ("Deployment", "StatefulSet")
POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
LIMITED = ("cpu", "memory")

pytestmark = pytest.mark.once


def manifests() -> dict[str, dict[str, Any]]:
    """Every object, by its file and kind."""
    found = {}
    for file in sorted(MANIFESTS.rglob("*.yaml")):
        for manifest in yaml.safe_load_all(file.read_text()):
            found[f"{file.relative_to(MANIFESTS)}: {manifest['kind']}"] = manifest
    return found


def workloads() -> dict[str, dict[str, Any]]:
    return {name: one for name, one in manifests().items() if one["kind"] in WORKLOADS}


def faults(workload: dict[str, Any]) -> Iterator[str]:
    """What keeps a workload from running as Pod Security's "restricted", watched and bounded."""
    pod = workload["spec"]["template"]["spec"]
    for key, value in POD.items():
        if pod.get("securityContext", {}).get(key) != value:
            yield f"securityContext.{key}"
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken"
    for container in pod["containers"]:
        yield from (f"{container['name']}: {fault}" for fault in container_faults(container))


def container_faults(container: dict[str, Any]) -> Iterator[str]:
    for key, value in CONTAINER.items():
        if container.get("securityContext", {}).get(key) != value:
            yield f"securityContext.{key}"
    for probe in ("livenessProbe", "readinessProbe"):
        if not {"httpGet", "exec"} & container.get(probe, {}).keys():
            yield probe
    for kind in ("requests", "limits"):
        for resource in LIMITED:
            if not container.get("resources", {}).get(kind, {}).get(resource):
                yield f"resources.{kind}.{resource}"


def test_they_are_valid_for_three_versions_of_kubernetes() -> None:
    for manifest in manifests().values():
        if manifest["kind"] != "Kustomization":
            for version in VERSIONS:
                kubernetes_validate.validate(manifest, version, strict=True)
    misspelt = copy.deepcopy(next(iter(workloads().values())))
    misspelt["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, VERSIONS[0], strict=True)


def test_every_workload_is_restricted_watched_and_bounded() -> None:
    assert [(name, fault) for name, one in workloads().items() for fault in faults(one)] == []
    assert len(workloads()) == 3


@pytest.mark.parametrize("name", workloads())
def test_a_forgotten_probe_limit_or_security_context_is_a_fault(name: str) -> None:
    count = len(workloads()[name]["spec"]["template"]["spec"]["containers"])
    for index in range(count):
        for forgotten in ("livenessProbe", "readinessProbe", "resources", "securityContext"):
            changed = copy.deepcopy(workloads()[name])
            del changed["spec"]["template"]["spec"]["containers"][index][forgotten]
            assert list(faults(changed)), forgotten
    changed = copy.deepcopy(workloads()[name])
    del changed["spec"]["template"]["spec"]["securityContext"]
    assert list(faults(changed))


def test_each_heartbeat_heeds_a_refusal_that_was_there_before_it() -> None:
    """By the settings that it mounts, and by a ConfigMap that need not exist."""
    beats = [
        container
        for workload in workloads().values()
        for container in workload["spec"]["template"]["spec"]["containers"]
        if container["name"] == "heartbeat"
    ]
    assert len(beats) == 2
    for container in beats:
        assert {"configMapRef": {"name": "rollcall-refusal", "optional": True}} in container["envFrom"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert mounts["/etc/rollcall"] == "settings"
        assert "/var/lib/rollcall" in mounts


def test_every_name_leads_to_what_is_there() -> None:
    """A selector, a secret, a volume or a resource with another name is found by no schema."""
    for folder in ("agent", "collector"):
        listed = yaml.safe_load((MANIFESTS / folder / "kustomization.yaml").read_text())["resources"]
        assert all((MANIFESTS / folder / file).is_file() for file in listed)
    objects = {(one["kind"], one["metadata"]["name"]) for one in manifests().values() if "metadata" in one}
    for workload in workloads().values():
        template = workload["spec"]["template"]
        assert workload["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        claims = [one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])]
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", [])}
        for container in template["spec"]["containers"]:
            for mount in container.get("volumeMounts", []):
                assert mount["name"] in volumes or mount["name"] in claims
        for volume in volumes.values():
            if secret := volume.get("secret"):
                assert ("Secret", secret["secretName"]) in objects
            if settings := volume.get("configMap"):
                assert ("ConfigMap", settings["name"]) in objects
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in objects
