import json
import urllib.request

from tests.stack.conftest import Server


def test_what_was_acknowledged_is_there_after_a_kill_and_a_start(elasticsearch: Server):
    stored = ask(elasticsearch, "PUT", "/kept/_doc/1", {"text": "written before the kill"})
    elasticsearch.kill()
    elasticsearch.start()

    found = ask(elasticsearch, "GET", "/kept/_doc/1")

    assert stored["result"] == "created"
    assert found["_source"] == {"text": "written before the kill"}


def test_a_stopped_server_refuses_and_answers_at_the_same_url_when_started_again(elasticsearch: Server):
    elasticsearch.stop()
    refused = not answers(elasticsearch)
    elasticsearch.start()

    assert refused
    assert answers(elasticsearch)


def ask(server: Server, method: str, path: str, body: object = None) -> dict:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(
        server.url + path, data, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def answers(server: Server) -> bool:
    try:
        return ask(server, "GET", "/_cluster/health")["status"] in ("green", "yellow")
    except OSError:
        return False
