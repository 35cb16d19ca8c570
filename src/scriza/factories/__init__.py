"""From settings to objects: one function for each thing that settings decide about. The container wires them."""
