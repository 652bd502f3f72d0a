"""Questions over runs: experiments, metrics, statistics and hindsight bounds."""
