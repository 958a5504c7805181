import pytest

# The suites are no test modules by name; so their failures say what they compared.
pytest.register_assert_rewrite(
    "tests.contract.transfer_cancellation_contract",
    "tests.contract.transfer_contract",
    "tests.contract.transfer_shutdown_contract",
    "tests.contract.transfer_writes_contract",
)
