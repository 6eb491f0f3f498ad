"""The crosswalk: keys that systems and we name differently, kept in a table that wins over every rule.

``store`` keeps it (SQLite or PostgreSQL), ``table`` holds it in memory, ``layer`` applies it around every call,
``waiting`` collects what could not be matched, ``service`` keeps them together, ``cli`` is for the operator.
"""
