"""Work in the background: import, segmentation and tracking, export, report."""
