"""An id in a path has one spelling."""

import uuid

import pytest

from contracts.ids import read_id
from contracts.problems import Problem

ID = "01a20d33-994f-74a1-8936-e15ecec113da"
OTHER_SPELLINGS = {
    "capitals": ID.upper(),
    "braces": f"{{{ID}}}",
    "a URN": f"urn:uuid:{ID}",
    "no dashes": ID.replace("-", ""),
    "dashes elsewhere": ID.replace("-", "", 1)[:9] + "-" + ID.replace("-", "", 1)[9:],
    "an Arabic digit": ID.replace("0", "\u0660", 1),
    "an underscore": ID.replace("0", "_", 1),
    "a blank before it": f" {ID}",
    "a line break behind it": f"{ID}\n",
    "one digit less": ID[:-1],
    "one digit more": f"{ID}0",
    "nothing": "",
    "a word": "latest",
}


def test_the_one_spelling_is_read() -> None:
    assert read_id(ID, "event") == uuid.UUID(ID)


@pytest.mark.parametrize("text", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS.keys())
def test_every_other_spelling_is_a_bad_request_that_names_its_size(text: str) -> None:
    with pytest.raises(Problem, match=rf"^The event id has {len(text)} characters") as refused:
        read_id(text, "event")
    assert refused.value.status == 400
