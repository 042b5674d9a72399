"""One module an API: its request and its response, in every version."""
