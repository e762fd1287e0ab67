"""Pictures with Matplotlib (the extra "plot"): functions and derivatives, descents, and the V-curve of the step.

``import numdiff`` does not import this; ``numdiff.plot`` does, when it is first asked for.

Each function draws on the axes given, or on those of a new figure, and returns what it drew on; `matplotlib.pyplot`
shows or saves it.
"""

from ._curves import function, step_sweep
from ._descents import animate, contours, descent

__all__ = ["animate", "contours", "descent", "function", "step_sweep"]
