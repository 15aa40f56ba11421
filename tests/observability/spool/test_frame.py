"""Entries of a segment: sound ones are read back, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.spool import frame

payloads = st.binary(min_size=1, max_size=300)


def test_an_entry_is_length_checksum_and_payload_little_endian() -> None:
    # CRC32C of 01 00 00 00 61, by the bit-at-a-time definition below.
    assert (
        frame.encode(b"a") == b"\x01\x00\x00\x00" + crc32c(b"\x01\x00\x00\x00a").to_bytes(4, "little") + b"a"
    )


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert frame._checksum(b"1234", b"56789") == 0xE3069283


def test_zeros_are_no_entry() -> None:
    assert frame.decode(bytes(64)) is None


@given(st.lists(payloads, max_size=8))
def test_what_was_encoded_is_decoded_in_order(entries: list[bytes]) -> None:
    data = b"".join(map(frame.encode, entries))
    assert decoded(data) == (entries, len(data))


@given(payloads, st.data())
def test_one_flipped_bit_anywhere_makes_an_entry_unsound(payload: bytes, data: st.DataObject) -> None:
    entry = bytearray(frame.encode(payload))
    at = data.draw(st.integers(0, len(entry) - 1))
    entry[at] ^= 1 << data.draw(st.integers(0, 7))
    assert frame.decode(bytes(entry)) is None


@given(st.lists(payloads, min_size=1, max_size=5), st.data())
def test_a_cut_at_any_byte_leaves_the_entries_before_it(entries: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(map(frame.encode, entries))
    cut = data.draw(st.integers(0, len(whole)))
    kept, end = decoded(whole[:cut])
    assert kept == entries[: len(kept)]
    assert end == sum(len(entry) + frame.HEADER_BYTES for entry in kept) <= cut
    assert len(kept) == len(entries) or cut < end + frame.HEADER_BYTES + len(entries[len(kept)])


@pytest.mark.parametrize("size", [0, frame.MAX_PAYLOAD_BYTES + 1])
def test_an_empty_and_an_oversized_payload_are_refused_with_the_allowed_sizes(size: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {frame.MAX_PAYLOAD_BYTES} bytes, not {size}"):
        frame.encode(bytes(size))


def decoded(data: bytes) -> tuple[list[bytes], int]:
    found, at = [], 0
    while (entry := frame.decode(data, at)) is not None:
        payload, at = entry
        found.append(payload)
    return found, at


def crc32c(data: bytes) -> int:
    """The definition: reflected polynomial 0x82F63B78, all ones before and after."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
