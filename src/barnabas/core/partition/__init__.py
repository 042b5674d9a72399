"""What a replica knows about its log beyond the bytes: producers, leader epochs. Pure."""
