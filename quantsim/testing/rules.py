"""Conformance checks of rules and fee rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.fee_rules import FeeRule, get_fee_rule
from quantsim.precision import in_float64
from quantsim.rules import Observed, Rule, RuleSettings, get_rule
from quantsim.scan_mode import ScanMode
from quantsim.simulator import conformance
from quantsim.simulator.conformance import Subject
from quantsim.testing.description import check_description, check_parameters
from quantsim.testing.gradients import NOTHING, Differentiated, check_finite_gradient, check_gradients
from quantsim.testing.laws import law, require

__all__ = ["SETTINGS", "check_fee_rule", "check_rule"]


SETTINGS = RuleSettings(chunk_minutes=1440, max_memory_days=20.0)
"""Default settings of the checks: chunks of a day, and 20 days of memory."""

PRICES = "observed.prices"
"""Name of the prices among the parameters: a composite pool needs gradients with respect to prices."""

_FAR = 50.0  # of raw parameters
_SHORT = 12  # boundaries after the longest memory in the checks of gradients
MODES: tuple[ScanMode, ...] = ("sequential", "associative")
_MODES_AGREE = 1e-8  # of the largest one
_SAME = 1e-9  # of the largest output


@in_float64
def check_rule(
    rule: Rule | str,
    settings: RuleSettings = SETTINGS,
    *,
    n_tokens: int = 3,
    n_boundaries: int = 96,
    any_length: bool = True,
) -> None:
    """Checks a rule with the defaults of its parameters, and with others drawn from their ranges.

    The laws:

    * names, ranges and transforms of the parameters are valid;
    * outputs are one float64 array (K, n); rows of weights sum to 1, and rows of changes to 0 if ``sums_to_zero`` is set;
    * **no output depends on later prices**, or on the number of boundaries;
    * outputs and gradients are finite: on random prices after ``max_memory_days``, on constant prices, and for extreme values
      of a parameter;
    * gradients with respect to parameters and prices equal finite differences, except at kinks;
    * both scan modes agree, the same inputs give the same outputs, and other values compile no new program.

    Args:
        rule: the rule, its name, or ``"path/to/file.py:name"``.
        settings: settings that the rule reads.
        n_tokens: number of tokens, ``n``.
        n_boundaries: number of chunk boundaries, ``K``; more than ``max_memory_days``.
        any_length: False for a rule with a series of its own, which only takes data of one length.

    Raises:
        ConformanceError: the rule breaks a law; the message names the law, the finding and the remedy.
        ConfigError: there is no such rule.

    Example:
        >>> check_rule("momentum")
    """
    rule = get_rule(rule) if isinstance(rule, str) else rule
    called = f"rule {rule.name!r}"
    if rule.outputs is None:
        check_description(called, name=rule.name, description=rule.description)
        return
    subject = _check(called, rule, settings, n_tokens, n_boundaries, any_length=any_length)
    if not rule.needs_oracle:
        with law("oracle", called):
            conformance.check_arrays(replace(subject, has_oracle=False), subject.sets()[0], n_boundaries)
    if (persistence := rule.persistence) is not None:
        program = Differentiated(lambda params: persistence(params, settings))
        for params in subject.sets():
            shares, _ = program(params, np.zeros(n_tokens))
            require(
                bool(((shares >= 0.0) & (shares < 1.0)).all()),
                "persistence",
                f"the persistence of {called} is {shares.tolist()}, and must be at least 0 and below 1",
            )
            check_gradients(
                f"the persistence of {called}", program, params, _trainable(subject), np.ones(n_tokens, bool)
            )


@in_float64
def check_fee_rule(
    rule: FeeRule | str,
    settings: RuleSettings = SETTINGS,
    *,
    n_tokens: int = 3,
    n_boundaries: int = 96,
    any_length: bool = True,
) -> None:
    """Checks a fee rule as :func:`check_rule` does a rule; outputs are one float64 array (K,) of fees, at least 0 and below 1.

    Example:
        >>> check_fee_rule("volatility")
    """
    rule = get_fee_rule(rule) if isinstance(rule, str) else rule
    _check(f"fee rule {rule.name!r}", rule, settings, n_tokens, n_boundaries, any_length=any_length)


def _check(
    called: str, rule: Rule | FeeRule, settings: RuleSettings, n_tokens: int, n_boundaries: int, *, any_length: bool
) -> Subject:
    """Checks description, parameters and outputs; returns the rule with its parameters."""
    check_description(called, name=rule.name, description=rule.description)
    with law("parameters", called):
        subject = Subject.of(rule, settings, n_tokens)
    check_parameters(subject.called, subject.parameters)
    with law("static", called):
        hash(subject)
    _check_outputs(subject, n_boundaries, any_length=any_length)
    return subject


def _check_outputs(subject: Subject, n_boundaries: int, *, any_length: bool) -> None:
    """Checks the outputs, the cheapest checks first."""
    sets, memory = subject.sets(), subject.memory
    short = min(memory + _SHORT, n_boundaries) if any_length else n_boundaries
    require(
        n_boundaries > memory,
        "boundaries",
        f"{n_boundaries} boundaries are not more than the {memory} of max_memory_days: give check_rule a larger n_boundaries",
    )
    with law("shape and type", subject.called):
        for length in {n_boundaries, short}:
            conformance.check_arrays(subject, sets[0], length)
    tables = conformance.synthetic(subject, n_boundaries, seed=0)
    with law("outputs", subject.called):
        plain = [conformance.outputs_of(subject, params, tables) for params in sets]
        conformance.check_sums(subject, plain)
        for outputs in plain:
            conformance.check_fees(subject, outputs)
            _check_finite(subject, outputs[memory:], "random prices, from max_memory_days on")
    with law("no look-ahead", subject.called):
        conformance.check_look_ahead(subject, sets, tables, plain)
    programs: dict[str, Differentiated] = {
        mode: _program(replace(subject.settings, scan_mode=mode), subject) for mode in MODES
    }
    case = Case(subject, programs, [{**params, PRICES: tables[0, :short]} for params in sets], tables[1, :short])
    case.check_repeatable([outputs[:short] for outputs in plain])
    case.check_modes()
    case.check_slopes()
    case.check_edges()
    for mode, program in programs.items():
        require(
            program.n_traces == 1,
            "one program",
            f"{subject.called} was traced {program.n_traces} times for arrays of one shape (scan mode {mode}), and must be "
            "traced once: change no setting of JAX inside it",
        )


def _program(settings: RuleSettings, subject: Subject) -> Differentiated:
    """Returns outputs as a function of the parameters, with the prices among them, and of the oracle."""

    def outputs(params: dict[str, Array], oracle: Array) -> Array:
        observed = Observed(params[PRICES], oracle if subject.has_oracle else None)
        return subject.function({name: row for name, row in params.items() if name != PRICES}, observed, settings)

    return Differentiated(outputs)


def _check_finite(subject: Subject, outputs: FloatArray, where: str) -> None:
    wrong = np.argwhere(~np.isfinite(outputs))
    require(
        not wrong.size,
        "finite",
        f"{subject.called} returns {outputs[tuple(wrong[0])] if wrong.size else ''} at {where}, and must return finite "
        "numbers: guard logarithms, roots and divisions by what may be zero",
    )


@dataclass(frozen=True)
class Case:
    """The programs of a rule, one for each scan mode, and their arguments.

    Attributes:
        subject: the rule.
        programs: scan mode → outputs and gradients from ``(params, seen, oracle)``.
        sets: unconstrained parameters together with prices, (K, n); the defaults are the first set.
        oracle: (K, n) values of the oracle.
    """

    subject: Subject
    programs: dict[str, Differentiated]
    sets: list[dict[str, FloatArray]]
    oracle: FloatArray

    @property
    def program(self) -> Differentiated:
        """The program for the scan mode of the settings."""
        return self.programs[self.subject.settings.scan_mode]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which outputs are after ``max_memory_days`` of history, in the shape of the outputs."""
        n_boundaries, n_tokens = self.oracle.shape
        shape = (n_boundaries,) if self.subject.rule is None else (n_boundaries, n_tokens)
        rows: NDArray[np.bool_] = np.zeros(shape, bool)
        rows[self.subject.memory :] = True
        return rows

    def seen(self) -> FloatArray:
        """Returns random weights of these outputs; other outputs have weight 0."""
        return np.asarray(np.random.default_rng(4).standard_normal(self.known.shape) * self.known)

    def check_repeatable(self, plain: list[FloatArray]) -> None:
        """Checks that a second program, for shorter data, returns the same outputs."""
        for params, wanted in zip(self.sets, plain, strict=True):
            found, _ = self.program(params, self.seen(), self.oracle)
            size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)
            with np.errstate(invalid="ignore"):
                apart = np.abs(found - wanted)
            differs = ~(apart <= _SAME * size) & ~(np.isnan(found) & np.isnan(wanted))
            require(
                not differs.any(),
                "same inputs, same outputs",
                f"{self.subject.called} moves an output by {apart[differs].max(initial=0.0):.3g} when it is traced again for "
                f"the first {len(self.oracle)} boundaries alone: let outputs depend neither on the number of boundaries nor on "
                "anything that changes from call to call, such as numpy.random or a global variable",
            )

    def check_modes(self) -> None:
        """Checks that outputs and gradients of the sequential and the associative scan agree."""
        for params in self.sets:
            (one, of_one), (other, of_other) = (
                program(params, self.seen(), self.oracle) for program in self.programs.values()
            )
            parts = {"outputs": (one[self.known], other[self.known])}
            parts |= {f"the gradient with respect to {name}": (of_one[name], of_other[name]) for name in of_one}
            for name, (first, second) in parts.items():
                apart, size = np.abs(first - second).max(initial=0.0), np.abs(first).max(initial=0.0)
                require(
                    not apart > _MODES_AGREE * size + NOTHING,
                    "scan modes",
                    f"{name} of {self.subject.called} differ by {apart:.3g} between the sequential and the associative scan "
                    "mode: give estimators settings.scan_mode, and use it for nothing else",
                )

    def check_slopes(self) -> None:
        """Checks gradients against finite differences, and that those of parameters with an effect are not zero everywhere."""
        names = _trainable(self.subject)
        for params in self.sets:
            check_gradients(self.subject.called, self.program, params, [*names, PRICES], self.known, self.oracle)
        for parameter in self.subject.parameters:
            if (name := parameter.raw_name) not in names:
                continue
            rows = [self.program({**self.sets[0], name: one[name]}, self.seen(), self.oracle) for one in self.sets]
            moves = any((outputs != rows[0][0])[self.known].any() for outputs, _ in rows)
            require(
                not moves or any(gradient[name].any() for _, gradient in rows),
                "gradients",
                f"outputs of {self.subject.called} change with {parameter.human_name}, and its gradient is 0 everywhere, so "
                "gradients cannot train it: replace rounding and comparisons of the parameter by something smooth, or set "
                "trainable=False in its spec",
            )

    def check_edges(self) -> None:
        """Checks that outputs and gradients are finite on constant prices, and for extreme unconstrained parameters."""
        defaults = self.sets[0]
        still = np.repeat(defaults[PRICES][:1], len(self.oracle), axis=0)
        self._check_edge({**defaults, PRICES: still}, "constant prices")
        for name in _trainable(self.subject):
            for value in (-_FAR, _FAR):
                self._check_edge({**defaults, name: np.full_like(defaults[name], value)}, f"{name} = {value:g}")

    def _check_edge(self, params: dict[str, FloatArray], where: str) -> None:
        outputs, gradient = self.program(params, self.seen(), self.oracle)
        _check_finite(self.subject, outputs[self.known], where)
        check_finite_gradient(self.subject.called, gradient, where)


def _trainable(subject: Subject) -> list[str]:
    return [parameter.raw_name for parameter in subject.parameters if parameter.trainable]
