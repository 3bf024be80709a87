"""The dashboard of Grafana, laid out."""

from collections.abc import Iterator
from typing import Any

from tests.monitoring.panels import ROWS, WIDE, Panel


def document() -> dict[str, Any]:
    """As Grafana imports it; it asks for the data source."""
    return {
        "title": "Simli gateway",
        "uid": "simli-gateway",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "tags": ["simli", "voice"],
        "templating": {"list": [_SOURCE, _AGENT]},
        "panels": list(_panels()),
    }


_SOURCE = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
_AGENT = {
    "name": "agent",
    "label": "Agent",
    "type": "query",
    "datasource": {"type": "prometheus", "uid": "$source"},
    "query": "label_values(gateway_requests_total, agent)",
    "includeAll": True,
    "allValue": ".*",
    "multi": True,
    "current": {"text": "All", "value": "$__all"},
    "refresh": 2,
}


def _panels() -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for title, panels in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _at(0, y, WIDE, 1),
        }
        y += 1
        x, height = 0, 0
        for panel in panels:
            if x + panel.width > WIDE:
                x, y = 0, y + height
            height = 4 if panel.kind == "stat" else 8
            number += 1
            yield _panel(panel, number, _at(x, y, panel.width, height))
            x += panel.width
        y += height


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "$source"}
    form = "heatmap" if panel.kind == "heatmap" else "time_series"
    targets = [
        {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend, "format": form, "datasource": source}
        for at, (expression, legend) in enumerate(panel.queries)
    ]
    made = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "gridPos": place,
        "datasource": source,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {},
    }
    if panel.kind == "heatmap":
        made["options"] = {"calculate": False, "yAxis": {"unit": panel.unit}}
    return made
