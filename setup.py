"""The part of the build that pyproject.toml cannot say: the C library beside the Python modules."""

from __future__ import annotations

from pathlib import Path

from core_library import compile_core, sources  # on the path because the build backend lies there
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

_ROOT = Path(__file__).parent


class BuildCore(build_ext):
    """Build a library for ctypes: no interpreter's name in the file's name."""

    def get_ext_filename(self, fullname: str) -> str:
        """Return the path of the library in the package."""
        return str(Path(*fullname.split(".")).with_suffix(".so"))

    def build_extension(self, ext: Extension) -> None:
        """Compile the library to where setuptools expects it."""
        compile_core(_ROOT, Path(self.get_ext_fullpath(ext.name)))


class TagWheel(bdist_wheel):
    """Tag the wheel for every Python of the platform: the library knows none."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return the wheel's tags."""
        return "py3", "none", super().get_tag()[2]


_FILES = [str(path.relative_to(_ROOT)) for path in sources(_ROOT)]

setup(
    ext_modules=[
        Extension(
            "harness.core._core",
            [name for name in _FILES if name.endswith(".c")],
            depends=[name for name in _FILES if name.endswith(".h")],
        )
    ],
    cmdclass={"build_ext": BuildCore, "bdist_wheel": TagWheel},
)
