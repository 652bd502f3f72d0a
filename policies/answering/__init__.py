"""Rules that look at answers before they keep one."""
