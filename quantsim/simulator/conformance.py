"""Checks that a rule returns one array of the right shape and type, and that no entry depends on a later price.

The rule is a black box here. It runs on synthetic prices, and again with other prices after a boundary: its outputs up to this
boundary must not change. A rule that looks ahead earns in every backtest and in no real pool, and no other check detects it.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.discovery import exception_text
from quantsim.errors import ConfigError, ParameterError, QuantsimError
from quantsim.fee_rules import FeeRule
from quantsim.parameters import Parameter, bind, scoped, to_human, to_raw
from quantsim.rules import Observed, Output, Rule, RuleSettings

__all__ = [
    "Subject",
    "check_arrays",
    "check_fees",
    "check_look_ahead",
    "check_sums",
    "conform",
    "frozen",
    "outputs_of",
    "synthetic",
]

RuleFunction = Callable[[Mapping[str, Array], Observed, RuleSettings], Array]

_VOLATILITY = 0.02  # of the synthetic prices, per chunk
_FEWEST, _MOST = 256, 1024  # boundaries of the synthetic prices
_N_DRAWN = 2  # parameter sets from the ranges of the parameters, beside the experiment's own
_N_BOUNDARIES = 16  # drawn, after which prices are changed in two ways
_MOST_SECONDS = 0.3  # for changes after all other boundaries; enough for all of them with a rule that takes 0.3 ms
_N_LAST = 16  # outputs that are to forget what lies further back than the longest memory

_TOLERANCE = 1e-9
"""How far an output may move, relative to its own size and the typical size.

A causal filter computed by a Fourier transform moves by 1e-13; one millionth of a later price moves an output by 1e-6.
"""

_STRONG_MEMORY = 0.05
"""Share of the outputs that may depend on prices before ``max_memory_days``; an average of that length has a smaller tail."""

_REMEDY = (
    "entry j may use what is observed up to j only. Look for a shift towards earlier entries (jnp.roll wraps round), a centred "
    "or reversed filter, a mean, extreme or scale of the whole series, or gaps filled from later entries; see docs/rules.md"
)


@dataclass(frozen=True)
class Subject:
    """A function to be checked, and its arguments.

    Attributes:
        called: name for messages: ``pool.rule = 'my_rules.py:peek'``.
        function: ``(raw parameters, observed, settings) → outputs``.
        settings: settings of the experiment.
        n_tokens: number of tokens, ``n``.
        parameters: parameters, in dependency order.
        own: their raw values, as pairs of name and values.
        group: group of the parameters; the function receives them without it.
        has_oracle: whether there is an oracle series.
        rule: the rule, with outputs (K, n); None for a fee rule, with outputs (K,).
        levels: (n,) typical prices; synthetic prices move around them, as a rule may do nothing far from them.
    """

    called: str
    function: RuleFunction
    settings: RuleSettings
    n_tokens: int
    parameters: tuple[Parameter, ...]
    own: tuple[tuple[str, tuple[float, ...]], ...]
    group: str = ""
    has_oracle: bool = False
    rule: Rule | None = None
    levels: tuple[float, ...] = ()

    @classmethod
    def of(cls, one: Rule | FeeRule, settings: RuleSettings, n_tokens: int) -> Self:
        """Makes a subject from a rule with outputs, or a fee rule, with its default parameters.

        Raises:
            ParameterError: a default is not valid.
        """
        fees = isinstance(one, FeeRule)
        labels = ("pool",) if fees else tuple(f"token {at}" for at in range(n_tokens))
        parameters = bind(one.parameters, labels, settings.chunk_minutes, settings=asdict(settings))
        called = f"{'fee rule' if fees else 'rule'} {one.name!r}"
        function, rule = (one.fees, None) if isinstance(one, FeeRule) else (one.outputs, one)
        if function is None:
            raise ValueError(f"{called} has no outputs to check")
        own = frozen(to_raw(parameters, {}))
        return cls(called, function, settings, n_tokens, parameters, own, has_oracle=True, rule=rule)

    @property
    def memory(self) -> int:
        """The number of chunks in ``max_memory_days``."""
        return int(np.ceil(self.settings.max_memory_days * 1440 / self.settings.chunk_minutes))

    def sets(self) -> list[dict[str, FloatArray]]:
        """Returns the parameter sets for the checks: its own, and others from the ranges of the parameters."""
        sets = [{name: np.asarray(values) for name, values in self.own}]
        human = to_human(self.parameters, sets[0])
        for seed in range(_N_DRAWN):
            generator = np.random.default_rng(seed)
            drawn = {
                parameter.human_name: _drawn(parameter, generator)
                for parameter in self.parameters
                if parameter.spec.searchable
            }
            with contextlib.suppress(ParameterError):  # a range may reach beyond what its transform admits
                sets.append(to_raw(self.parameters, {**human, **drawn}))
        return [scoped(one, self.group) for one in sets]


def _drawn(parameter: Parameter, generator: np.random.Generator) -> FloatArray:
    """Draws human-readable values from a parameter's range, (m,)."""
    spec = parameter.spec
    return spec.between(spec.low, spec.high, generator.random(parameter.size))


