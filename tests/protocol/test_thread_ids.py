import uuid

import pytest
from hypothesis import given, strategies as st

from codexd.protocol.thread_ids import canonical, is_thread_id

ID = "01a22d79-4f36-7202-b6e2-72ca4762086e"
ACCEPTED = [
    ID,
    ID.upper(),
    "01A22D79" + ID[8:],
    uuid.UUID(ID).hex,
    uuid.UUID(ID).hex.upper(),
    "{" + ID + "}",
    "{" + ID.upper() + "}",
    "urn:uuid:" + ID,
    "urn:uuid:" + ID.upper(),
]
REFUSED = [
    "",
    "t1",
    ID[:-1],
    ID + "0",
    " " + ID,
    ID + "\n",
    ID + "\0",
    "{" + ID,
    ID + "}",
    "(" + ID + ")",
    "{" + uuid.UUID(ID).hex + "}",
    "urn:uuid:" + uuid.UUID(ID).hex,
    "URN:UUID:" + ID,
    "urn:uuid:{" + ID + "}",
    "01a2-2d794f367202b6e272ca4762086e",
    ID.replace("0", "\N{FULLWIDTH DIGIT ZERO}"),
    "01A22D79-4F36-7202-B6E2-72CA4762086G",
    "01a22d79-4f36-7202-b6e2-72ca4762086g",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_whatever_codex_takes_for_an_id_has_one_form(text: str) -> None:
    """These are the spellings that 0.163 and 0.171 took, and answered with their own."""
    assert (is_thread_id(text), canonical(text)) == (True, ID)


@pytest.mark.parametrize("text", REFUSED)
def test_what_codex_refuses_stays_as_it_is(text: str) -> None:
    """It is Codex's to refuse, in the client's own words."""
    assert (is_thread_id(text), canonical(text)) == (False, text)


@given(st.uuids())
def test_every_uuid_is_known_by_its_form_with_dashes(one: uuid.UUID) -> None:
    """Also one that has no letters, which is neither in capitals nor in small ones."""
    spellings = (str(one), str(one).upper(), one.hex, one.urn, f"{{{one}}}")
    assert {canonical(text) for text in spellings} == {str(one)}


def test_an_id_without_letters_is_one() -> None:
    """Nothing in it is small or capital."""
    assert canonical("0" * 32) == canonical(str(uuid.UUID(int=0))) == str(uuid.UUID(int=0))


@given(st.text())
def test_the_form_of_a_form_is_itself(text: str) -> None:
    """Of any text."""
    assert canonical(canonical(text)) == canonical(text)
