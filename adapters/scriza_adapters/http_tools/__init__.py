"""Tools of a team's own, over HTTP, and the guard that keeps them away from what is ours."""
