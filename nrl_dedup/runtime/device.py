"""Where the arithmetic happens: `--device auto|cpu|cuda|cuda:N`."""

import torch

from nrl_dedup.errors import NrlDedupError


def pick_device(name: str = "auto") -> torch.device:
    """The device that `--device` names; `auto` is the first GPU, or the processor where there is none.

    :raises NrlDedupError: the name is not a device, or this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise NrlDedupError(
            f"--device {name}: no such device. Use auto, cpu, cuda or cuda:N."
        ) from None
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise NrlDedupError(
            f"--device {name}: only cpu and cuda are supported. Use auto, cpu, cuda or cuda:N."
        )
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise NrlDedupError(
            f"--device {name}: this machine has {count} CUDA devices. Use --device cpu or auto."
        )
    return device


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Whether training is to multiply matrices in bfloat16 there, because the device has instructions for it.

    A processor with them (AVX512-BF16 or AMX) multiplies 4 times as fast; one without them would be slower.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Newer than the oldest torch that we accept.
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    found: dict[str, object] = capabilities() if capabilities else {}
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
