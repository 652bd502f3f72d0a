"""Makes deployments of GPUs and models that nobody measured, from what their makers specify."""
