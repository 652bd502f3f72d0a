"""What prefixes of prompts do where replicas keep them."""
