"""Alerts reach real servers on loopback, and one that cannot be sent stops nothing."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes

import pytest
from aiosmtpd.controller import Controller
from conftest import Warehouse, free_port, webhook

from orchestration.alerts import alert, night_failed, night_is_late
from orchestration.settings import UserError, read_settings


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict]]:
    """What a webhook receives."""
    with webhook() as (address, received):
        monkeypatch.setenv("AI_USAGE_ALERT_WEBHOOK_URL", f"{address}/secret")
        yield received


class Mailbox:
    def __init__(self) -> None:
        self.mails: list = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=0)
    controller.port = free_port()
    controller.start()
    monkeypatch.setenv("AI_USAGE_SMTP_URL", f"smtp://127.0.0.1:{controller.port}")
    monkeypatch.setenv("AI_USAGE_ALERT_MAIL_TO", "night@example.com, admin@example.com")
    yield box
    controller.stop()


def test_a_failed_night_is_told_to_webhook_and_mail(
    warehouse: Warehouse, posted: list[dict], mailbox: Mailbox
) -> None:
    night_failed(warehouse.settings, UserError("otel: put the file right and run again."))
    [message] = posted
    assert message["text"].startswith("*AI usage: the night has failed*\notel: put the file right")
    assert "Nothing has been published yet." in message["text"]
    [(recipients, mail)] = mailbox.mails
    assert recipients == ["night@example.com", "admin@example.com"]
    assert mail["Subject"] == "AI usage: the night has failed"
    assert "otel: put the file right" in mail.get_payload()


def test_an_error_of_our_own_and_a_late_night(warehouse: Warehouse, posted: list[dict]) -> None:
    night_failed(warehouse.settings, ValueError("what is this?"))
    assert "First look at the run in Dagster." in posted[0]["text"]
    night_is_late(warehouse.settings, datetime(2026, 11, 20, 2, tzinfo=UTC))
    assert "The last one did at 2026-11-20 02:00 UTC" in posted[1]["text"]


def test_a_card_for_teams(posted: list[dict], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_ALERT_WEBHOOK_FORMAT", "card")
    alert(read_settings(), "title", "text")
    [attachment] = posted[0]["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in attachment["content"]["body"]] == ["title", "text"]


@pytest.mark.parametrize("fault", ["refused", "nobody there"])
def test_what_cannot_be_sent_is_said_without_the_secret(
    posted: list[dict],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    fault: str,
) -> None:
    address = f"http://127.0.0.1:{free_port()}/secret"
    if fault == "refused":
        address = os.environ["AI_USAGE_ALERT_WEBHOOK_URL"] + "/refused"
    monkeypatch.setenv("AI_USAGE_ALERT_WEBHOOK_URL", address)
    said = []
    monkeypatch.setattr("orchestration.alerts.console.print", lambda text, **_: said.append(text))
    alert(read_settings(), "the night has failed", "text")
    assert "AI_USAGE_ALERT_WEBHOOK_URL" in said[0]
    assert "the night has failed" in said[0]
    assert "secret" not in said[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"AI_USAGE_ALERT_WEBHOOK_URL": "hooks.example.com/secret"},
            "WEBHOOK_URL is wrong, .* begins with https://",
        ),
        (
            {"AI_USAGE_ALERT_WEBHOOK_FORMAT": "teams"},
            "WEBHOOK_FORMAT is 'teams'. .* text or card",
        ),
        ({"AI_USAGE_SMTP_URL": "https://mail.example.com/secret"}, "smtps://user:password@"),
        ({"AI_USAGE_ALERT_MAIL_TO": "ann@example.com"}, "AI_USAGE_SMTP_URL must name"),
    ],
)
def test_wrong_settings(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=said) as error:
        read_settings()
    assert "secret" not in str(error.value)
