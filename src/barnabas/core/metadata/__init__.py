"""What every node knows of the cluster: the immutable image, the delta that makes the next one, and the records between them."""
