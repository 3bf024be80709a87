"""What `promtool test rules` is given: series as they could have been, and which alerts must fire."""

from typing import Any

OK = 'gateway_requests_total{agent="nora",route="main",outcome="ok"}'
FAILED = 'gateway_requests_total{agent="nora",route="main",outcome="upstream_error"}'
GONE = 'gateway_requests_total{agent="nora",route="main",outcome="client_gone"}'
SHED = 'gateway_errors_total{outcome="refused",code="overloaded"}'
LEFT_OUT = 'gateway_breaker_state{target="main/m"}'
FIRST = "gen_ai_server_time_to_first_token_seconds"
GAP = "gateway_longest_gap_seconds"
NAMES = (
    "GatewayAnswersBurningFast",
    "GatewayFirstWordBurningFast",
    "GatewayStoreAway",
    "GatewayTargetLeftOut",
    "GatewayStumbling",
    "GatewayDown",
)


def _words(in_time: int, count: int) -> dict[str, str]:
    """First words a minute, and how many of them within a second."""
    return {
        f'{FIRST}_bucket{{agent="nora",route="main",le="1.0"}}': f"0+{in_time}x180",
        f'{FIRST}_count{{agent="nora",route="main"}}': f"0+{count}x180",
    }


def _gaps(short: int, count: int) -> dict[str, str]:
    """Answers a minute, and in how many of them the longest silence was under half a second, or under three."""
    buckets = {"0.5": short, "2.0": short, "3.0": count, "+Inf": count}
    series = {f'{GAP}_bucket{{agent="nora",le="{le}"}}': f"0+{found}x180" for le, found in buckets.items()}
    return series | {f'{GAP}_count{{agent="nora"}}': f"0+{count}x180"}


def _case(name: str, series: dict[str, str], *firing: str) -> dict[str, Any]:
    """Three hours of these; then exactly these alerts of NAMES fire."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertstate="firing",alertname="{each}"}}) or vector(0)',
                "eval_time": "2h30m",
                "exp_samples": [{"labels": "{}", "value": int(each in firing)}],
            }
            for each in NAMES
        ],
    }


def document() -> dict[str, Any]:
    """The whole of it."""
    good = {OK: "0+60x180", GONE: "0+20x180", **_words(60, 60)}
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            _case("nothing is wrong, and callers interrupt", good),
            _case("one turn in twenty fails", good | {FAILED: "0+4x180"}, "GatewayAnswersBurningFast"),
            _case("it failed, and is well again", good | {FAILED: "0+4x100 400x80"}),
            _case("a fifth is refused for want of room", good | {SHED: "0+15x180"}, "GatewayAnswersBurningFast"),
            _case("callers give up", good | {"gateway_abandoned_total": "0+4x180"}, "GatewayAnswersBurningFast"),
            _case("a handful of turns, all of them failed", {FAILED: "0+1x40 40x140"}),
            _case("most first words are late", good | _words(6, 60), "GatewayFirstWordBurningFast"),
            _case("the store is away", good | {"gateway_store_up": "0x180"}, "GatewayStoreAway"),
            _case(
                "a target is left out",
                good | {'gateway_breaker_state{target="main/m"}': "2x180"},
                "GatewayTargetLeftOut",
            ),
            _case("one answer in ten is silent for long", good | _gaps(54, 60), "GatewayStumbling"),
            _case("one answer in sixty is silent for long", good | _gaps(59, 60)),
            _case("it is gone", {'up{job="gateway",instance="a"}': "0x180"}, "GatewayDown"),
        ],
    }
