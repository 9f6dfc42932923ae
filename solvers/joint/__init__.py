"""Plans of several streams of frames that share the machines: column generation, and an integer choice among columns.

`task` says what is asked, `columns` prices one stream's plans, `master` chooses among the plans that are known, and
`search` goes back and forth between the two until nothing better can be.
"""
