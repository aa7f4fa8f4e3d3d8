"""The movie: frames read ahead, outlines, tools that paint and cut, segmentation tried live."""
