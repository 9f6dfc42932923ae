"""Recording a network: checks beforehand, one process a model, other machines."""
