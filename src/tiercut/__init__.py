"""tiercut: where to cut a deep neural network, where samples may leave early, and which machine runs each piece.

>>> import tiercut
>>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9)
>>> print(answer.best)

Names are imported when they are first used, so that ``import tiercut`` costs nothing.
"""

import lazy_loader

from tiercut import shown

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def _text(result: object) -> str:
    from tiercut.report import as_text

    return as_text(result)


def _html(result: object) -> str:
    from tiercut.report import as_html

    return as_html(result)


shown.views.update(text=_text, html=_html)
