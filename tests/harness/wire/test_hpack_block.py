import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.hpack_block import ConstantFields, literal

CONSTANT = [(b":method", b"POST"), (b":path", b"/a/b"), (b"te", b"trailers")]
VISIBLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=400).map(str.encode)


def decoded(decoder: Decoder, block: bytes) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]


@given(st.lists(VISIBLE, min_size=1, max_size=5))
def test_a_literal_is_what_a_foreign_decoder_reads_and_leaves_its_table_alone(values: list[bytes]) -> None:
    decoder = Decoder()
    fields = [(b"x-field", value) for value in values]
    assert decoded(decoder, b"".join(literal(*field) for field in fields)) == fields
    assert len(decoder.header_table.dynamic_entries) == 0


def test_the_constant_fields_cost_a_byte_each_from_the_second_request_on() -> None:
    fields, decoder = ConstantFields(CONSTANT), Decoder()
    own = literal(b"traceparent", b"00-1")
    assert decoded(decoder, fields.block(4096, first=True) + own) == [*CONSTANT, (b"traceparent", b"00-1")]
    for _ in range(3):
        again = fields.block(4096, first=False)
        assert len(again) == 3
        assert decoded(decoder, again + own) == [*CONSTANT, (b"traceparent", b"00-1")]


def test_a_small_table_is_not_used() -> None:
    fields, decoder = ConstantFields(CONSTANT), Decoder()
    for first in (True, False):
        assert decoded(decoder, fields.block(100, first=first)) == CONSTANT
    assert len(decoder.header_table.dynamic_entries) == 0


def test_fields_that_do_not_fit_the_table_are_sent_whole_each_time() -> None:
    large = [(b"authorization", b"k" * 5000)]
    fields, decoder = ConstantFields(large), Decoder()
    assert decoded(decoder, fields.block(65_536, first=True)) == large
    assert decoded(decoder, fields.block(65_536, first=False)) == large


@pytest.mark.parametrize("value", [b"two\r\nlines", b"\x00", "ä".encode()])
def test_a_value_that_no_field_may_hold_is_refused_without_being_repeated(value: bytes) -> None:
    with pytest.raises(ValueError, match="authorization") as error:
        literal(b"authorization", value)
    assert "lines" not in str(error.value)
