"""The Celery app of what talks to the broker alone: `celery -A worker.control beat`, or `flower`.

It needs neither the database nor the bucket, and so is not given their secrets.
"""

import sys

from domain.errors import ConfigurationError
from tasks.app import make_app
from worker.settings import BrokerSettings, load

try:
    _settings = load(BrokerSettings)
except ConfigurationError as error:
    sys.exit(f"artifacts: {error}")

app = make_app(_settings.broker_url)
app.set_default()
