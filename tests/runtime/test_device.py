"""Where training multiplies matrices in bfloat16."""

import pytest
import torch

from nrl_dedup.runtime.device import multiplies_in_bfloat16


@pytest.mark.parametrize(
    ("instructions", "wanted"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_a_processor_uses_bfloat16_only_with_instructions_for_it(
    instructions: dict[str, object], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    assert multiplies_in_bfloat16(torch.device("cpu")) is wanted


@pytest.mark.parametrize(("supported", "wanted"), [(True, True), (False, False)])
def test_a_gpu_without_bfloat16_trains_in_single_precision(
    supported: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda **how: asked.append(how) or supported
    )
    assert multiplies_in_bfloat16(torch.device("cuda")) is wanted
    assert asked == [{"including_emulation": False}]
