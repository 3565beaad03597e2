"""The front door can be read: short, in lines that fit, and its picture is there."""

from tests.documents import ROOT

README = (ROOT / "README.md").read_text()


def test_the_readme_is_about_a_hundred_lines_that_fit() -> None:
    lines = README.splitlines()
    assert len(lines) <= 130
    assert max(map(len, lines)) <= 120


def test_the_picture_is_a_drawing_of_a_run() -> None:
    picture = (ROOT / "docs" / "events.svg").read_text()
    assert picture.startswith("<svg")
    assert "events.svg" in README
