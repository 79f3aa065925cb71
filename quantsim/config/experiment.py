"""The experiment: everything that decides a result, in one frozen value."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationError, field_serializer, model_validator

from quantsim.config.base import Section, describe
from quantsim.config.sections import Data, Fees, Objective, Periods, Pool, Search, Sgd, Update, frozen_parameters
from quantsim.errors import ConfigError
from quantsim.parameters import ParameterSpec, to_human, to_raw
from quantsim.rules import Rule, get_rule

__all__ = ["Experiment"]

Frozen = tuple[tuple[str, float | tuple[float, ...]], ...]


class Experiment(Section):
    """A pool, its data, its periods, what is maximised, and how; see docs/studies.md for every key.

    Frozen, hashable and checked when it is made. Two experiments of equal content have equal :attr:`identity`, whatever
    they are called and whatever file they come from.

    Raises:
        ConfigError: from :meth:`load`, :meth:`from_dict`, :meth:`from_fingerprint` and :meth:`override`, naming every key
            that is wrong, its value and what would be right.
    """

    name: str = "experiment"
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    periods: Periods
    pool: Pool
    update: Update = Update()
    fees: Fees = Fees()
    objective: Objective = Objective()
    sgd: Sgd = Sgd()
    search: Search = Search()
    parameters: Annotated[Frozen, BeforeValidator(frozen_parameters)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        n_tokens = len(self.data.tokens)
        if self.pool.minimum_weight is not None and self.pool.minimum_weight * n_tokens > 1.0:
            raise ValueError(
                f"pool.minimum_weight = {self.pool.minimum_weight} must be at most 1/{n_tokens} for {n_tokens} tokens"
            )
        if self.sgd.early_stopping_reports is not None and self.periods.validation_end is None:
            raise ValueError(
                f"sgd.early_stopping_reports = {self.sgd.early_stopping_reports} needs validation data: "
                "set periods.validation_end"
            )
        smallest = float(self.human_parameters(self.initial_parameters())["initial_weights"].min())
        if self.rule.outputs is not None and smallest < self.minimum_weight * (1 - 1e-12):
            raise ValueError(
                f"parameters.initial_weights: the smallest is {smallest:.6g}, and must be at least "
                f"pool.minimum_weight = {self.minimum_weight:.6g}"
            )
        return self

    @field_serializer("parameters")
    def _parameters_as_table(self, parameters: Frozen) -> dict[str, Any]:
        return dict(parameters)

    @property
    def rule(self) -> Rule:
        """The rule that ``pool.rule`` names."""
        return get_rule(self.pool.rule)

    @property
    def active_parameters(self) -> tuple[ParameterSpec, ...]:
        """The rule's parameters that matter under this experiment's settings."""
        return tuple(
            spec for spec in self.rule.parameters if spec.setting is None or getattr(self.update, spec.setting)
        )

    @property
    def trainable(self) -> frozenset[str]:
        """Raw names of the parameters that gradients move."""
        return frozenset(spec.raw_name for spec in self.active_parameters if spec.trainable)

    @property
    def minimum_weight(self) -> float:
        """The lower guardrail: as set, or ``0.1/n``."""
        return self.pool.minimum_weight if self.pool.minimum_weight is not None else 0.1 / len(self.data.tokens)

    @property
    def interpolation_minutes(self) -> int:
        """The length of a weight ramp, in minutes: as set, or the chunk."""
        return self.update.interpolation_minutes or self.update.chunk_minutes

    @property
    def identity(self) -> str:
        """SHA-256 of the content as canonical JSON; name and description do not count."""
        content = self.model_dump(mode="json", exclude={"name", "description"})
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def initial_parameters(self, values: Mapping[str, Any] | None = None) -> dict[str, NDArray[np.float64]]:
        """Raw parameters, ``(n,)`` each: those given, or the experiment's own where ``values`` is None.

        Raises:
            ParameterError: a name, shape or value is wrong.
        """
        return to_raw(
            self.rule.parameters,
            dict(self.parameters) if values is None else values,
            n_tokens=len(self.data.tokens),
            chunk_minutes=self.update.chunk_minutes,
        )

    def human_parameters(self, raw: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
        """The human-readable form, ``(n,)`` each, of a complete raw set; parameters that do not matter here are left out."""
        return to_human(self.active_parameters, raw, chunk_minutes=self.update.chunk_minutes)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "experiment") -> Self:
        """Builds an experiment from nested tables, as a study file holds them."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise describe(error, source) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a study file (TOML)."""
        path = Path(path)
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"study file {path} cannot be read: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"study file {path} is not TOML: {error}") from error
        return cls.from_dict({"name": path.stem, **values}, str(path))

    @classmethod
    def from_fingerprint(cls, fingerprint: Mapping[str, Any], **tables: Any) -> Self:
        """Builds an experiment from a configuration dictionary of the published implementation.

        Args:
            fingerprint: its keys and values; what it leaves out takes that implementation's defaults.
            **tables: tables that replace or extend the translated ones, e.g. ``data={"source": "prices/"}``.
        """
        from quantsim.config.fingerprint import tables_from_fingerprint

        translated = tables_from_fingerprint(fingerprint)
        for name, table in tables.items():
            merges = isinstance(table, Mapping) and isinstance(translated.get(name), Mapping)
            translated[name] = {**translated[name], **table} if merges else table
        return cls.from_dict(translated, "fingerprint")

    def override(self, assignments: Iterable[str]) -> Self:
        """Returns a copy with ``section.key=value`` assignments applied, each value written as in TOML.

        Example:
            >>> experiment.override(["fees.swap_fee=0.003", "sgd.steps=100"])  # doctest: +SKIP
        """
        values = self.model_dump(mode="json")
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"{assignment!r} must have the form key=value, e.g. fees.swap_fee=0.003")
            *tables, last = key.strip().split(".")
            target = values
            for table in tables:
                target = target.setdefault(table, {})
                if not isinstance(target, dict):
                    raise ConfigError(f"{assignment!r}: {table!r} is not a table")
            target[last] = _toml_value(text.strip())
        return self.from_dict(values, "the study with its overrides")


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string, as on any command line
