"""The model that requests will name: asked of the target, in its own protocol."""

from __future__ import annotations

from harness.errors import TargetUnreachableError
from harness.scenario.model import Target
from harness.telemetry import target as http_target


def with_model(target: Target) -> Target:
    """Return the target with the model that its requests will name; the target must answer in any case.

    Raises TargetUnreachableError when nothing answers, and UsageError when it names no model.
    """
    if target.protocol == "http":
        return http_target.with_model(target)
    from harness.load.grpc_unary import call_once
    from harness.wire.grpc import GrpcError
    from harness.wire.vllm_grpc import GET_MODEL_INFO, decode_model_name, encode_model_info_request

    try:
        name = decode_model_name(call_once(target, GET_MODEL_INFO, encode_model_info_request()))
    except GrpcError as error:
        raise TargetUnreachableError(f"{target.url}: {error}") from None
    return target.model_copy(update={"model": target.model or name or None})
