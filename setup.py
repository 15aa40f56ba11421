"""The part of the build that pyproject.toml cannot say: the C libraries beside the Python modules."""

from __future__ import annotations

from pathlib import Path

from core_library import LIBRARIES, Library, compile_library, headers, units  # the build backend lies there
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

_ROOT = Path(__file__).parent


class BuildLibraries(build_ext):
    """Build libraries for ctypes: no interpreter's name in the files' names."""

    def get_ext_filename(self, fullname: str) -> str:
        """Return the path of the library in the package."""
        return str(Path(*fullname.split(".")).with_suffix(".so"))

    def build_extension(self, ext: Extension) -> None:
        """Compile the library to where setuptools expects it."""
        compile_library(_ROOT, LIBRARIES[ext.name], Path(self.get_ext_fullpath(ext.name)))


class TagWheel(bdist_wheel):
    """Tag the wheel for every Python of the platform: the libraries know none."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return the wheel's tags."""
        return "py3", "none", super().get_tag()[2]


def _extension(name: str, library: Library) -> Extension:
    sources = [str(path.relative_to(_ROOT)) for path in units(_ROOT, library)]
    return Extension(
        name, sources, depends=[str(path.relative_to(_ROOT)) for path in headers(_ROOT, library)]
    )


setup(
    ext_modules=[_extension(name, library) for name, library in LIBRARIES.items()],
    cmdclass={"build_ext": BuildLibraries, "bdist_wheel": TagWheel},
)
