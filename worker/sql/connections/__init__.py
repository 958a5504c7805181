"""What a connection and a session must be set to, whatever pooler stands between."""
