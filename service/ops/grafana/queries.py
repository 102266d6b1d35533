"""The queries that the panels share."""

# The routes that answer texts; GET / is counted under `page`.
TEXTS = 'route=~"/v1/classify|/predict|/"'


def rate(series: str, more: str = "", by: str = "") -> str:
    """The rate of a series of this job, summed up."""
    selector = f'job="$job"{", " + more if more else ""}'
    how = f"sum by ({by})" if by else "sum"
    return f"{how} (rate({series}{{{selector}}}[$__rate_interval]))"


def quantiles(histogram: str, *which: float) -> dict[str, str]:
    """The quantiles of a histogram of this job."""
    buckets = rate(f"danshi_{histogram}_bucket", by="le")
    return {f"histogram_quantile({q}, {buckets})": f"p{100 * q:g}" for q in which}


def mean(histogram: str, by: str = "") -> str:
    """The mean of a histogram of this job."""
    count = rate(f"danshi_{histogram}_count", by=by)
    return f"{rate(f'danshi_{histogram}_sum', by=by)} / {count}"


def increase(histogram: str, more: str = "") -> str:
    """How much each bucket of a histogram of this job grew, for `spread`."""
    selector = f'job="$job"{", " + more if more else ""}'
    return f"sum by (le) (increase(danshi_{histogram}_bucket{{{selector}}}[$__rate_interval]))"
