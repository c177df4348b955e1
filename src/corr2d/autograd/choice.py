"""Whether torch's own adjoints or ours are estimated to take less time."""

from __future__ import annotations

from typing import Any

from corr2d.adjoints import Geometry, kernel_seconds
from corr2d.adjoints.image import image_seconds
from corr2d.dtypes import Types
from corr2d.engines import Spec, constants
from corr2d.engines.torch import products
from corr2d.plan import get_num_threads, kinds
from corr2d.weights import Traits


def torch_is_cheaper(direction: str, image: Any, kernel: Any, geometry: Geometry, *tensors: Any) -> bool:
    """Compare for `direction`, "image" or "kernel"; torch takes part where all tensors have one plain dtype."""
    dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors}
    if dtypes not in ({"float32"}, {"float64"}):
        return False
    dtype = dtypes.pop()
    key = ("choice", direction, tuple(image), tuple(kernel), geometry, dtype)
    found = kinds.get(key)
    if found is None:
        found = _compare(direction, tuple(image), tuple(kernel), geometry, dtype)
        kinds.keep(key, found)
    return bool(found)


def _compare(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, dtype: str
) -> bool:
    types = Types(dtype, dtype, dtype, dtype, exact=False)
    spec = Spec(
        rows=geometry.rows,
        columns=geometry.columns,
        types=types,
        fill=0,
        batch=image[:1],
        channelled=True,
        groups=geometry.groups,
        channels=kernel[1],
        out_channels=kernel[0] // geometry.groups,
        image_swapped=False,
        out_swapped=False,
        traits=Traits(),
        tensor=True,
    )
    seconds = constants("torch")
    work = products(spec, direction, get_num_threads())
    by_torch = sum(seconds[name] * amount for name, amount in work.items())
    ours = image_seconds if direction == "image" else kernel_seconds
    return by_torch < ours(image, kernel, geometry, types)
