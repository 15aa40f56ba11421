from __future__ import annotations

import ssl
import subprocess
from functools import partial
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.load.target_model import with_model
from harness.measure.record import Outcome
from harness.scenario.model import Target
from tests.harness.load import engines
from tests.harness.load.engines import plan_at
from tests.harness.load.grpc_servers import MODEL, grpc_server
from tests.harness.load.servers import Server, good, slow_stream
from tests.harness.load.test_grpc_client import Prompt, Tool

bench = partial(engines.bench, native=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key, in one PEM file."""
    folder = tmp_path_factory.mktemp("tls")
    what = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(["openssl", *what.split(), *files], check=True, capture_output=True)
    pem = folder / "both.pem"
    pem.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return pem


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_trusted_certificate_lets_streams_through_and_connections_live(certificate: Path) -> None:
    with Server(slow_stream(0.02, 0.01, 5), tls=server_context(certificate)) as server:
        records = bench(server.url, plan_at(0.0, 0.3, 0.6), ca_file=certificate).run()
        assert server.connections == 1
    assert [record.outcome for record in records] == [Outcome.OK] * 3
    assert [record.chunks for record in records] == [5] * 3


def test_an_untrusted_certificate_is_a_refusal_that_names_its_reason(certificate: Path) -> None:
    with Server(good, tls=server_context(certificate)) as server:
        [record] = bench(server.url, plan_at(0.0)).run()
        assert not server.asked
    assert record.outcome is Outcome.REFUSED
    assert record.error_type == "tls: CERTIFICATE_VERIFY_FAILED"


def test_verification_can_be_switched_off(certificate: Path) -> None:
    with Server(good, tls=server_context(certificate)) as server:
        [record] = bench(server.url, plan_at(0.0), verify_tls=False).run()
    assert record.outcome is Outcome.OK


def test_a_server_that_never_answers_the_handshake_is_a_connect_timeout() -> None:
    with Server(good) as server:
        [record] = bench(server.url.replace("http:", "https:"), plan_at(0.0), connect_timeout=0.3).run()
    assert (record.outcome, record.error_type) == (Outcome.TIMEOUT, "connect timeout")


def test_the_bearer_token_comes_from_the_environment_and_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_TEST_KEY", "s3cret")
    with Server(good) as server:
        [record] = bench(server.url, plan_at(0.0), api_key_env="TIDEGATE_TEST_KEY").run()
        assert "Authorization: Bearer s3cret\r\n" in server.asked[0].head
    assert "s3cret" not in repr(record)


@pytest.mark.parametrize("key", ["", "s3cret\n"])
def test_an_unusable_token_is_a_usage_error_that_names_the_variable_only(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("TIDEGATE_TEST_KEY", key)
    with pytest.raises(UsageError, match="TIDEGATE_TEST_KEY") as refused:
        bench("http://127.0.0.1:1", plan_at(0.0), api_key_env="TIDEGATE_TEST_KEY")
    assert "s3cret" not in str(refused.value)


def test_grpc_goes_over_tls_where_the_url_says_so(certificate: Path, tmp_path: Path) -> None:
    with grpc_server(tmp_path, certificate) as server:
        trusting = {"ca_file": certificate}
        [record] = Tool(server.url, Prompt("tokens 3"), **trusting).run()
        assert (record.outcome, record.output_tokens) == (Outcome.OK, 3)
        assert with_model(Target(url=server.url, **trusting)).model == MODEL
        [record] = Tool(server.url, Prompt("tokens 3")).run()
        assert record.outcome is Outcome.REFUSED
        assert (record.error_type or "").startswith("tls: CERTIFICATE_VERIFY_FAILED")
