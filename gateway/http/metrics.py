"""`/metrics`: figures of the running process, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.answers import headers_of
from gateway.http.body import Refused
from gateway.http.callers import Door
from gateway.telemetry import Figure

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Figures(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = list(figures)

    def collect(self) -> Iterable[Metric]:
        """Read every figure, those of one name together."""
        families: dict[str, Metric] = {}
        for figure in self._figures:
            family = families.get(figure.name)
            if family is None:
                make = CounterMetricFamily if figure.counts else GaugeMetricFamily
                family = families[figure.name] = make(figure.name, figure.description, labels=list(figure.labels))
            family.add_metric(list(figure.labels.values()), figure.read())  # type: ignore[attr-defined]
        return families.values()


def routes(figures: Iterable[Figure], door: Door) -> list[Route]:
    """Make the address; who may ask the graph for everything may ask for the figures."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures))

    async def metrics(request: Request) -> Response:
        try:
            if not door.principal(request.scope.get("client"), headers_of(request.scope)).is_everyone:
                raise Refused(403, "The figures are for those who may read everything.")
        except Refused as refused:
            return Response(refused.message, refused.status, refused.headers)
        return Response(generate_latest(registry), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPE)

    return [Route("/metrics", metrics)]
