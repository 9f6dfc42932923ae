"""What is asked of plans and solvers: answers, explanations, replay, why a plan is the best."""
