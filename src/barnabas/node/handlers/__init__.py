"""One module an API, named by it: decode is done before, the reply is encoded behind; a handler authorises and delegates."""
