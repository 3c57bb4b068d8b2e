"""Dashboard and alerting rules use only metrics and labels that bot and workers serve."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from jobs.metrics.order_metrics import OrderMetrics
from jobs.queues.queues import Queues
from tests.integration.jobs.hand import ENGINE
from tests.integration.jobs.test_metrics import served_by_all

pytestmark = pytest.mark.local_sockets

DOCUMENTS = Path(__file__).parents[3] / "docs"
# What Prometheus adds to every number that it fetches.
ADDED = {"instance", "job"}
METRIC = re.compile(r"\b(animato_\w+|up)\b(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SHOWN = re.compile(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCUMENTS / "grafana-dashboard.json").read_text("utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DOCUMENTS / "alerts.yml").read_text("utf-8"))["groups"]
    return list(group["rules"])


def queries() -> Iterator[tuple[str, str]]:
    """Each expression, and the text that shows its labels."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for rule in rules():
        yield rule["expr"], rule["annotations"]["summary"]


@pytest.fixture
async def labels(valkey: str) -> AsyncIterator[dict[str, set[str]]]:
    """The labels of everything that is served, by the names of the numbers."""
    registry = CollectorRegistry()
    async with Queues(valkey, [ENGINE], metrics=OrderMetrics(registry)) as queues:
        yield {"up": set()} | {
            sample.name: set(sample.labels)
            for part in await served_by_all(queues, registry)
            for family in part.collect()
            for sample in family.samples
        }


async def test_queries_name_only_what_is_served(labels: dict[str, set[str]]) -> None:
    used = set()
    for expression, shown in queries():
        found = METRIC.findall(expression)
        assert found, expression
        known = ADDED.union(*(labels[name] for name, _ in found))
        for _, matchers in found:
            assert set(re.findall(r"(\w+)[=!]", matchers)) <= known, expression
        kept = known
        for grouped in GROUPED.findall(expression):
            kept = set(grouped.split(", "))
            assert kept <= known, expression
        assert set(SHOWN.findall(shown)) <= kept, shown
        used |= {name for name, _ in found}
    # Whatever is served is on the dashboard or in a rule; of a histogram, its buckets.
    served = {name for name in labels if not re.search(r"_(created|count|sum)$", name)}
    assert served == used


def test_dashboard_can_be_imported() -> None:
    found = dashboard()
    assert (found["uid"], found["title"], found["schemaVersion"]) == ("animato", "Animato", 39)
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    (variable,) = found["templating"]["list"]
    assert variable["type"] == "datasource"
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        area = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert columns.stop <= 24
        assert not area & taken, panel["title"]
        taken |= area


def test_owner_is_told_what_to_do_about_each_alert() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    told = re.findall(
        r"^\| `(Animato\w+)` \|", (DOCUMENTS / "operate.md").read_text("utf-8"), re.MULTILINE
    )
    assert told == names
