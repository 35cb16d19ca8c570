"""Reports: calls become figures, figures are kept added up by day, and reports are read from those sums.

    log of a call -> counting -> figures -> days (documents) -> reports -> JSON, CSV

Everything between is pure; `counter` does the writing, `service` the reading.
"""
