"""All settings of a cutover, typed, from one TOML file and the environment.

Owns names, defaults and their errors. `load` is called once, by the command line; everything else is handed the
`Settings`. The environment (`CARRYOVER_<SECTION>__<KEY>`; an empty value counts as none) goes over the file. Secrets
come only from the environment or from files named by `*_file`, never from the TOML file.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvError

from connectors.salesforce.shares import Reserve
from connectors.visual_practice.profile import Profile
from topics.catalogue import Catalogue

FILE = "carryover.toml"
"""Read from the current directory when no other file is named, if it is there."""

PREFIX = "CARRYOVER_"
SECRETS = (("source", "api_key"), ("target", "client_secret"))
PATHS = (
    ("cutover", "map"),
    ("cutover", "data_dir"),
    ("source", "api_key_file"),
    ("target", "client_secret_file"),
    ("target", "ca_file"),
    ("control", "ledger"),
)
"""Keys that name files: relative ones in the TOML file start from its folder, those in the environment from the current one."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=100)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class SettingsError(Exception):
    """Settings that can't be used; each line of the text names a key, where it was set, and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CutoverSettings(_Section):
    """What this cutover is called and where it keeps files."""

    id: Name = "cutover"
    map: Path | None = Field(default=None, description="Map document; the default map without it.")
    data_dir: Path = Field(
        default=Path(".local/data"), description="Local files, all of which can be rebuilt from Kafka."
    )


class KafkaSettings(_Section):
    """Where Kafka is, and how topics are made."""

    bootstrap: str = "localhost:9092"
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)] = ""
    partitions: Annotated[int, Field(ge=1, le=1000)] = 4
    replication: Count = 1
    min_insync: Count = 1
    session_seconds: Seconds = Field(
        default=30,
        description="A worker silent for so long loses its partitions; Kafka allows no less than 6 by itself.",
    )


class SourceSettings(_Section):
    """Visual Practice."""

    url: str = ""
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    page_size: Annotated[int, Field(ge=1, le=100)] = Field(
        default=100, description="Records a page; the source allows 100."
    )
    poll_seconds: Seconds = 1.0
    overlap_seconds: Annotated[float, Field(ge=0)] = 5
    timeout_seconds: Seconds = 30
    profile: str = Field(
        default="auto", description="How the source speaks: `auto`, or switches that are known, e.g. `times=local`."
    )
    time_zone: str | None = Field(
        default=None, description="IANA name of the zone of times without an offset; without it the source is asked."
    )

    @field_validator("profile")
    @classmethod
    def _speaks(cls, text: str) -> str:
        return Profile.parse(text).text

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        if name:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                raise ValueError("no zone of that name is known; it is called, e.g., America/New_York") from None
        return name or None

    @property
    def speech(self) -> Profile:
        """What is known of how the source speaks."""
        return Profile.parse(self.profile)

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of times without an offset, None: as the source says."""
        return None if self.time_zone is None else ZoneInfo(self.time_zone)


class TargetSettings(_Section):
    """Salesforce."""

    url: str = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    api_version: Annotated[str, Field(pattern=r"^\d{2,3}\.0$")] = "62.0"
    ca_file: Path | None = None
    reserve: float = Field(
        default=0.2, description="Share of the org's daily API calls that stays for its users, from 0 to below 1."
    )
    reserve_calls: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The same as a number of calls; it counts instead of the share."
    )
    limits_seconds: Seconds = Field(
        default=300,
        description="Time between two looks at the org's limits, while there is work; earlier when calls run short or others use many.",
    )
    look_seconds: Seconds = Field(
        default=300, description="The same while the calls are used up: each look costs one of the reserve."
    )

    @field_validator("reserve")
    @classmethod
    def _is_a_share(cls, share: float) -> float:
        if not 0 <= share < 1:
            raise ValueError(
                f"it is the share that stays for the org's users, e.g. 0.2, and {share:g} leaves nothing or is none; "
                "for a number of calls set target.reserve_calls"
            )
        return share

    @property
    def kept(self) -> Reserve:
        """What stays for the org's users."""
        return Reserve(self.reserve, self.reserve_calls)


class LoadSettings(_Section):
    """How rows are gathered into batches."""

    batch_rows: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    idle_seconds: Seconds = 0.5
    bulk_from_rows: Count = 2000
    make_lost_again: Annotated[
        bool, Field(description="Make rows of ours that somebody deleted in Salesforce again with their next version.")
    ] = False


class ResolveSettings(_Section):
    """How long a row waits for a parent before something is done about it."""

    hold_after_seconds: Seconds = 10
    lookup_after_seconds: Seconds = 5
    owners_again_seconds: Seconds = 30


class VerifySettings(_Section):
    """How landed rows are read back."""

    idle_seconds: Seconds = Field(
        default=1.0,
        description="Without another landing a few rows are read back after 3 times as long, many after 15 times; none waits for more than 120 times.",
    )
    window_records: Count = Field(
        default=8000,
        description="Records of a partition of the audit that may wait at once: more of them fill calls better and take more memory.",
    )


