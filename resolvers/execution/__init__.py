"""The plan executor: a document is compiled once, and its rows are completed level by level, a column at a time.

::

    operation.py   which plan an operation has, and who executes it: the plan, or graphql-core where there is none
    plan.py        what a selection asks for, field by field: plain attributes, edges, facts, functions
    writing.py     the generated functions: from rows and columns to bytes of JSON
    following.py   an edge for all rows of a level at once
    run.py         one operation: levels, columns, and what waits for what
    generic.py     plans for any schema, so that tests which others wrote for the reference can be run on plans

There are two ways to an answer and no third: the plan, or the reference implementation. Whatever is not regular (an
error, a null where none may be, a value of another type, a bound that was not met) ends the plan, and graphql-core
executes the operation over the same loaders, which ask for nothing twice.
"""
