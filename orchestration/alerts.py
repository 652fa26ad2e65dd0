"""Messages to people when a night needs them: to a webhook, by mail, or both.

Source of the formats: Slack's incoming webhooks, Microsoft's "Post to a channel when a webhook
request is received" (Adaptive Card 1.4).
"""

import json
import smtplib
import urllib.request
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from orchestration.console import console
from orchestration.publication.build import published_build
from orchestration.settings import Settings, UserError, variable

_TIMEOUT_S = 20


def alert(settings: Settings, title: str, text: str) -> None:
    """Tell people, wherever they have set. What cannot be sent is said here, and stops nothing."""
    ways = {"alert_webhook_url": _post, "alert_mail_to": _mail}
    for name, send in ways.items():
        if not getattr(settings, name):
            continue
        try:
            send(settings, title, text)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # The text of these errors may hold the address, and with it the secret.
            why = getattr(error, "code", None) or getattr(error, "smtp_code", None)
            console.print(
                f"An alert could not be sent as {variable(name)} says ({type(error).__name__}"
                f"{f' {why}' if why else ''}): {title}",
                style="red",
            )


def night_failed(settings: Settings, error: BaseException) -> None:
    """Tell people why a night failed, what still stands, and what to do first."""
    first = "" if isinstance(error, UserError) else "First look at the run in Dagster.\n"
    alert(settings, "AI usage: the night has failed", f"{error}\n\n{first}{_what_stands(settings)}")


def night_is_late(settings: Settings, since: datetime) -> None:
    """Tell people that no night has ended well since then."""
    alert(
        settings,
        "AI usage: no night has ended well",
        f"The last one did at {since:%Y-%m-%d %H:%M} UTC. First see in Dagster whether the "
        f"schedule is on and what the last run said.\n{_what_stands(settings)}",
    )


def _what_stands(settings: Settings) -> str:
    build = published_build(settings)
    if not build:
        return "Nothing has been published yet."
    return f"Readers have the figures that were published {build.built_at}."


def _post(settings: Settings, title: str, text: str) -> None:
    body: dict = {"text": f"*{title}*\n{text}"}
    if settings.alert_webhook_format == "card":
        blocks = [
            {"type": "TextBlock", "text": title, "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": text, "wrap": True},
        ]
        card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        body = {"type": "message", "attachments": [attachment]}
    request = urllib.request.Request(  # noqa: S310 - its scheme was checked
        settings.alert_webhook_url.get_secret_value(),
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()  # noqa: S310


def _mail(settings: Settings, title: str, text: str) -> None:
    message = EmailMessage()
    message["Subject"] = title
    message["To"] = settings.alert_mail_to
    message["From"] = settings.alert_mail_from or settings.alert_mail_to.split(",")[0]
    message.set_content(text)
    server = urlsplit(settings.smtp_url.get_secret_value())
    connect = smtplib.SMTP_SSL if server.scheme == "smtps" else smtplib.SMTP
    with connect(server.hostname, server.port or 0, timeout=_TIMEOUT_S) as smtp:
        if server.username:
            if server.scheme == "smtp":
                smtp.starttls()
            smtp.login(unquote(server.username), unquote(server.password or ""))
        smtp.send_message(message)
