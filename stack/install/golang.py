"""Build a Go program from pinned sources, once; Go's checksum database stays in charge of what is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stack.install.cache import content_key, kept, locked
from stack.install.tools import run_tool, tool

_MODULES = Path(__file__).parent.parent / "go"
_TIMEOUT_SECONDS = 3600.0
_ENVIRONMENT = {
    "GOTOOLCHAIN": "local",  # no other toolchain is fetched behind our back
    "CGO_ENABLED": "0",
}


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A main package: ``package@version``, or a package built inside our own module ``stack/go/<module>``.

    ``variables`` are set by the linker, by their full name (``main.version``).
    """

    package: str
    module: str | None = None
    tags: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    def arguments(self, binaries: Path) -> list[str]:
        """Return what follows ``go``; the binary is named after the package's or the module's last part."""
        verb = ["build", "-o", f"{binaries}/"] if self.module else ["install"]
        values = "".join(f" -X {name}={value}" for name, value in self.variables)
        flags = ["-p", "1", "-trimpath", "-tags", ",".join(self.tags), "-ldflags", f"-s -w{values}"]
        return [*verb, *flags, self.package]

    def inputs(self) -> tuple[bytes, ...]:
        """Return everything of ours that decides what is built."""
        sources = sorted((_MODULES / self.module).glob("*")) if self.module else []
        return (" ".join(self.arguments(Path("bin"))).encode(), *(file.read_bytes() for file in sources))


def build_programs(name: str, version: str, programs: tuple[GoProgram, ...]) -> Path:
    """Return the folder with the programs' binaries, built at the first call, one after the other."""
    key = content_key(*(part for program in programs for part in program.inputs()))

    def build_all(folder: Path) -> None:
        go = tool("go", "install Go")
        with locked("go"):  # a build takes gigabytes: one at a time on a machine, whatever is built
            for program in programs:
                _build(go, program, folder)

    return kept(f"{name}-{version}-{key}", build_all)


def _build(go: str, program: GoProgram, binaries: Path) -> None:
    run_tool(
        [go, *program.arguments(binaries)],
        _TIMEOUT_SECONDS,
        cwd=_MODULES / program.module if program.module else binaries,
        environment={**_ENVIRONMENT, "GOBIN": str(binaries)},
    )
