"""The kinds of panel that the dashboard is made of. Uses Grafana's Foundation SDK, as `dev` has it.

Each function takes what the panel asks Prometheus (expression → legend) and the question that the
panel answers, which is shown where the pointer rests on its title.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel: TypeAlias = Builder[model.Panel]
# What a row of the dashboard is called, and its panels.
Row: TypeAlias = tuple[str, list[Panel]]
Queries: TypeAlias = Mapping[str, str]
Steps: TypeAlias = Sequence[tuple[float | None, str]]

SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="prometheus")
GREEN, AMBER, RED, BLUE, GREY = "green", "orange", "red", "blue", "#8e8e8e"
COLOURS = {"positive": GREEN, "negative": RED, "mixed": AMBER, "neutral": GREY}


def _target(expr: str, legend: str, letter: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + letter))
        .datasource(SOURCE)
        .expr(expr)
        .legend_format(legend)
    )


def _targets(queries: Queries) -> list[Builder[Dataquery]]:
    return [_target(expr, legend, i).range() for i, (expr, legend) in enumerate(queries.items())]


def _instant(
    queries: Queries, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> list[Builder[Dataquery]]:
    return [
        _target(expr, legend, i).instant().format(form)
        for i, (expr, legend) in enumerate(queries.items())
    ]


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Colours by value; the first step begins at minus infinity."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value, colour) for value, colour in steps])
    )


def _unknown(text: str) -> list[model.ValueMapping]:
    """Show NaN and null, which no threshold colours, as `text`."""
    result = model.ValueMappingResult(text=text, color=GREY)
    options = model.DashboardSpecialValueMapOptions(
        match=model.SpecialValueMatch.NULL_AND_NAN, result=result
    )
    return [model.SpecialValueMap(options)]


def number(
    title: str,
    question: str,
    queries: Queries,
    *,
    width: int,
    unit: str = "short",
    steps: Steps = ((None, BLUE),),
    decimals: int | None = None,
    names: bool = False,
    unknown: str = "no data yet",
) -> Panel:
    """A large figure, coloured by `steps`; `names` shows the legend in its place."""
    panel = (
        stat.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .height(4)
        .span(width)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_mode(kinds.BigValueColorMode.BACKGROUND)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .mappings(_unknown(unknown))
        .reduce_options(common.ReduceDataOptions().calcs(["last"]))
        .targets(_instant(queries))
    )
    if names:
        panel = panel.text_mode(kinds.BigValueTextMode.NAME)
    return panel if decimals is None else panel.decimals(decimals)


def graph(
    title: str,
    question: str,
    queries: Queries,
    *,
    width: int,
    unit: str = "short",
    stack: bool = False,
    percent: bool = False,
    lines: Steps = (),
    top: float | None = None,
    bottom: float | None = 0,
) -> Panel:
    """Lines over time; `stack` piles them up, `percent` to a whole; `lines` are limits to see."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .height(8)
        .span(width)
        .unit(unit)
        .line_width(1)
        .fill_opacity(40 if stack or percent else 8)
        .show_points(kinds.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(kinds.TooltipDisplayMode.MULTI)
            .sort(kinds.SortOrder.DESCENDING)
        )
        .targets(_targets(queries))
    )
    if bottom is not None:
        panel = panel.min(bottom)
    if top is not None:
        panel = panel.max(top)
    if stack or percent:
        mode = kinds.StackingMode.PERCENT if percent else kinds.StackingMode.NORMAL
        panel = panel.stacking(common.StackingConfig().mode(mode))
    if lines:
        panel = panel.thresholds(thresholds(lines)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        )
    for label, colour in COLOURS.items():
        panel = panel.override_by_regexp(
            f"/^{label}\\b/",
            [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})],
        )
    return panel


def spread(title: str, question: str, bucket: str, *, width: int, unit: str = "short") -> Panel:
    """How the values of a histogram spread, over time; `bucket` is its sum by (le)."""
    target = _target(bucket, "{{le}}", 0).range().format(PromQueryFormat.HEATMAP)
    return (
        heatmap.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .height(8)
        .span(width)
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(heatmap.HeatmapColorOptions().scheme("Blues").steps(32))
        .targets([target])
    )


def bars(
    title: str, question: str, queries: Queries, *, width: int, unit: str = "percentunit"
) -> Panel:
    """One bar a series, as it is now."""
    return (
        bargauge.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .height(8)
        .span(width)
        .unit(unit)
        .min(0)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .thresholds(thresholds(((None, BLUE),)))
        .mappings(_unknown("unknown"))
        .reduce_options(common.ReduceDataOptions().calcs(["last"]))
        .targets(_instant(queries))
    )


def listing(
    title: str, question: str, queries: Queries, *, width: int, hidden: Sequence[str] = ()
) -> Panel:
    """A table of the series' labels, as they are now; without the columns `hidden`."""
    exclude = dict.fromkeys(hidden, True)
    return (
        table.Panel()
        .title(title)
        .description(question)
        .datasource(SOURCE)
        .height(8)
        .span(width)
        .targets(_instant(queries, PromQueryFormat.TABLE))
        .with_transformation(
            model.DataTransformerConfig(id_val="organize", options={"excludeByName": exclude})
        )
    )
