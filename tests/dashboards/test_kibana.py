import json
import re

import pytest

from dashboards.errors import ProvisionError
from dashboards.kibana.importing import import_objects
from dashboards.kibana.links import DISCOVER_RUN_IN_GRAFANA, discover_run, discover_trace
from dashboards.kibana.objects import ndjson, saved_objects
from dashboards.kibana.searches import ERRORS, SLOWEST
from tests.dashboards.standin import Call, StandIn, stand_in

KIBANA = "http://127.0.0.1:5601/"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_everything_that_is_referred_to_is_in_the_file():
    objects = saved_objects()
    ids = {(each.type, each.id) for each in objects}
    assert len(ids) == len(objects) == 11
    for each in objects:
        assert {(kind, key) for _, kind, key in each.references} <= ids


def test_each_line_is_one_object_with_its_references():
    lines = [json.loads(line) for line in ndjson().splitlines()]
    assert [line["type"] for line in lines[:3]] == ["index-pattern"] * 3
    (board,) = (line for line in lines if line["type"] == "dashboard")
    panels = json.loads(board["attributes"]["panelsJSON"])
    named = {reference["name"] for reference in board["references"]}
    assert {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels} == named


def test_the_panels_of_the_dashboard_do_not_overlap():
    (board,) = (each for each in saved_objects() if each.type == "dashboard")
    places = [panel["gridData"] for panel in json.loads(board.attributes["panelsJSON"])]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 47


def test_a_search_says_the_same_to_kibana_and_to_elasticsearch():
    source = json.loads(ERRORS.saved().attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["query"] == {
        "language": "kuery",
        "query": 'event.outcome: "failure" and tidegate.outcome: * and not tidegate.outcome: "rejected"',
    }
    assert ERRORS.to_request()["query"]["bool"] == {
        "filter": [{"term": {"event.outcome": "failure"}}, {"exists": {"field": "tidegate.outcome"}}],
        "must_not": [{"term": {"tidegate.outcome": "rejected"}}],
    }
    assert SLOWEST.to_request()["sort"] == [{"tidegate.e2e_ms": "desc"}]


def test_a_trace_and_a_run_have_addresses_in_discover():
    assert discover_trace(KIBANA, TRACE) == (
        "http://127.0.0.1:5601/app/discover#/?_g=(time:(from:now-30d,to:now))"
        "&_a=(dataSource:(dataViewId:tidegate-logs,type:dataView),"
        f"query:(language:kuery,query:'trace.id:%22{TRACE}%22'),sort:!(!('@timestamp',asc)))"
    )
    run = discover_run(KIBANA, "sale-1", "2026-11-24T12:00:00Z", "2026-11-24T12:05:00Z")
    assert "time:(from:'2026-11-24T12:00:00Z',to:'2026-11-24T12:05:00Z')" in run
    assert "query:'labels.run_id:%22sale-1%22'" in run


def test_a_name_cannot_break_out_of_the_address():
    url = discover_run(KIBANA, "it's!(a&b#c)")
    query = re.search(r"query:'(.*?)'\),sort", url)
    assert query is not None
    assert query[1] == "labels.run_id:%22it%21%27s%21%21%28a%26b%23c%29%22"


def test_grafanas_link_carries_its_variables_unescaped():
    for variable in ("${kibana}/app/discover", "%22${run}%22", "'${__from:date:iso}'", "'${__to:date:iso}'"):
        assert variable in DISCOVER_RUN_IN_GRAFANA


def imported(answer: dict, status: int = 200) -> StandIn:
    with stand_in(lambda _call: (status, answer)) as kibana:
        import_objects(kibana.url, ndjson(), {"Authorization": "ApiKey k"})
    return kibana


def test_an_import_is_one_form_with_the_file():
    (call,) = imported({"success": True, "successCount": 11}).calls
    assert (call.method, call.path) == ("POST", "/api/saved_objects/_import")
    assert call.query == {"overwrite": ["true"]}
    assert call.headers["kbn-xsrf"]
    assert call.headers["authorization"] == "ApiKey k"
    assert file_in(call) == ndjson()


def file_in(call: Call) -> str:
    boundary = call.headers["content-type"].split("boundary=")[1].encode()
    _, part, end = call.body.split(b"--" + boundary)
    head, _, content = part.partition(b"\r\n\r\n")
    assert b'name="file"' in head
    assert end == b"--\r\n"
    return content.removesuffix(b"\r\n").decode()


def test_a_200_that_holds_failures_is_a_failure():
    error = {"id": "tidegate-errors", "type": "search", "error": {"type": "missing_references"}}
    answer = {"success": False, "successCount": 10, "errors": [error]}
    with pytest.raises(ProvisionError, match="10 of 11: search tidegate-errors: missing_references"):
        imported(answer)


def test_fewer_than_were_sent_are_a_failure_even_without_an_error():
    with pytest.raises(ProvisionError, match="9 of 11"):
        imported({"success": True, "successCount": 9})


def test_a_refusal_is_told_with_kibanas_words():
    with pytest.raises(ProvisionError, match=r"Kibana answered 401: .*no entry"):
        imported({"message": "no entry"}, 401)
