"""The vendor's page: who installed, what failed, who is still alive.

app.py       the ASGI end: reads a request, answers it, sets the headers
access.py    who may look: open on loopback, else signed in; sessions, CSRF tokens
period.py    the stretch of days that a view shows
queries/     every SQL statement of the page, over the tables that ingestion keeps counted
views/       a view is data and tables; HTML, JSON and CSV are three ways to write it
charts.py    what a chart shows, as coordinates; templates/charts.html draws it
templates/   Jinja, always escaped
"""
