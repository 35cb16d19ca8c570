"""What tells a team of what happens."""

from scriza.data_dir import Secrets
from scriza.factories.tools import patterns
from scriza.modules.accounts.sealing import Seal
from scriza.modules.webhooks.sender import Sender
from scriza.modules.webhooks.service import WebhooksService
from scriza.modules.webhooks.stored import MongoWebhooks
from scriza.ports.mail import Mail
from scriza.settings import Settings
from scriza_adapters.webhook_poster import SETTING, HttpPoster


def poster(settings: Settings) -> HttpPoster:
    """Posts where the settings allow it."""
    return HttpPoster(list(patterns(SETTING, settings.webhook_private_hosts)))


def webhooks(secrets: Secrets, book: MongoWebhooks, post: HttpPoster) -> WebhooksService:
    """The module's port; secrets are sealed as those of accounts are."""
    return WebhooksService(book, post, Seal(secrets.accounts_key))


def sender(secrets: Secrets, book: MongoWebhooks, post: HttpPoster, mail: Mail) -> Sender:
    """What makes the deliveries."""
    return Sender(book, post, mail, Seal(secrets.accounts_key))
