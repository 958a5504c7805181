"""Messages between the broker and the tasks: checked, redelivered, recorded."""
