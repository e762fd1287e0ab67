"""What to say where a package of an extra is not installed: one message for all."""


def missing(what: str, package: str, extra: str) -> ImportError:
    """The error of what was asked for, without the package; to be raised from the ImportError."""
    return ImportError(
        f'{what} needs {package}, which is not installed: install numdiff with the extra "{extra}", '
        f'as in: python -m pip install -e ".[{extra}]"'
    )