def frozen(raw: Mapping[str, FloatArray]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Returns raw parameters in the form that :class:`Subject` stores."""
    return tuple((name, tuple(np.asarray(values).tolist())) for name, values in raw.items())


@functools.lru_cache(maxsize=256)
def conform(subject: Subject, n_boundaries: int) -> str | None:
    """Checks a function once per process, with the number of boundaries of the data or fewer.

    Returns:
        A note about its memory for readers of the results, or None.

    Raises:
        ConfigError: it fails, returns a wrong type, or looks ahead.
    """
    sets = subject.sets()
    check_arrays(subject, sets[0], n_boundaries)
    if n_boundaries > _MOST:
        enough = min(max(2 * subject.memory, _FEWEST), _MOST)
        try:
            check_arrays(subject, sets[0], enough)
            n_boundaries = enough
        except ConfigError:  # it is made for data of that length, such as one that brings a series of its own
            pass
    tables = synthetic(subject, n_boundaries, seed=0)
    plain = [outputs_of(subject, params, tables) for params in sets]
    check_sums(subject, plain)
    check_fees(subject, plain[0])
    check_look_ahead(subject, sets, tables, plain)
    if not np.isfinite(plain[0]).any():
        return f"{subject.called} is nan throughout in the test for look-ahead, so this test cannot find any"
    return _memory(subject, sets[0], tables, plain[0])


def check_look_ahead(
    subject: Subject, sets: list[dict[str, FloatArray]], tables: FloatArray, plain: list[FloatArray]
) -> None:
    """Raises ConfigError if an output changes with prices, or with the oracle, after its boundary.

    Args:
        subject: function to be checked.
        sets: raw parameters, used in turn.
        tables: (2, K, n) prices and oracle.
        plain: outputs for each of the sets, (K, n) or (K,).
    """
    begun = time.monotonic()
    for at, (boundary, changed) in enumerate(_changes(tables)):
        if at >= 2 * _N_BOUNDARIES and time.monotonic() - begun > _MOST_SECONDS:
            break
        params, before = sets[at % len(sets)], plain[at % len(sets)]
        moved = _moved(before, outputs_of(subject, params, changed))[: boundary + 1]
        if moved.any():
            moved &= ~_decided_by_rounding(subject, params, tables, before)[: boundary + 1]
        if moved.any():
            row = int(np.nonzero(moved)[0].max())
            raise ConfigError(
                f"{subject.called} looks ahead: its output at boundary {row} changes when prices after boundary {boundary} do, "
                f"but no pool knows these yet; {_REMEDY}"
            )


def check_arrays(subject: Subject, params: Mapping[str, FloatArray], n_boundaries: int) -> None:
    """Raises ConfigError unless the function can be traced and returns the right type and shape."""
    shape = (n_boundaries, subject.n_tokens)
    wanted = {"(K,)": shape[:1]} if subject.rule is None else {"(K, n)": shape}

    def traced(params: Mapping[str, Array], observed: Observed) -> Array:
        outputs = _called(subject, lambda: subject.function(params, observed, subject.settings))
        _check_array(subject.called, outputs, wanted)
        if subject.rule is not None and (persistence := subject.rule.persistence) is not None:
            _check_array(
                f"the persistence of {subject.called}",
                _called(subject, lambda: persistence(params, subject.settings)),
                {"(n,)": (subject.n_tokens,)},
            )
        found: Array = outputs
        return found

    prices: Any = jax.ShapeDtypeStruct(shape, np.float64)  # type: ignore[no-untyped-call]
    jax.eval_shape(traced, params, Observed(prices, prices if subject.has_oracle else None))


def _called(subject: Subject, call: Callable[[], Any]) -> Any:
    """Calls the user's code; converts every exception to a ConfigError."""
    try:
        return call()
    except QuantsimError as error:  # its own, or what becomes of all others of a function in a file
        error.add_note(f"while checking {subject.called}{_hint(error.__cause__)}")
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{subject.called} fails with {exception_text(error)}{_hint(error)}") from error


def _hint(error: BaseException | None) -> str:
    """Returns a remedy for the common errors of JAX."""
    if not isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError):
        return ""
    return "; write it with jax.numpy, and with jnp.where in place of branches on values"


