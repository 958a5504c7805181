"""What a store does with the requests that promises rest on."""
