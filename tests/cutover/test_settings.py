"""Settings come from file and environment, and every mistake names its key, its place and the way out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutover.settings import KafkaSettings, Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CARRYOVER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _file(text: str) -> Path:
    path = Path("carryover.toml")
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings = load()
    assert settings == Settings()
    assert settings.kafka.partitions == 4
    assert settings.ledger == Path(".local/data/ledger.sqlite3")


def test_the_environment_goes_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    _file('[kafka]\nbootstrap = "file:1"\nprefix = "file."\n')
    monkeypatch.setenv("CARRYOVER_KAFKA__BOOTSTRAP", "environment:2")
    settings = load()
    assert settings.kafka == KafkaSettings(bootstrap="environment:2", prefix="file.")
    assert settings.catalogue.audit == "file.audit"


def test_an_empty_value_in_the_environment_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _file('[kafka]\nprefix = "file."\n')
    for name in ("CUTOVER__MAP", "KAFKA__PREFIX", "SOURCE__API_KEY"):
        monkeypatch.setenv(f"CARRYOVER_{name}", "")
    settings = load()
    assert settings.cutover.map is None
    assert settings.kafka.prefix == "file."
    assert settings.source.api_key is None


def test_an_empty_path_in_the_file_is_refused() -> None:
    _file('[cutover]\nmap = ""\n')
    with pytest.raises(SettingsError, match=r"cutover\.map in carryover\.toml is empty: name a file"):
        load()


def test_relative_paths_start_from_the_files_folder(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "key").write_text("from a file\n")
    (folder / "c.toml").write_text('[source]\napi_key_file = "key"\n[control]\nledger = "ledger.db"\n')
    settings = load(folder / "c.toml")
    assert settings.source.api_key is not None
    assert settings.source.api_key.get_secret_value() == "from a file"
    assert settings.ledger == folder / "ledger.db"


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARRYOVER_TARGET__CLIENT_SECRET", "hunter2")
    assert "hunter2" not in repr(load())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kafka]\npartitions = 0\n", "kafka.partitions (in carryover.toml) should be greater than or equal to 1"),
        ("[kafka]\nboostrap = 'x'\n", "kafka.boostrap (in carryover.toml) is no setting: did you mean bootstrap?"),
        ("[kafak]\n", "kafak (in carryover.toml) is no setting: did you mean kafka?"),
        ("kafka = 3\n", "kafka (in carryover.toml)"),
        ("[kafka\n", "carryover.toml is not TOML"),
        ("[source]\napi_key = 'x'\n", "set CARRYOVER_SOURCE__API_KEY or name a file by source.api_key_file"),
        ("[source]\napi_key_file = 'nowhere'\n", "source.api_key_file names nowhere, which can't be read"),
        ("[kafka]\nprefix = 'a b'\n", "kafka.prefix (in carryover.toml)"),
    ],
)
def test_a_mistake_in_the_file_is_one_clear_line(text: str, said: str) -> None:
    _file(text)
    with pytest.raises(SettingsError) as caught:
        load()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    _file("[kafka]\npartitions = 3\n")
    monkeypatch.setenv("CARRYOVER_KAFKA__PARTITIONS", "many")
    with pytest.raises(SettingsError, match=r"kafka\.partitions \(in CARRYOVER_KAFKA__PARTITIONS\) should be"):
        load()


def test_how_the_source_speaks_is_told_by_switches_and_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load().source.speech.text, load().source.zone) == ("auto", None)
    monkeypatch.setenv("CARRYOVER_SOURCE__PROFILE", "times=local, paging=cursor")
    monkeypatch.setenv("CARRYOVER_SOURCE__TIME_ZONE", "America/New_York")
    found = load().source
    assert (found.speech.times, found.speech.paging, str(found.zone)) == ("local", "cursor", "America/New_York")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PROFILE", "times=mars", "'times=mars' is neither auto nor a switch"),
        ("TIME_ZONE", "Mars/North", "no zone of that name"),
    ],
)
def test_a_way_to_speak_or_a_zone_that_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"CARRYOVER_SOURCE__{variable}", value)
    with pytest.raises(SettingsError, match=said):
        load()


def test_a_missing_file_that_was_named_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"There is no settings file nowhere\.toml"):
        load("nowhere.toml")


def test_what_a_command_needs_is_asked_for_by_name() -> None:
    with pytest.raises(SettingsError) as caught:
        load().need("source", "target")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("source.url is missing: set it in carryover.toml or as CARRYOVER_SOURCE__URL")
    assert len(lines) == 5


def test_a_reserve_is_a_share_and_who_writes_a_number_is_told_where_it_goes() -> None:
    _file("[target]\nreserve = 3000\n")
    with pytest.raises(
        SettingsError, match=r"target\.reserve \(in carryover\.toml\).*e\.g\. 0\.2.*target\.reserve_calls"
    ):
        load()
    _file("[target]\nreserve_calls = 3000\n")
    assert load().target.kept.of(15_000) == 3_000
    _file("")
    assert load().target.kept.of(15_000) == 3_000
