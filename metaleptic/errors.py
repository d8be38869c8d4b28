"""Every exception and warning that metaleptic raises, so that callers can catch by meaning."""


class MetalepticError(Exception):
    """Base of all errors of the package: catching it catches nothing else."""


class DataError(MetalepticError, ValueError):
    """The numbers handed in cannot be right; the message names study, row and column."""


class OptionError(MetalepticError, ValueError):
    """An option of a call is unknown or does not fit the others."""


class NotEstimableError(MetalepticError, ArithmeticError):
    """The numbers are fine, but what was asked for cannot be computed from them."""


class MetalepticWarning(UserWarning):
    """Base of all warnings of the package."""


class SuspiciousDataWarning(MetalepticWarning):
    """A number is possible but looks like a slip: check it against the paper."""


class ExcludedRowsWarning(MetalepticWarning):
    """Rows of the input could not be used; they are listed in ``effects.excluded``."""


class FewStudiesWarning(MetalepticWarning):
    """One or two studies only: what can honestly be said is little."""
