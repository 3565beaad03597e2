"""Settings in files, as Docker (/run/secrets) and Kubernetes (a mounted Secret) hand out secrets."""

from pathlib import Path

import pytest

from processors.settings import MaterializeSettings
from service.settings import BadSettings, load

PASSWORD = "EVENTS_CLICKHOUSE__PASSWORD"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENTS_SECRETS_DIR", str(tmp_path))
    return tmp_path


def password() -> str:
    return load(MaterializeSettings).clickhouse.password.get_secret_value()


def refused() -> str:
    with pytest.raises(BadSettings) as error:
        load(MaterializeSettings)
    return "\n".join(error.value.lines)


def test_a_file_is_a_variable_and_its_last_line_break_is_not_part_of_it(folder: Path) -> None:
    (folder / PASSWORD).write_text("s3cret\n")
    (folder / "another-programs-key").write_text("x")
    assert password() == "s3cret"


def test_a_secret_that_kubernetes_mounts_is_read_through_its_links(folder: Path) -> None:
    data = folder / "..2026_01_31"
    data.mkdir()
    (data / PASSWORD).write_text("s3cret")
    (folder / "..data").symlink_to(data.name)
    (folder / PASSWORD).symlink_to(f"..data/{PASSWORD}")
    assert password() == "s3cret"


def test_a_misspelt_file_is_refused_by_its_name(folder: Path) -> None:
    (folder / "EVENTS_CLICKHOUSE__PASSWRD").write_text("s3cret")
    assert refused().startswith("EVENTS_CLICKHOUSE__PASSWRD: no setting has this name. Did you")


def test_a_file_beside_the_variable_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / PASSWORD).write_text("one")
    monkeypatch.setenv(PASSWORD, "other")
    assert refused() == f"{PASSWORD}: is a variable and a file in EVENTS_SECRETS_DIR; which counts?"


def test_a_wrong_value_in_a_file_is_named_and_a_password_not_shown(folder: Path) -> None:
    (folder / "EVENTS_CLICKHOUSE__TIMEOUT_S").write_text("soon")
    assert refused().startswith("EVENTS_CLICKHOUSE__TIMEOUT_S: Input should be a valid number")


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_SECRETS_DIR", "/no/such/folder")
    assert refused().startswith("EVENTS_SECRETS_DIR: directory ")
