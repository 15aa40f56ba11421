from __future__ import annotations

import torch

from target_server.engine.kv_cache import SlotCache


def cache() -> SlotCache:
    return SlotCache(
        layers=2, slots=3, length=4, kv_heads=2, head_dim=5, dtype=torch.float32, device=torch.device("cpu")
    )


def test_rows_are_slot_times_length_plus_position() -> None:
    kv = cache()
    key, value = torch.rand(2, 2, 5), torch.rand(2, 2, 5)
    kv.write(1, torch.tensor([2, 2 * 4 + 3]), key, value)
    assert torch.equal(kv.keys[1, 0, 2], key[0])
    assert torch.equal(kv.values[1, 2, 3], value[1])
    assert kv.keys[0].count_nonzero() == 0
    assert kv.keys[1].count_nonzero() == key.count_nonzero()


def test_moving_takes_all_layers_and_only_the_positions_asked_for() -> None:
    kv = cache()
    kv.keys.copy_(torch.rand(kv.keys.shape))
    kv.values.copy_(torch.rand(kv.values.shape))
    before = kv.keys.clone()
    kv.move(2, 0, 3)
    assert torch.equal(kv.keys[:, 0, :3], before[:, 2, :3])
    assert torch.equal(kv.keys[:, 0, 3], before[:, 0, 3])
    assert torch.equal(kv.values[:, 0, :3], kv.values[:, 2, :3])
