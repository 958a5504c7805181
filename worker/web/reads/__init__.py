"""The reads behind each answer of the API, which pages share."""
