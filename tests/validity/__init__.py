"""Figures of ours beside those of formulas, of other programs and of measured servers, as one page."""
