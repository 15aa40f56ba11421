from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from target_server.engine.text import Detokenizer, StopStrings


class Pieces:
    """A vocabulary made for one text: token i is the text's i-th piece of bytes."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(self.pieces[token] for token in tokens).decode("utf-8", "replace")


def cut(data: bytes, lengths: list[int]) -> list[bytes]:
    pieces = []
    for length in lengths:
        pieces.append(data[:length])
        data = data[length:]
    return [piece for piece in [*pieces, data] if piece]


def pushed(pieces: list[bytes]) -> list[str]:
    detokenizer = Detokenizer(Pieces(pieces).decode)
    return [detokenizer.push(token) for token in range(len(pieces))]


cuts = st.lists(st.integers(1, 3), max_size=80)
valid_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=40)


@given(valid_text, cuts)
def test_any_cut_of_a_text_into_tokens_gives_the_text_and_no_broken_character(
    text: str, lengths: list[int]
) -> None:
    parts = pushed(cut(text.encode(), lengths))
    assert "".join(parts) == text
    assert not any("\ufffd" in part for part in parts)


@given(st.binary(max_size=60), cuts)
def test_bytes_that_are_no_text_come_out_as_the_decoder_says_but_for_an_unfinished_end(
    data: bytes, lengths: list[int]
) -> None:
    whole = data.decode("utf-8", "replace")
    sent = "".join(pushed(cut(data, lengths)))
    assert whole.startswith(sent)
    assert set(whole[len(sent) :]) <= {"\ufffd"}
    assert len(whole) - len(sent) <= 3


def test_a_character_is_sent_with_its_last_byte() -> None:
    assert pushed([b"a", b"\xe6", b"\x97", b"\xa5", b"b"]) == ["a", "", "", "日", "b"]


def passed(stops: list[str], pieces: list[str]) -> tuple[str, bool]:
    stop_strings, sent = StopStrings(stops), ""
    for piece in pieces:
        text, stopped = stop_strings.push(piece)
        sent += text
        if stopped:
            return sent, True
    return sent + stop_strings.flush(), False


letters = st.text("ab", max_size=12)


@given(st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), letters, cuts)
def test_the_cut_at_a_stop_string_does_not_depend_on_the_pieces(
    stops: list[str], text: str, lengths: list[int]
) -> None:
    pieces = [piece.decode() for piece in cut(text.encode(), lengths)]
    assert passed(stops, pieces) == passed(stops, list(text))


@given(st.text("ab", min_size=1, max_size=4), letters)
def test_a_stop_string_ends_the_text_before_its_first_occurrence(stop: str, text: str) -> None:
    assert passed([stop], list(text)) == (text.split(stop)[0], stop in text)


def test_a_beginning_that_leads_nowhere_is_sent_as_soon_as_that_is_known() -> None:
    stop_strings = StopStrings(["END"])
    assert stop_strings.push("the E") == ("the ", False)
    assert stop_strings.push("N") == ("", False)
    assert stop_strings.push("TER") == ("ENTER", False)
