"""A deployment at work: its replicas, their queues, the balancer before them and the autoscaler beside them."""
