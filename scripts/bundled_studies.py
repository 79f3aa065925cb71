"""Runs all bundled studies on the bundled prices, and writes what they found to docs/findings.md.

    python scripts/bundled_studies.py                 # all, ten minutes
    python scripts/bundled_studies.py four_tokens     # prints one, and writes nothing

A study is run by its driver, as ``quantsim run`` does. Its comment's first line is its question.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "findings.md"

FOLDS: dict[str, dict[str, float]] = {
    "walk_forward_momentum": {"train_days": 150, "validation_days": 45, "test_days": 60},
}
"""Studies for ``quantsim walk-forward``, with its options."""

REFERENCES = {
    **dict.fromkeys(
        (
            "difference_momentum",
            "ensemble",
            "four_tokens",
            "hourly_decisions",
            "mean_reversion_channel",
            "power_channel",
        ),
        "momentum_fees",
    ),
    **dict.fromkeys(("anti_momentum", "searched_fee", "min_variance"), "momentum_fees"),
    "batch_auctions": "constant_weights",
    "momentum_zero_fee": "momentum_fees",
    "pool_of_pools": "four_tokens",
    "triple_threat": "mean_reversion_channel",
}
"""Study → the study whose result it is compared with, on the same days."""

VERDICTS = {
    "noise": "not distinguishable from noise",
    "another": "not distinguishable from noise, other trials are",
    "skill": "significant",
    "contradicted": "contradicted out of sample",
    "undecided": "no judgement possible",
    "folds": "not distinguishable from constant weights",
    "ahead": "ahead of constant weights",
    "behind": "behind constant weights",
}

HEAD = """# What the bundled studies found

Each [bundled study](studies.md) asks a question, and answers it on the bundled prices: half-hourly bars from October 2017 to
October 2019. A study trains from April to December 2018, when prices fell, selects on the first quarter of 2019, and tests on
the half year after it, when prices rose. `quantsim run NAME` repeats a study, and `quantsim validate` its judgement.
`python scripts/bundled_studies.py` makes this page.

{summary}

A study without a significant result is no failure: on 182 days of test data the intervals are wide, and a small edge cannot be
told from luck. `hodl` and constant weights are baselines of every study. The rules `index_market_cap`,
`index_supply` and `given_weights` need a series, which is not bundled, so they have no study.

"""

TABLE = """| study | return on test data | HODL | ahead of constant weights | judgement |
|---|---|---|---|---|
"""

READING = """
"Ahead of constant weights" compares the selected set with the same pool with constant weights and the study's own fee, at the
end of the {days} days of test data (of all folds for a walk-forward), with the 90 % interval of a paired bootstrap. The studies
share these days, so their results are not independent, and about one interval in ten misses the true value. The judgement is
that of [`quantsim validate`](validation.md), which corrects for the number of trials of one study, but not for the number of
studies. It is about these prices, and says nothing about other years. HODL holds what a pool starts with; `min_variance` starts
at its first target, which explains its gain over equal weights. The sections
compare some studies in pairs, without a correction for the number of pairs. `four_tokens` holds other tokens than
`momentum_fees`, so most of that difference is due to the tokens.

