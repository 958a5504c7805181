import pytest

pytest.register_assert_rewrite(
    "tests.s3.copier_contract",
    "tests.s3.store_contract",
)
