"""Who may use the web application, and how: logins, roles, CSRF, hosts and headers."""
