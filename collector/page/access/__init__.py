"""Who may see the page.

visitor.py         somebody who may see it, and what they may do
cookies.py         the page's cookies, and the form tokens that are made from them
authorization.py   the API token of a program
authentication.py  who sends a request
sign_in.py         names and passwords
limits.py          how often somebody may try a password
known.py           browsers in which a user has signed in before
checks.py          one password hash at a time
"""
