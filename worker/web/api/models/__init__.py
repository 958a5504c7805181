"""The models of every answer and request of the API, a module for each subject."""
