"""What the page asks of the control store, or of both stores. Events have questions of their own.

The time of a query depends on the period and on the rows of a page. It never depends on the number of events.
"""
