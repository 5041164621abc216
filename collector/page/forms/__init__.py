"""The pages that are forms: each is shown to somebody, and does what they sent."""

from __future__ import annotations

from collector.page.forms import account, admin, alerts, setup, sign_in, start
from collector.page.forms.form_types import Form

# Forms by path.
FORMS: dict[str, Form] = {
    "/signin": Form(sign_in.show_sign_in, sign_in.submit_sign_in, to_strangers=True),
    "/signout": Form(sign_in.show_nothing, sign_in.submit_sign_out, to_strangers=True),
    "/setup": Form(setup.show_setup, setup.submit_setup, to_strangers=True),
    "/start": Form(start.show_start, start.submit_start),
    "/account": Form(account.show_account, account.submit_account),
    "/admin": Form(admin.show_admin, admin.submit_admin),
    "/alerts/limits": Form(alerts.show_limits, alerts.submit_limits),
}
