"""What Prometheus and Grafana are given, made of code: `python -m tests.monitoring` writes it into `deploy/`.

So that a metric's name stands in one place, and a test can hold every expression against what `/metrics` serves.
"""

from collections.abc import Mapping

import orjson
import yaml

from tests.monitoring import alerts, dashboard, proofs, runbook

HEAD = "# Made by `python -m tests.monitoring`. Change it there.\n"


def files() -> Mapping[str, str]:
    """Every file, by its path below the root."""
    return {
        "deploy/prometheus/rules.yml": _yaml({"groups": alerts.groups()}),
        "deploy/kubernetes/monitoring/rules.yaml": _yaml(OPERATED),
        "deploy/prometheus/rules.test.yml": _yaml(proofs.document()),
        "deploy/prometheus/prometheus.yml": _yaml(scraped("127.0.0.1:8000")),
        "deploy/prometheus/compose.yml": _yaml(scraped("gateway:8000")),
        "deploy/runbook.md": runbook.document(),
        "deploy/grafana/gateway.json": orjson.dumps(dashboard.document(), option=orjson.OPT_INDENT_2).decode() + "\n",
    }


def scraped(address: str) -> Mapping[str, object]:
    """What a Prometheus is told that asks this gateway. `gateway.key` beside it holds a key of scope `metrics`."""
    job = {
        "job_name": "gateway",
        "static_configs": [{"targets": [address]}],
        "authorization": {"credentials_file": "gateway.key"},
    }
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [job],
    }


OPERATED = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    "metadata": {"name": "simli-gateway"},
    "spec": {"groups": alerts.groups()},
}
"""The rules as the Prometheus Operator takes them."""


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=1000, allow_unicode=True)
    return HEAD + text
