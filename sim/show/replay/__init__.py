"""Makes a page that plays finished runs, from their records alone: what a browser draws is in the files beside it."""