class ControlSettings(_Section):
    """The control process: status page, metrics, ledger."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8790
    ledger: Path | None = Field(
        default=None, description="SQLite file; without it `ledger.sqlite3` in the data directory."
    )
    census_seconds: Annotated[float, Field(ge=0)] = Field(
        default=0, description="Time between censuses; 0: only on request."
    )


class Settings(BaseSettings):
    """All settings; immutable.

    Built by `load`, or in a test from sections: `Settings(kafka=KafkaSettings(bootstrap=...))`, which are taken as they
    are. Over sections given as mappings the environment goes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # as `${VAR:-}` in a compose file means it
        extra="forbid",
        frozen=True,
        validate_default=False,
    )

    cutover: CutoverSettings = CutoverSettings()
    kafka: KafkaSettings = KafkaSettings()
    source: SourceSettings = SourceSettings()
    target: TargetSettings = TargetSettings()
    load: LoadSettings = LoadSettings()
    resolve: ResolveSettings = ResolveSettings()
    verify: VerifySettings = VerifySettings()
    control: ControlSettings = ControlSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @property
    def ledger(self) -> Path:
        """Path of the ledger's SQLite file."""
        return self.control.ledger or self.cutover.data_dir / "ledger.sqlite3"

    @property
    def catalogue(self) -> Catalogue:
        """The topics of this cutover."""
        kafka = self.kafka
        return Catalogue(kafka.prefix, kafka.partitions, kafka.replication, kafka.min_insync)

    def need(self, *sections: Literal["source", "target"]) -> None:
        """Make sure that a system can be reached with what is set: address and credentials.

        Raises:
            SettingsError: One line for each key that is missing.
        """
        keys = {"source": ("url", "api_key"), "target": ("url", "client_id", "client_secret")}
        missing = [
            (section, key) for section in sections for key in keys[section] if not getattr(getattr(self, section), key)
        ]
        if missing:
            raise SettingsError("\n".join(_missing(section, key) for section, key in missing))


def load(path: Path | str | None = None) -> Settings:
    """Settings from a TOML file and the environment.

    Args:
        path: The file; None takes `CARRYOVER_CONFIG`, else `carryover.toml` in the current directory if it exists.

    Raises:
        SettingsError: A file that can't be read, an unknown or bad key, a secret in the TOML file.
    """
    named = path or os.environ.get(PREFIX + "CONFIG")
    file = Path(named) if named else Path(FILE)
    given = _read(file) if named or file.exists() else {}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(item, file, given) for item in error.errors())) from None
    except EnvError as error:
        raise SettingsError(f"The environment can't be read: {error}. Set {PREFIX}<SECTION>__<KEY>.") from None
    return _with_secrets(settings)


def _read(file: Path) -> dict[str, Any]:
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"There is no settings file {file}: name another one with --config.") from None
    except OSError as error:
        raise SettingsError(f"The settings file {file} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}. Correct it there.") from None
    for section, key in SECRETS:
        if key in _section(given, section):
            raise SettingsError(
                f"{section}.{key} is in {file}, where secrets don't belong: "
                f"set {_variable(section, key)} or name a file by {section}.{key}_file."
            )
    for section, key in PATHS:
        value = _section(given, section).get(key)
        if value == "":
            raise SettingsError(f"{section}.{key} in {file} is empty: name a file there, or leave the key out.")
        if isinstance(value, str):
            given[section][key] = str(file.parent / value)
    return given


def _section(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = given.get(name)
    return section if isinstance(section, dict) else {}


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section}__{key}".upper()


def _missing(section: str, key: str) -> str:
    if (section, key) in SECRETS:
        return f"{section}.{key} is missing: set {_variable(section, key)} or name a file by {section}.{key}_file."
    return f"{section}.{key} is missing: set it in {FILE} or as {_variable(section, key)}."


def _explain(item: Any, file: Path, given: Mapping[str, Any]) -> str:
    path = [str(part) for part in item["loc"]]
    key = ".".join(path)
    variable = _variable(path[0], path[1]) if len(path) > 1 else PREFIX + path[0].upper()
    in_file = path[0] in given and (len(path) == 1 or path[1] in _section(given, path[0]))
    where = variable if variable in os.environ or not in_file else str(file)
    if item["type"] == "extra_forbidden":
        section = Settings.model_fields.get(path[0])
        annotation = section.annotation if section and len(path) > 1 else Settings
        known = annotation.model_fields if isinstance(annotation, type) and issubclass(annotation, BaseModel) else {}
        near = difflib.get_close_matches(path[-1], list(known), 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
        return f"{key} (in {where}) is no setting: {meant}"
    reason = str(item["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    return (
        f"{key} (in {where}) should be {reason}: correct it there."
        if reason != item["msg"]
        else (f"{key} (in {where}) is not right: {reason}. Correct it there.")
    )


def _with_secrets(settings: Settings) -> Settings:
    update: dict[str, Any] = {}
    for section, key in SECRETS:
        now = getattr(settings, section)
        file = getattr(now, f"{key}_file")
        if file is None or getattr(now, key) is not None:
            continue
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(f"{section}.{key}_file names {file}, which can't be read: {reason}.") from None
        if not secret:
            raise SettingsError(f"{section}.{key}_file names {file}, which is empty: put the secret in it.")
        update[section] = now.model_copy(update={key: SecretStr(secret)})
    return settings.model_copy(update=update)
