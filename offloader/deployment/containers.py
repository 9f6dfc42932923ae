"""Agents in containers: a Dockerfile, a Compose project, and manifests for Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.deployment.names import PORT, image_of, stage_name, title_name
from tiercut.offloader.deployment.yaml_text import yaml_text

__all__ = ["DOCKERFILE", "compose_text", "kubernetes_text"]

DOCKERFILE = f"""\
# An agent with the bundle of one partition. Build one image for each, in this folder:
#   docker build --build-arg BUNDLE=1-camera .
FROM python:3.12-slim
# What pip installs: a wheel's address serves too. KServe needs tiercut[offload] and kserve.
ARG TIERCUT="tiercut[offload]"
RUN pip install --no-cache-dir $TIERCUT
ARG BUNDLE
COPY $BUNDLE /bundle
ENV HOME=/tmp
USER 65534:65534
EXPOSE {PORT}
ENTRYPOINT ["tiercut", "agent", "/bundle"]
CMD ["--listen", "0.0.0.0:{PORT}"]
"""

_USER = 65534


def _arguments(following: Bundle | None) -> list[str]:
    arguments = ["--listen", f"0.0.0.0:{PORT}"]
    return arguments if following is None else [*arguments, "--next", f"{stage_name(following)}:{PORT}"]


def _pairs(bundles: Sequence[Bundle]) -> list[tuple[Bundle, Bundle | None]]:
    return list(zip(bundles, [*bundles[1:], None], strict=True))


def compose_text(bundles: Sequence[Bundle], folders: Sequence[str], memory: Mapping[str, float | None]) -> str:
    """Return a Compose project that builds and starts all agents on one machine.

    Parameters
    ----------
    bundles, folders
        Of the partitions in order, and the names of their folders.
    memory
        Bytes that each node has, where that is known.
    """
    services = {}
    for (bundle, following), folder in zip(_pairs(bundles), folders, strict=True):
        service: dict[str, Any] = {
            "image": image_of(bundle),
            "build": {"context": ".", "args": {"BUNDLE": folder}},
            "command": _arguments(following),
            "read_only": True,
            "tmpfs": ["/tmp"],
            "restart": "unless-stopped",
            "healthcheck": {
                "test": ["CMD", "python", "-c", f"import socket; socket.create_connection(('127.0.0.1', {PORT}), 2)"],
                "interval": "5s",
                "timeout": "3s",
                "retries": 24,
            },
        }
        if bundle.stage == 1:
            service["ports"] = [{"target": PORT, "published": str(PORT), "host_ip": "127.0.0.1"}]
        if following is not None:
            service["depends_on"] = {stage_name(following): {"condition": "service_healthy"}}
        if (limit := memory.get(bundle.node)) is not None:
            service["mem_limit"] = str(int(limit))
        services[stage_name(bundle)] = service
    return yaml_text(
        [{"name": title_name(bundles[0]), "services": services}],
        "All agents on one machine: docker compose up --build --wait\nThen: python measure.py --data SAMPLES.npz\n"
        "Links between containers are those of this machine, not those of the plan's topology.",
    )


def kubernetes_text(bundles: Sequence[Bundle], memory: Mapping[str, float | None]) -> str:
    """Return a Deployment and a Service for each agent; each runs where a machine is labelled with its node's name.

    Parameters
    ----------
    bundles
        Of the partitions in order.
    memory
        Bytes that each node has, where that is known.
    """
    documents: list[dict[str, Any]] = []
    for bundle, following in _pairs(bundles):
        name = stage_name(bundle)
        labels = {"app.kubernetes.io/name": title_name(bundle), "app.kubernetes.io/component": name}
        container: dict[str, Any] = {
            "name": "agent",
            "image": image_of(bundle),
            "imagePullPolicy": "IfNotPresent",
            "args": _arguments(following),
            "ports": [{"name": "grpc", "containerPort": PORT}],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 5},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        }
        if (limit := memory.get(bundle.node)) is not None:
            container["resources"] = {"limits": {"memory": str(int(limit))}}
        pod = {
            "nodeSelector": {"tiercut/stage": name},
            "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER},
            "automountServiceAccountToken": False,
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }
        documents.append(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "labels": labels},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            }
        )
        documents.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "labels": labels},
                "spec": {"selector": labels, "ports": [{"name": "grpc", "port": PORT, "targetPort": PORT}]},
            }
        )
    where = "\n".join(f"  kubectl label node MACHINE tiercut/stage={stage_name(each)}" for each in bundles)
    return yaml_text(
        documents,
        f"An agent for each partition. Say which machine is which node:\n{where}\n"
        f"Then: kubectl apply -f kubernetes.yaml; kubectl port-forward service/{stage_name(bundles[0])} {PORT}:{PORT}",
    )
