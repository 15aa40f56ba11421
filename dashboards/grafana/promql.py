"""The few shapes that our queries have.

A run is chosen by joining on ``tidegate_run_info``, which alone has its id. ``and`` keeps those samples whose
worker, that is whose job and instance, takes part in a run that was chosen.
"""

from __future__ import annotations

CHOSEN = 'run=~"$run", scenario=~"$scenario", model=~"$model", version=~"$version"'
CHOSEN_RUN = f"tidegate_run_info{{{CHOSEN}}}"
CHOSEN_TARGET = 'instance=~"$target"'


def of_run(vector: str) -> str:
    """Keep what the workers of the chosen run tell."""
    return f"({vector} and on (job, instance) {CHOSEN_RUN})"


def rate(series: str, where: str = "") -> str:
    """Return the increase per second over the panel's own interval."""
    return f"rate({_selected(series, where)}[$__rate_interval])"


def run_rate(series: str, where: str = "", by: str = "") -> str:
    """Return the chosen run's rate over all workers, split ``by`` labels."""
    return f"{_sum(by)} {of_run(rate(series, where))}"


def run_level(series: str, where: str = "", by: str = "") -> str:
    """Return the chosen run's gauge or counter, added up over all workers."""
    return f"{_sum(by)} {of_run(_selected(series, where))}"


def run_quantile(q: float, family: str, where: str = "") -> str:
    """Return a quantile of the chosen run's histogram."""
    return f"histogram_quantile({q:g}, {run_rate(f'{family}_bucket', where, 'le')})"


def run_mean(family: str, where: str = "") -> str:
    """Return the mean of the chosen run's histogram."""
    return f"({run_rate(f'{family}_sum', where)} / {run_rate(f'{family}_count', where)})"


def run_limit(gauge: str, where: str = "", by: str = "") -> str:
    """Return a gauge that every worker of the chosen run tells alike."""
    of = f" by ({by})" if by else ""
    return f"max{of} {of_run(_selected(gauge, where))}"


def target_rate(series: str, where: str = "", by: str = "") -> str:
    """Return the chosen targets' rate, split ``by`` labels."""
    return f"{_sum(by)} ({rate(series, _and(CHOSEN_TARGET, where))})"


def target_level(gauge: str, where: str = "", by: str = "") -> str:
    """Return the chosen targets' gauge, added up."""
    return f"{_sum(by)} ({_selected(gauge, _and(CHOSEN_TARGET, where))})"


def target_quantile(q: float, family: str) -> str:
    """Return a quantile of the chosen targets' histogram."""
    return f"histogram_quantile({q:g}, {target_rate(f'{family}_bucket', by='le')})"


def target_mean(family: str) -> str:
    """Return the mean of the chosen targets' histogram."""
    return f"({target_rate(f'{family}_sum')} / {target_rate(f'{family}_count')})"


def at_least(bound: float, expression: str) -> str:
    """Cut off what a difference of two measurements can be below the bound by."""
    return f"clamp_min({expression}, {bound:g})"


def _selected(series: str, where: str) -> str:
    return f"{series}{{{where}}}" if where else series


def _and(*matchers: str) -> str:
    return ", ".join(filter(None, matchers))


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"
