"""Settings of every service: read from environment and secret files once, at start; what is wrong is named.

A name with `__` behind `EVENTS_` can only be meant for us and is refused when nobody knows it. Another
unknown one is warned of: Kubernetes sets EVENTS_PORT and the like for a Service named `events`.
"""

import argparse
import difflib
import json
import logging
import os
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

log = logging.getLogger(__name__)

PREFIX = "EVENTS_"
MODELS = {
    "ingest": "ingest.settings:IngestSettings",
    "query": "query.settings:QuerySettings",
    "materialize": "processors.settings:MaterializeSettings",
    "route": "processors.settings:RouteSettings",
    "ledger": "processors.settings:LedgerSettings",
    "console": "console.settings:ConsoleSettings",
    "setup": "processors.settings:SetupSettings",
}
"""Who reads settings. By name: one environment serves all, so each knows the names of the others."""
SECRETS_DIR = "EVENTS_SECRETS_DIR"
"""Names a folder whose files are named like variables and hold their texts, as Docker and Kubernetes
mount secrets: they then appear in no environment and no list of processes."""
OF_COMMANDS = frozenset(("EVENTS_HOME", "EVENTS_PORT_BASE", "EVENTS_TENANT", "EVENTS_API"))
"""Read by the `events` command and the examples, not by services."""
WRONG_EXIT_CODE = 2
VALUE_CHARACTERS_MAX = 60


class Settings(BaseSettings):
    """What the settings of all services have in common."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, and the files of EVENTS_SECRETS_DIR."""
        return init_settings, env_settings, _secrets(settings_cls)


Model = TypeVar("Model", bound=BaseSettings)


class Variable(NamedTuple):
    """One variable; `is_json` when its text is an array or an object."""

    name: str
    default: Any
    meaning: str
    is_json: bool


class BadSettings(Exception):
    """Settings that cannot be: a line for each variable, in `lines`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("; ".join(self.lines))


def models() -> dict[str, type[BaseSettings]]:
    """The settings of every service by its name."""
    return {service: pkgutil.resolve_name(where) for service, where in MODELS.items()}


def variables(model: type[BaseModel], prefix: str = PREFIX) -> list[Variable]:
    """The variables of `model` in the order of its fields."""
    found: list[Variable] = []
    for field_name, field in model.model_fields.items():
        name, kind = prefix + field_name.upper(), field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += variables(kind, f"{name}__")
        else:
            default = field.get_default(call_default_factory=True)
            is_json = isinstance(default, (tuple, dict))
            found.append(Variable(name, default, field.description or "", is_json))
    return found


def given() -> dict[str, str]:
    """The EVENTS_ variables of this process's environment; their names in upper case."""
    everything = ((name.upper(), text) for name, text in os.environ.items())
    return {name: text for name, text in everything if name.startswith(PREFIX)}


def _secrets(model: type[BaseSettings]) -> NestedSecretsSettingsSource:
    """Raises `SettingsError` when the folder that is named is none."""
    return NestedSecretsSettingsSource(
        SecretsSettingsSource(model),
        os.environ.get(SECRETS_DIR) or None,
        secrets_dir_missing="error",
    )


def given_in_files(model: type[BaseSettings]) -> dict[str, str]:
    """The EVENTS_ variables that EVENTS_SECRETS_DIR holds as files. Raises `BadSettings`."""
    try:
        files = {name.upper(): text or "" for name, text in _secrets(model).env_vars.items()}
    except (SettingsError, OSError, UnicodeDecodeError) as error:
        raise BadSettings([f"{SECRETS_DIR}: {error}."]) from error
    return {name: text for name, text in files.items() if name.startswith(PREFIX)}


