"""The measures of a plan. Each is described in one file of `kinds`; `registry` knows them all by name.

A description (`kind`) says how values are written (`quantity`), of what a measure is taken (`places`), how its tables
are made (`tables`, with `local` and `tails`) and what moves it (`moves`). `names` reads it for questions.
"""