def _check_array(called: str, outputs: object, wanted: Mapping[str, tuple[int, ...]]) -> None:
    ((form, shape),) = wanted.items()
    sizes = f"{form} = {shape}, K the number of boundaries and n that of tokens"
    if not isinstance(outputs, jax.Array | np.ndarray):
        found = "None (is a return missing?)" if outputs is None else f"a {type(outputs).__name__}"
        raise ConfigError(f"{called} returns {found}, but must return one array of shape {sizes}")
    if outputs.shape != shape:
        raise ConfigError(f"{called} returns an array of shape {outputs.shape}, but must return one of {sizes}")
    if outputs.dtype != np.float64:
        raise ConfigError(
            f"{called} returns an array of {outputs.dtype}, but must return float64: remove the conversion, or end with "
            ".astype(observed.prices.dtype)"
        )


def check_sums(subject: Subject, plain: list[FloatArray]) -> None:
    """Raises ConfigError if the rows of a rule's outputs have a wrong sum."""
    if subject.rule is None:
        return
    if subject.rule.sums_to_zero:
        for outputs in plain:
            sums, size = np.abs(outputs.sum(axis=1)), np.abs(outputs).max(axis=1, initial=0.0)
            if (sums > 1e-9 * size).any():
                raise ConfigError(
                    f"{subject.called} has sums_to_zero = True, but its changes sum to {sums.max():.3g}: end with "
                    "quantsim.rules.centre, or leave sums_to_zero out"
                )
    if subject.rule.output is Output.WEIGHTS:
        sums = plain[0][-_N_LAST:].sum(axis=1)
        if (np.abs(sums - 1.0) >= 0.5).any():
            raise ConfigError(
                f"{subject.called} returns weights that sum to {sums[-1]:.3g}, but must sum to 1: divide by their sum"
            )


def check_fees(subject: Subject, plain: FloatArray) -> None:
    """Raises ConfigError if a fee is outside [0, 1)."""
    wrong = plain[(plain < 0.0) | (plain >= 1.0)]
    if subject.rule is None and wrong.size:
        raise ConfigError(
            f"{subject.called} returns a fee of {wrong[0]:.3g}, but a fee must be at least 0 and below 1: 0.003 is 0.3 %, and "
            "jnp.clip bounds it"
        )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _outputs(function: RuleFunction, settings: RuleSettings, params: dict[str, Array], observed: Observed) -> Array:
    return function(params, observed, settings)


def outputs_of(subject: Subject, params: Mapping[str, FloatArray], tables: FloatArray) -> FloatArray:
    """Returns outputs, (K, n) or (K,); ``tables``, (2, K, n), are prices and oracle."""
    observed = Observed(jnp.asarray(tables[0]), jnp.asarray(tables[1]) if subject.has_oracle else None)
    arrays = {name: jnp.asarray(values) for name, values in params.items()}
    outputs: FloatArray = _called(
        subject, lambda: np.asarray(_outputs(subject.function, subject.settings, arrays, observed))
    )
    return outputs


