"""The parts of segmentation: what cells look like here, candidate regions, their choice, outlines, necks, MSER."""
