"""The vendor's page: who installed, what failed, who is still alive.

app.py             the ASGI end: reads a request, answers it, sets the headers
access/            who may see the page: sign-in, sessions, form tokens
forms/             the pages that are forms: sign-in, setup, account, administration
frame.py           answers: HTML with what is around every page, errors, redirects
period.py          the days that a view shows
queries/           every SQL statement of the page, over the tables that ingestion keeps counted
view_types.py      what a view gets and what it returns
views/             one module per view: data and tables, written as HTML, JSON and CSV
charts.py          a chart as coordinates; templates/parts.html draws it
templates/         Jinja, always escaped
"""
