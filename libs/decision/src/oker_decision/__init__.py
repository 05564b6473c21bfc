"""From ballots to a decision, computed exactly: no broker, no database, no clock (strategy, 4.4).

The same content, candidates and tallies give the same result, byte for byte, on every machine and for ever.
"""
