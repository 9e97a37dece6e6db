"""What clients, trainers and the service must agree on: words, methods, limits, and the root of all errors.

Standard library only, so that the service's rules may stand on the package and any trainer can import it.
"""
