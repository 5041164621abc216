"""Every SQL statement of the page. One module a subject; values always travel apart from the text.

The time of each grows with the period that is shown, with the instances there are, or with a page
of rows, and of one with the failures of the places shown; never with the events kept.
"""