def synthetic(subject: Subject, n_boundaries: int, seed: int) -> FloatArray:
    """Returns random walks of prices around their levels, and of an oracle of order 1, (2, K, n)."""
    steps = _VOLATILITY * np.random.default_rng(seed).standard_normal((2, n_boundaries, subject.n_tokens))
    walks: FloatArray = np.exp(np.cumsum(steps, axis=1)) * np.linspace(0.5, 2.0, subject.n_tokens)
    if subject.levels:
        walks[0] *= np.asarray(subject.levels) / np.exp(np.log(walks[0]).mean(axis=0))
    return walks


def _changes(tables: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Yields boundaries, and tables with all later entries changed: by noise, or by one factor per token.

    Some boundaries come first, each with both changes, then all others in random order, each with one change.
    """
    _, n_boundaries, n_tokens = tables.shape
    generator = np.random.default_rng(1)
    drawn = generator.integers(0, n_boundaries, _N_BOUNDARIES)
    first = sorted({0, 1, 2, 5, n_boundaries // 2, n_boundaries - 2, *drawn.tolist()})
    others = generator.permutation(np.setdiff1d(np.arange(n_boundaries), first)).tolist()
    for at, boundary in enumerate([*first, *others]):
        if not 0 <= boundary < n_boundaries - 1:
            continue
        later = tables[:, boundary + 1 :]
        shift = np.where((np.arange(n_tokens) + generator.integers(2)) % 2 == 0, 2.0, 0.5)
        both = (np.exp(0.5 * generator.standard_normal(later.shape)), shift)
        for factors in both if at < len(first) else both[:1]:
            yield boundary, np.concatenate([tables[:, : boundary + 1], later * factors], axis=1)


def _moved(before: FloatArray, after: FloatArray, tolerance: float = _TOLERANCE) -> NDArray[np.bool_]:
    """Returns which outputs differ by more than rounding errors."""
    size = np.abs(before[np.isfinite(before) & (before != 0.0)])
    usual = float(np.median(size)) if size.size else 0.0
    with np.errstate(invalid="ignore"):
        near = np.abs(after - before) <= tolerance * np.maximum(np.abs(before), usual)
    same = (after == before) | (np.isnan(after) & np.isnan(before))
    return np.asarray(~(near | same))


def _decided_by_rounding(
    subject: Subject, params: Mapping[str, FloatArray], tables: FloatArray, plain: FloatArray
) -> NDArray[np.bool_]:
    """Returns which outputs jump if all prices move by 1e-13, such as the sign of a number that is zero up to rounding."""
    generator, jumps = np.random.default_rng(3), np.zeros(plain.shape, bool)
    for _ in range(8):
        outputs = outputs_of(subject, params, tables * (1.0 + 1e-13 * generator.standard_normal(tables.shape)))
        jumps |= _moved(plain, outputs, 1e-6)
    return jumps


def _memory(subject: Subject, params: Mapping[str, FloatArray], tables: FloatArray, plain: FloatArray) -> str | None:
    """Returns a note if outputs depend on prices before the longest memory, else None."""
    cut = plain.shape[0] - _N_LAST - subject.memory
    if cut < _N_LAST:
        return None
    other = synthetic(subject, plain.shape[0], seed=2)
    other[:, :cut] *= (tables[:, cut] / other[:, cut])[:, None]  # another way to the same place
    other[:, cut:] = tables[:, cut:]
    with np.errstate(invalid="ignore"):  # outputs may be infinite
        change = np.abs(outputs_of(subject, params, other) - plain)[-_N_LAST:].mean()
    size = np.abs(plain[-_N_LAST:]).mean()
    if not change > _STRONG_MEMORY * size:
        return None
    days = subject.settings.max_memory_days
    return (
        f"{subject.called} remembers more than update.max_memory_days = {days:g}: in a test, earlier prices "
        f"moved its outputs by {100 * change / size:.0f} % of their size, so results depend on the first bar of the data"
    )