Weights move in steps of half an hour here, which costs the pools of rules more than on the chain, and constant weights nothing
([prices](prices.md#the-length-of-a-bar)). With the parameters of the study that is 7 % of the value on the test days for
`momentum_fees`, and 38 % for `triple_threat`; the search has found sets that trade less.

`constant_weights` and `batch_auctions` forecast nothing: their only parameter is the fee. If only arbitrageurs trade, a pool of
constant weights loses less to them the higher its fee is, and HODL remains ahead on these test days. The pool that trades in
batches is best with the lowest fee.

`elastic_volume` has a significant result by construction: the volume of its noise traders is that of a [model](volume.md), the
same on all days, so the gain of the right fee over its starting fee of 1 % is certain if the model is right. The study shows
where that fee is. It does not show that the model is right.
"""


@dataclass(frozen=True)
class Finding:
    """What a study found; returns as fractions.

    Attributes:
        name: name of the study.
        question: the question that it asks.
        command: the command that repeats it.
        test: return of the selected set on test data; None for walk-forward.
        hodl: return of HODL on the same days; None for walk-forward.
        ahead: difference to constant weights, and its interval; None without one.
        days: number of days of test data.
        verdict: key of VERDICTS.
        text: the judgement.
        parameters: those of the selected set, in human units, as text.
        returns: daily log returns of the selected set on test data, (D-1,); empty for a walk-forward.
    """

    name: str
    question: str
    command: str
    test: float | None
    hodl: float | None
    ahead: tuple[float, float, float] | None
    days: int
    verdict: str
    text: str
    parameters: Mapping[str, str]
    returns: Sequence[float] = ()


def question_of(name: str) -> str:
    """Returns the first comment line of a study."""
    first = (ROOT / "studies" / f"{name}.toml").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ")


def run(name: str, store: Path) -> Finding:
    """Runs a study in a store of its own."""
    import quantsim
    from quantsim.config.driver_choice import driver_of
    from quantsim.report.hodl import hodl_returns
    from quantsim.search_space import load_search_space

    study, common = quantsim.Experiment.load(name), {"store": str(store), "progress": False}
    if name in FOLDS:
        return _walk_forward(name, quantsim.walk_forward(study, **common, **FOLDS[name]))
    driver, _ = driver_of(name)
    found = {"sgd": quantsim.train, "search": quantsim.search, "hybrid": quantsim.hybrid}[driver](study, **common)
    validation = found.validate()
    evidence = validation.evidence
    ahead, days = None, 0
    if evidence is not None:
        split = evidence.intervals["test"]
        excess, days = split.excess, split.n_days
        ahead = tuple(math.expm1(days * value) for value in (excess.point, excess.lower, excess.upper))
    ranges = {one.name: one for one in load_search_space(study).dimensions} if driver == "search" else {}
    return Finding(
        name=name,
        question=question_of(name),
        command=f"quantsim run {name}",
        test=found.metrics["test"]["returns"],
        hodl=hodl_returns(found.metrics)["test"],
        ahead=ahead,
        days=days,
        verdict=validation.verdict,
        text=validation.judgement.text,
        parameters={
            name: f"{_numbers(values)}{_at_end(values, ranges.get(name))}"
            for name, values in found.human.items()
            if name.rpartition(".")[2] != "initial_weights"
        },
        returns=found.store.get(found.checkpoint.checkpoint_id).daily_log_returns["test"].tolist(),
    )


def _walk_forward(name: str, found: Any) -> Finding:
    from quantsim.metrics.sample import DAYS_PER_YEAR

    options = " ".join(f"--{key.replace('_', '-')} {value:g}" for key, value in FOLDS[name].items())
    excess = found.outcome.differences["constant_weights"].excess
    days = int(found.outcome.out_of_sample.daily_log_returns.size)
    years = days / DAYS_PER_YEAR  # the excess is a log a year
    ahead = tuple(math.expm1(years * value) for value in (excess.point, excess.lower, excess.upper))
    return Finding(
        name=name,
        question=question_of(name),
        command=f"quantsim walk-forward --study {name} {options}",
        test=float(found.frame["value"].iloc[-1] - 1.0),
        hodl=float(found.frame["hodl"].iloc[-1] - 1.0),
        ahead=ahead,
        days=days,
        verdict="folds" if excess.contains_zero else "ahead" if excess.point > 0.0 else "behind",
        text=found.outcome.judgement,
        parameters={},
    )


def page(findings: list[Finding]) -> str:
    """Returns the page, in Markdown."""
    rows = "".join(
        f"| [`{one.name}`](#{one.name}) | {_percent(one.test)} | {_percent(one.hodl)} | {_ahead(one)} | "
        f"{VERDICTS[one.verdict]} |\n"
        for one in findings
    )
    days = max(one.days for one in findings if one.name not in FOLDS)
    parts = [HEAD.format(summary=_summary(findings)), TABLE, rows, READING.format(days=days)]
    by_name = {one.name: one for one in findings}
    return "".join([*parts, *(_section(one, by_name.get(REFERENCES.get(one.name, ""))) for one in findings)])


def _summary(findings: list[Finding]) -> str:
    by_verdict: dict[str, list[str]] = {}
    for one in findings:
        by_verdict.setdefault(one.verdict, []).append(f"`{one.name}`")
    counted = [f"{len(names)} {VERDICTS[verdict]} ({', '.join(names)})" for verdict, names in by_verdict.items()]
    return f"Of {len(findings)} studies: {'; '.join(counted)}."


def _section(one: Finding, reference: Finding | None) -> str:
    values = ", ".join(f"`{name}` {shown}" for name, shown in one.parameters.items())
    parts = [f"\n## `{one.name}`", f"**{one.question}**", one.text]
    parts += [] if reference is None else [_against(one, reference)]
    parts += [f"Selected: {values}."] if values else []
    return "\n\n".join([*parts, f"```sh\n{one.command}\n```\n"])


def _against(one: Finding, reference: Finding) -> str:
    """Compares the selected sets of two studies on test data, by a paired bootstrap."""
    from quantsim.statistics.bootstrap import paired_interval

    found = paired_interval(lambda days: days.mean(axis=-1), one.returns, reference.returns)
    point, low, high = (
        _percent(math.expm1(len(one.returns) * value)) for value in (found.point, found.lower, found.upper)
    )
    place = "ahead of" if found.point > 0.0 else "behind"
    meaning = "which includes zero" if found.contains_zero else "which does not include zero"
    return (
        f"On test data it ends {point.lstrip('+-')} {place} [`{reference.name}`](#{reference.name}) "
        f"(90 % interval {low} to {high}, {meaning})."
    )


def _numbers(values: Any) -> str:
    shown = [f"{value:.3g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else f"({', '.join(shown)})"


def _at_end(values: Any, dimension: Any) -> str:
    """Says if all values are within 1 % of an end of their range."""
    if dimension is None:
        return ""
    for end in ("lower", "upper"):
        limits = [draw.low if end == "lower" else draw.high for draw in dimension.draws]
        if all(abs(value / limit - 1.0) < 0.01 for value, limit in zip(values, limits * len(values), strict=False)):
            return f" (the {end} end of its range)"
    return ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100.0 * value:+.1f} %"


def _ahead(one: Finding) -> str:
    if one.ahead is None:
        return "–"
    point, low, high = map(_percent, one.ahead)
    return f"{point} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="studies to run; by default all, and the page is written")
    names = parser.parse_args().names
    import quantsim

    quantsim.prepare_environment()
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names or sorted(path.stem for path in (ROOT / "studies").glob("*.toml")):
            begun, used = time.monotonic(), sum(os.times()[:2])
            found = run(name, Path(folder) / f"{name}.db")
            print(
                f"{name}: {time.monotonic() - begun:.0f} s, {sum(os.times()[:2]) - used:.0f} s of processor time",
                flush=True,
            )
            findings.append(found)
    if names:
        print(page(findings))
    else:
        PAGE.write_text(page(findings), encoding="utf-8")


if __name__ == "__main__":
    main()
