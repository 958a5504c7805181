"""The worker's own app, with a visibility time-out that runs out within a test.

Deliveries of what still runs are what it is for: `celery -A tests.faults.worker_app`.
"""

import os

from artifact_pipeline.worker.app import app

app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": int(os.environ["FAULTS_VISIBILITY_SECONDS"]),
}
