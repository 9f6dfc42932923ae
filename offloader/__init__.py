"""Plans at work: bundles, agents that run them, and links shaped as a topology says.

What other rooms may take stands in ``__init__.pyi`` and is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
