from collections.abc import Iterator

import pytest
import yaml

from dashboards.errors import ProvisionError
from dashboards.expressions import boards, rules
from dashboards.generated import RULES, SOURCES
from dashboards.grafana.uids import JAEGER_UID, PROMETHEUS_UID
from dashboards.provision.alerts import alert_rules
from dashboards.provision.annotations import annotate, run_marks
from dashboards.provision.client import holds
from dashboards.provision.grafana import Provisioner
from dashboards.provision.sources import Places, data_sources
from stack.render import render
from tests.dashboards.grafana_standin import Grafana
from tests.dashboards.standin import StandIn, stand_in

ADMIN = ("admin", "secret")
PLACES = Places("http://prometheus:9090", "http://jaeger:16686", "http://elasticsearch:9200")


@pytest.fixture
def grafana() -> Grafana:
    return Grafana()


@pytest.fixture
def server(grafana: Grafana) -> Iterator[StandIn]:
    with stand_in(grafana.answer) as seen:
        yield seen


def test_an_empty_grafana_gets_everything(grafana: Grafana, server: StandIn):
    done = Provisioner(server.url, ADMIN).provision(PLACES)
    assert grafana.folders["tidegate"]["title"] == "tidegate"
    assert set(grafana.sources) == {PROMETHEUS_UID, JAEGER_UID, "tidegate-elasticsearch"}
    assert set(grafana.dashboards) == set(boards())
    assert {rule["title"] for rule in grafana.rules.values()} == {
        rule["alert"] for rule in rules(RULES / "run_alerts.yaml")
    }
    assert [account["role"] for account in grafana.accounts] == ["Editor"]
    assert done.token == "glsa_of_1"
    assert (len(done.created), done.changed, done.unchanged) == (1 + 3 + 6 + 3 + 1, [], [])


def test_a_second_call_changes_nothing(server: StandIn):
    Provisioner(server.url, ADMIN).provision(PLACES)
    server.calls.clear()
    done = Provisioner(server.url, ADMIN).provision(PLACES)
    assert server.writes == []
    assert (done.created, done.changed, done.token) == ([], [], None)
    assert len(done.unchanged) == 14


def test_what_somebody_changed_is_brought_back_and_nothing_else(grafana: Grafana, server: StandIn):
    Provisioner(server.url, ADMIN).provision(PLACES)
    server.calls.clear()
    grafana.sources[PROMETHEUS_UID]["url"] = "http://elsewhere"
    grafana.dashboards["tidegate-run"]["panels"][1]["title"] = "Mine"
    grafana.rules["tidegate-tidegaterunspoiled"]["for"] = "1h"
    done = Provisioner(server.url, ADMIN).provision(PLACES)
    assert [(call.method, call.path) for call in server.writes] == [
        ("PUT", f"/api/datasources/uid/{PROMETHEUS_UID}"),
        ("POST", "/api/dashboards/db"),
        ("PUT", "/api/v1/provisioning/alert-rules/tidegate-tidegaterunspoiled"),
    ]
    assert len(done.changed) == 3
    assert grafana.sources[PROMETHEUS_UID]["url"] == PLACES.prometheus


def test_a_dashboard_goes_into_the_folder_and_may_replace_its_older_self(server: StandIn):
    Provisioner(server.url, ADMIN).provision(PLACES)
    saved = [call.body for call in server.writes if call.path == "/api/dashboards/db"]
    assert {body["folderUid"] for body in saved} == {"tidegate"}
    assert all(body["overwrite"] for body in saved)


def test_alert_rules_stay_editable_in_grafanas_page(server: StandIn):
    Provisioner(server.url, ADMIN).provision(PLACES)
    made = [call for call in server.writes if call.path.endswith("/alert-rules")]
    assert {call.headers["x-disable-provenance"] for call in made} == {"true"}


def test_an_alert_whose_value_is_zero_fires_in_grafana_too():
    (spoiled,) = (rule for rule in alert_rules() if rule["title"] == "TidegateRunSpoiled")
    query, condition = spoiled["data"]
    assert query["model"]["expr"] == "(tidegate:valid:bool == 0) * 0 + 1"
    assert condition["model"]["conditions"] == [{"evaluator": {"type": "gt", "params": [0]}}]
    assert spoiled["condition"] == condition["refId"]


def test_a_grafana_that_refuses_is_told_in_a_sentence(grafana: Grafana, server: StandIn):
    with (
        stand_in(lambda _: (403, {"message": "no permission"})) as strict,
        pytest.raises(ProvisionError) as told,
    ):
        Provisioner(strict.url, "token").provision(PLACES)
    assert str(told.value).startswith("Grafana at 127.0.0.1: ")
    assert "no permission" in str(told.value)


def test_a_grafana_that_is_not_there_is_told_in_a_sentence():
    with pytest.raises(ProvisionError, match=r"Grafana at 127\.0\.0\.1"):
        Provisioner("http://127.0.0.1:1", ADMIN).provision(PLACES)


def test_an_exemplar_leads_to_jaeger_and_a_span_to_the_logs():
    prometheus, jaeger, _ = data_sources(PLACES)
    (destination,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert (destination["name"], destination["datasourceUid"]) == ("trace_id", JAEGER_UID)
    assert jaeger["jsonData"]["tracesToLogsV2"]["query"] == 'trace.id:"${__span.traceId}"'


def test_a_component_that_does_not_run_has_no_data_source():
    assert [source["uid"] for source in data_sources(Places(prometheus="http://p"))] == [PROMETHEUS_UID]


def test_the_file_tells_grafana_the_same_as_the_api():
    urls = {
        "prometheus": "http://p",
        "jaeger": "http://j",
        "elasticsearch": "http://e",
        "alertmanager": "http://a",
    }
    text = render(str(SOURCES.relative_to(SOURCES.parents[3])), urls)
    read = yaml.safe_load(text.replace("$$", "$"))  # as Grafana does
    assert read["datasources"] == data_sources(Places(**urls))


def test_stages_are_marked_once_where_they_begin(grafana: Grafana, server: StandIn):
    marks = run_marks("sale-1", "PASS", 1000.0, [("before", 0.0), ("opening", 30.0)], 92.5)
    assert annotate(server.url, ADMIN, "sale-1", marks) == 3
    assert annotate(server.url, ADMIN, "sale-1", marks) == 0
    told = [(a["text"], a["time"], a["timeEnd"], a["tags"]) for a in grafana.annotations]
    tags = ["tidegate", "run:sale-1"]
    assert told == [
        ("sale-1: PASS", 1_000_000, 1_092_500, tags),
        ("sale-1: before", 1_000_000, None, tags),
        ("sale-1: opening", 1_030_000, None, tags),
    ]


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        ({"a": 1, "id": 7}, {"a": 1}, True),
        ({"a": {"b": [1, {"c": 2, "d": 3}]}}, {"a": {"b": [1, {"c": 2}]}}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": "ab"}, {"a": "ac"}, False),
        (None, {"a": 1}, False),
        ({"a": 1}, {"b": None}, True),  # absent and null are the same to Grafana
    ],
)
def test_what_a_server_adds_by_itself_is_no_difference(there, wanted, same: bool):
    assert holds(there, wanted) is same