def load(model: type[Model]) -> Model:
    """`model` from the environment. Raises `BadSettings`; warns of names that may be a slip."""
    found, files = given(), given_in_files(model)
    wrong = [
        f"{name}: is a variable and a file in {SECRETS_DIR}; which counts?"
        for name in sorted(found.keys() & files.keys())
    ]
    found |= files
    for name, line in unknown(found).items():
        if "__" in name:
            wrong.append(line)
        else:
            log.warning("%s It is ignored.", line)
    wrong += _no_json(model, found)
    if not wrong:
        try:
            return model()
        except ValidationError as error:
            wrong += [_line(model, each["loc"], each) for each in error.errors()]
    raise BadSettings(wrong)


def load_or_exit(model: type[Model]) -> Model:
    """`model` from the environment; logs a line for each wrong variable and exits 2."""
    try:
        return load(model)
    except BadSettings as error:
        for line in error.lines:
            log.error("%s", line)
        sys.exit(WRONG_EXIT_CODE)


def unknown(names: Iterable[str]) -> dict[str, str]:
    """A line for each name that no service, command or example reads, with the nearest one."""
    known: set[str] = {*OF_COMMANDS, SECRETS_DIR}
    tables: list[str] = []
    for model in models().values():
        known.update(PREFIX + field.upper() for field in model.model_fields)  # groups as JSON
        known.update(each.name for each in variables(model))
        tables += [f"{v.name}__" for v in variables(model) if isinstance(v.default, dict)]
    found = {}
    for name in names:
        if name not in known and not name.startswith(tuple(tables)):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f" Did you mean {near[0]}?" if near else ""
            found[name] = f"{name}: no setting has this name.{hint}"
    return found


def explain(prog: str, about: str, *read: type[BaseSettings]) -> None:
    """Answer `--help` with `about` and the settings that are read; refuse other arguments (exit 2)."""
    argparse.ArgumentParser(
        prog=prog,
        description=about,
        epilog=settings_text(*read),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


def settings_text(*read: type[BaseSettings]) -> str:
    """The variables of these models with their defaults and meaning, two lines each."""
    each = {variable.name: variable for model in read for variable in variables(model)}
    lines = [f"  {v.name}={shown(v.default)}\n      {v.meaning}" for v in each.values()]
    return "\n".join(["environment variables, with their defaults:", *lines])


def shown(default: Any) -> str:
    """A default as its variable would be written; secrets and what is left out are empty."""
    if isinstance(default, (tuple, dict)):
        return json.dumps(default)
    return "" if default is None or hasattr(default, "get_secret_value") else str(default)


def is_secret(name: str) -> bool:
    """Whether the variable's text may not be shown."""
    return name.endswith(("PASSWORD", "SECRET"))


def _no_json(model: type[BaseSettings], found: Mapping[str, str]) -> list[str]:
    """A line for each variable that must hold JSON and does not."""
    examples = {each.name: each.default for each in variables(model) if each.is_json}
    known = {each.name for each in variables(model)}
    groups: dict[str, Any] = {PREFIX + field.upper(): None for field in model.model_fields}
    wrong = []
    for name, default in {**groups, **examples}.items():
        if name not in found or (name in known and name not in examples):
            continue
        try:
            json.loads(found[name])
        except ValueError:
            such_as = f", such as {json.dumps(default)}" if default else ""
            wrong.append(f"{name}: must be JSON{such_as}, not {_value(name, found[name])}.")
    return wrong


def _line(model: type[BaseSettings], place: tuple[int | str, ...], error: Any) -> str:
    """What pydantic refused, by the variable that holds it and the place within."""
    known = {each.name for each in variables(model)}
    name, within = PREFIX.removesuffix("_"), list(place)
    separator = "_"
    while within and name not in known:
        name, separator = f"{name}{separator}{str(within.pop(0)).upper()}", "__"
    inside = f" {'.'.join(map(str, within))}:" if within else ""
    return f"{name}:{inside} {error['msg']}, not {_value(name, error['input'])}."


def _value(name: str, value: Any) -> str:
    """A refused value, short; a secret stays one."""
    if is_secret(name) or isinstance(value, (dict, BaseModel)):
        return "what is there"
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}..."
