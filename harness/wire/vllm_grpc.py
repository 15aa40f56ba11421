"""vLLM's engine service (package smg-grpc-proto): what is asked, and what its messages say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from smg_grpc_proto import vllm_engine_pb2 as pb

from harness.wire.grpc import GrpcError

_SERVICE = "/vllm.grpc.engine.VllmEngine"
GENERATE = f"{_SERVICE}/Generate"
GET_MODEL_INFO = f"{_SERVICE}/GetModelInfo"

_UNDERSTOOD = {"model", "prompt", "max_tokens", "temperature", "ignore_eos", "stream", "stream_options"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of an answer. ``finish_reason`` is None in all but the last, ``tokens`` counts its ids.

    ``total_tokens`` is the server's own count where it gives one, else 0. vLLM counts the message's tokens
    only, so that the last message of a stream says 1 for an answer of any length.
    """

    tokens: int
    prompt_tokens: int
    cached_tokens: int
    finish_reason: str | None = None
    total_tokens: int = 0


def encode_generate(body: Mapping[str, Any], request_id: str) -> bytes:
    """Return the GenerateRequest of an OpenAI completions body; its prompt is a text or a list of token ids.

    Raises ValueError for a key that the engine service does not know.
    """
    unknown = body.keys() - _UNDERSTOOD
    if unknown:
        raise ValueError(f"vLLM's engine service does not understand {', '.join(sorted(unknown))}")
    request = pb.GenerateRequest(request_id=request_id, stream=bool(body.get("stream")))
    prompt = body["prompt"]
    if isinstance(prompt, str):
        request.text = prompt
    else:
        request.tokenized.input_ids.extend(prompt)
    sampling = request.sampling_params
    sampling.max_tokens = body["max_tokens"]
    sampling.temperature = body.get("temperature", 0.0)
    sampling.ignore_eos = bool(body.get("ignore_eos"))
    return bytes(request.SerializeToString())


def decode_piece(message: bytes) -> Piece:
    """Read a GenerateResponse. Raises GrpcError."""
    try:
        response = pb.GenerateResponse.FromString(message)
    except DecodeError:
        raise GrpcError("not a GenerateResponse") from None
    if response.HasField("chunk"):
        chunk = response.chunk
        return Piece(len(chunk.token_ids), chunk.prompt_tokens, chunk.cached_tokens)
    if response.HasField("complete"):
        last = response.complete
        return Piece(
            len(last.output_ids),
            last.prompt_tokens,
            last.cached_tokens,
            last.finish_reason,
            last.completion_tokens,
        )
    raise GrpcError("a GenerateResponse without content")


def encode_model_info_request() -> bytes:
    """Return a GetModelInfoRequest."""
    return bytes(pb.GetModelInfoRequest().SerializeToString())


def decode_model_name(message: bytes) -> str:
    """Return the name in a GetModelInfoResponse, or its path where it has no name. Raises GrpcError."""
    try:
        info = pb.GetModelInfoResponse.FromString(message)
    except DecodeError:
        raise GrpcError("not a GetModelInfoResponse") from None
    return str(info.served_model_name or info.model_path)
