"""Copy a run's series from a service to an experiment tracker."""
