"""What runs by the clock: dispatch, reconcile, batches; and the state of the whole."""
