"""Puts one deployment to work: its replicas, their queues, the balancer before them and the autoscaler beside them."""
