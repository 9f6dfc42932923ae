"""Who finds plans: a registry of solvers, each of which answers a `tiercut.solvers.task.Task`.

The solver to copy for a new one is `tiercut.solvers.heuristics.random_search`. What other rooms may take stands in
``__init__.pyi`` and is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
