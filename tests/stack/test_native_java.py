from pathlib import Path

import pytest

from stack.errors import NotObtainableError
from stack.native import java
from stack.native.java import feature_version, find_java


def a_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("")
    (home / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Java is told of, none is on PATH; the returned folder stands for the system's."""
    for name in ("ES_JAVA_HOME", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(java, "_INSTALLED", tmp_path / "jvm")
    return tmp_path / "jvm"


@pytest.mark.parametrize(
    ("told", "feature"), [("25.0.3", 25), ("21", 21), ("17.0.15", 17), ("1.8.0_402", 8), ("nonsense", None)]
)
def test_the_feature_version_is_read_from_the_release_file(tmp_path: Path, told: str, feature: int | None):
    assert feature_version(a_java(tmp_path / "jdk", told)) == feature


def test_a_folder_without_a_java_program_is_none(tmp_path: Path):
    (tmp_path / "release").write_text('JAVA_VERSION="25"\n')
    assert feature_version(tmp_path) is None


def test_the_newest_installed_one_that_is_new_enough_is_taken(installed: Path):
    a_java(installed / "jdk-17", "17.0.15")
    a_java(installed / "jdk-21", "21.0.2")
    newest = a_java(installed / "jdk-25", "25.0.3")

    assert find_java(21) == newest


def test_a_told_one_comes_before_the_installed_ones_unless_it_is_too_old(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    newest = a_java(installed / "jdk-25", "25.0.3")
    monkeypatch.setenv("ES_JAVA_HOME", str(a_java(tmp_path / "told", "21.0.2")))
    assert find_java(21) == tmp_path / "told"
    assert find_java(22) == newest


def test_java_on_the_path_is_found_through_its_links(tmp_path: Path):
    home = a_java(tmp_path / "somewhere" / "jdk", "21.0.2")
    (tmp_path / "bin").mkdir()
    (home / "bin" / "java").chmod(0o755)
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")

    assert find_java(21) == home


def test_without_one_the_sentence_says_what_was_found_and_what_to_do(installed: Path):
    a_java(installed / "jdk-17", "17.0.15")

    with pytest.raises(NotObtainableError) as error:
        find_java(21)

    assert str(error.value).startswith("Java 21 or later is needed (found: 17 in ")
    assert "set ES_JAVA_HOME" in str(error.value)
