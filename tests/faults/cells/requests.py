"""Which request of S3 a fault is meant for."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from tests.faults.s3_proxy import Request

Filter = Callable[[Request], bool]


def is_put(request: Request) -> bool:
    return request.operation == "PutObject"


def is_complete(request: Request) -> bool:
    return request.operation == "CompleteMultipartUpload"


def is_any_part(request: Request) -> bool:
    return request.operation == "UploadPart"


def is_part(number: int) -> Filter:
    wanted = ("partNumber", str(number))
    return lambda request: is_any_part(request) and wanted in parse_qsl(request.query)
