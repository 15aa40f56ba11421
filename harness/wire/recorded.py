"""What every protocol's answer writes into its request's record."""

from __future__ import annotations

from abc import abstractmethod

from harness.measure.record import RequestRecord


class Recorded:
    """An answer with its times and counts. Instants are nanoseconds on the caller's clock."""

    __slots__ = ()

    status: int | None
    error_type: str | None
    first_byte_ns: int | None
    first_token_ns: int | None
    last_token_ns: int | None
    bytes_received: int
    chunks: int
    max_gap_ns: int
    gaps_ns: list[int] | None
    finish_reason: str | None

    def fill(self, record: RequestRecord, zero_ns: int) -> None:
        """Write what the answer was into ``record``; its instants count from ``zero_ns``."""
        for name in ("first_byte_ns", "first_token_ns", "last_token_ns"):
            instant_ns = getattr(self, name)
            if instant_ns is not None:
                setattr(record, name, instant_ns - zero_ns)
        record.http_status = self.status
        record.error_type = self.error_type
        record.chunks = self.chunks
        record.max_gap_ns = self.max_gap_ns
        record.finish_reason = self.finish_reason
        record.bytes_received = self.bytes_received
        record.gaps_ns = self.gaps_ns
        self._fill_tokens(record)

    @abstractmethod
    def _fill_tokens(self, record: RequestRecord) -> None:
        """Write the token counts and where they come from."""
