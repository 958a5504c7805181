"""The worker's own app, with a visibility time-out that runs out within a test.

Deliveries of what still runs are what it is for: `celery -A tests.faults.worker_app`. A queue of
RabbitMQ that stays without a leader is replaced within a test, too.
"""

import os

from artifact_pipeline.worker.app import app
from artifact_pipeline.worker.messages.amqp_channel import Channel
from artifact_pipeline.worker.messages.unanswered_queues import UnansweredQueues

app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": int(os.environ["FAULTS_VISIBILITY_SECONDS"]),
}
Channel.unanswered = UnansweredQueues(app, patience=10)
