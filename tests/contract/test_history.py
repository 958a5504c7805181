"""The contract of the history over each adapter."""

from tests.contract.history_contract import BatchHistoryContract, TransferHistoryContract


class TestTransfers(TransferHistoryContract):
    pass


class TestBatches(BatchHistoryContract):
    pass
