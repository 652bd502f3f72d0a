"""Holds the cache before the policy: what a query meets first. It knows no policy and no rule of eviction by name."""
