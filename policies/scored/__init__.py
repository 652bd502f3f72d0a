"""Rules of published routers that weigh predicted quality against cost, or hold a floor of predicted quality."""
