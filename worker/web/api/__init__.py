"""The JSON API below `/api/v1`, with its OpenAPI document."""
