"""Artifacts of jobs and runs to S3 and back: what code of the platform may import.

The names are listed in `__init__.pyi` alone; docs/api.md says how long they stay as they are. Each
is loaded when it is first used: what only asks for uploads loads neither boto3 nor the worker.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
