"""The parts of the learned segmentation: network, what it is to predict, pictures to learn from."""
