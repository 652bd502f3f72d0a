"""How far finished studies are apart, and which policy is the best."""
