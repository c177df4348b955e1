"""The operator as a layer for torch: `Conv2D`, and the way between it and ``torch.nn.Conv2d``.

`Conv2D` owns a kernel and learns it; `replace_conv2d` puts it into a model where it is faster than torch's
own. This room knows parameters, options and other people's models; how a result or a gradient is computed is
known below, by the operator alone.
"""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError(
        "corr2d.nn must have torch, got an environment without it. Install it with `pip install torch`.",
        name="torch",
    )

from corr2d.nn.layer import Conv2D
from corr2d.nn.replacement import Replacement, replace_conv2d

__all__ = ["Conv2D", "Replacement", "replace_conv2d"]
