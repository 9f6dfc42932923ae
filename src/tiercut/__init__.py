"""tiercut: where to cut a deep neural network, where samples may leave early, and which machine runs each piece.

>>> import tiercut
>>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9)
>>> print(answer.best)

Names are imported when they are first used, so that ``import tiercut`` costs nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
