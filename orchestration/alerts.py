"""Messages to people when a night needs them: to a webhook, by mail, or both.

    AI_USAGE_ALERT_WEBHOOK_URL      where a JSON message is posted
    AI_USAGE_ALERT_WEBHOOK_FORMAT   text (Slack, Mattermost, Teams connectors) or card (Teams
                                    workflows); text if not set
    AI_USAGE_ALERT_MAIL_TO          addresses, with commas between them
    AI_USAGE_ALERT_MAIL_FROM        the sender; the first recipient if not set
    AI_USAGE_SMTP_URL               smtp://user:password@host:port, or smtps:// for TLS from the
                                    start; with a password smtp:// turns to TLS, too

All from the environment, since a webhook's address and a password are secrets.
Source of the formats: Slack's incoming webhooks, Microsoft's "Post to a channel when a webhook
request is received" (Adaptive Card 1.4).
"""

import json
import os
import smtplib
import urllib.request
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from orchestration.console import console
from orchestration.publication.build import published_build
from orchestration.settings import Settings, UserError

_TIMEOUT_S = 20


def check_alert_settings() -> None:
    """Find wrong settings now, and not in the night in which they are needed.

    Raises:
        UserError: a setting is wrong; names it, and not what it holds.
    """
    webhook = os.environ.get("AI_USAGE_ALERT_WEBHOOK_URL")
    if webhook and urlsplit(webhook).scheme not in ("http", "https"):
        raise UserError("AI_USAGE_ALERT_WEBHOOK_URL is no address that begins with https://.")
    if os.environ.get("AI_USAGE_ALERT_WEBHOOK_FORMAT", "text") not in ("text", "card"):
        raise UserError("AI_USAGE_ALERT_WEBHOOK_FORMAT may be text or card.")
    if os.environ.get("AI_USAGE_ALERT_MAIL_TO"):
        server = urlsplit(os.environ.get("AI_USAGE_SMTP_URL", ""))
        if server.scheme not in ("smtp", "smtps") or not server.hostname:
            raise UserError(
                "AI_USAGE_ALERT_MAIL_TO is set, so AI_USAGE_SMTP_URL must name the mail server: "
                "smtp://host:port or smtps://user:password@host:port."
            )


def alert(title: str, text: str) -> None:
    """Tell people, wherever they have set. What cannot be sent is said here, and stops nothing."""
    ways = {"AI_USAGE_ALERT_WEBHOOK_URL": _post, "AI_USAGE_ALERT_MAIL_TO": _mail}
    for setting, send in ways.items():
        if not os.environ.get(setting):
            continue
        try:
            send(title, text)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # The text of these errors may hold the address, and with it the secret.
            why = getattr(error, "code", None) or getattr(error, "smtp_code", None)
            console.print(
                f"An alert could not be sent as {setting} says ({type(error).__name__}"
                f"{f' {why}' if why else ''}): {title}",
                style="red",
            )


def night_failed(settings: Settings, error: BaseException) -> None:
    """Tell people why a night failed, what still stands, and what to do first."""
    first = "" if isinstance(error, UserError) else "First look at the run in Dagster.\n"
    alert("AI usage: the night has failed", f"{error}\n\n{first}{_what_stands(settings)}")


def night_is_late(settings: Settings, since: datetime) -> None:
    """Tell people that no night has ended well since then."""
    alert(
        "AI usage: no night has ended well",
        f"The last one did at {since:%Y-%m-%d %H:%M} UTC. First see in Dagster whether the "
        f"schedule is on and what the last run said.\n{_what_stands(settings)}",
    )


def _what_stands(settings: Settings) -> str:
    build = published_build(settings)
    if not build:
        return "Nothing has been published yet."
    return f"Readers have the figures that were published {build.built_at}."


def _post(title: str, text: str) -> None:
    body: dict = {"text": f"*{title}*\n{text}"}
    if os.environ.get("AI_USAGE_ALERT_WEBHOOK_FORMAT") == "card":
        blocks = [
            {"type": "TextBlock", "text": title, "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": text, "wrap": True},
        ]
        card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        body = {"type": "message", "attachments": [attachment]}
    request = urllib.request.Request(  # noqa: S310 - its scheme is checked above
        os.environ["AI_USAGE_ALERT_WEBHOOK_URL"],
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()  # noqa: S310


def _mail(title: str, text: str) -> None:
    recipients = os.environ["AI_USAGE_ALERT_MAIL_TO"]
    message = EmailMessage()
    message["Subject"] = title
    message["To"] = recipients
    message["From"] = os.environ.get("AI_USAGE_ALERT_MAIL_FROM") or recipients.split(",")[0]
    message.set_content(text)
    server = urlsplit(os.environ["AI_USAGE_SMTP_URL"])
    connect = smtplib.SMTP_SSL if server.scheme == "smtps" else smtplib.SMTP
    with connect(server.hostname, server.port or 0, timeout=_TIMEOUT_S) as smtp:
        if server.username:
            if server.scheme == "smtp":
                smtp.starttls()
            smtp.login(unquote(server.username), unquote(server.password or ""))
        smtp.send_message(message)
