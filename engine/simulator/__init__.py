"""The parts of the simulator; use them through engine.simulate and engine.simulator.render."""
