from ._backend import backend
from ._approx import approx_derivative, approx_fprime
from ._check import check_derivative, check_grad
from ._sparse import group_columns
